// Package wazonode is one machine of the Wazo platform: a Debian 12 instance with encrypted disks, an Elastic IP and a data
// volume that outlive it, and alarms that mend it. It is ready for Ansible; nothing of Wazo is on it yet.
package wazonode
