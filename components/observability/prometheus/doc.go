// Package prometheus says in Prometheus's language what CloudWatch is told and asked: it makes recording rules of our metrics, alert rules
// of the package alarms, and tests of both. The files that it makes are in the Ansible role prometheus.
package prometheus
