// Package metrics names the CloudWatch metrics of our own, which machines write and which scaling policies, alarms and
// dashboards read.
package metrics
