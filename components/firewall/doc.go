// Package firewall is the security groups of a network, one for each group of machines or interfaces, with the rules of
// the one port table. They are made together because they name each other: an SBC lets routers in, and a router SBCs.
package firewall
