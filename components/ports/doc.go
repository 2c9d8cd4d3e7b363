// Package ports is the one table of what the platform's machines listen on and who may reach it. Security groups are
// made from it, and so are the machines' own firewalls: a test compares the two.
package ports
