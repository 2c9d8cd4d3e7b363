// Package wazonode is one machine of the Wazo platform: a Debian 12 instance with an encrypted disk, a firewall made from
// the port table, and an Elastic IP that outlives it. It is ready for Ansible; nothing of Wazo is on it yet.
package wazonode
