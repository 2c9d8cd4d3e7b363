// Package ports is the one table of what the platform's machines listen on and who may reach it. Security groups are
// made from it, and any firewall on the machines is to be made from it too, so that the two cannot disagree.
package ports
