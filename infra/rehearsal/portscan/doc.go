// Package portscan looks from several places at the ports of machines, and tells where they differ from the table of ports:
// what is reached that should not be, and what should be reached and is not.
package portscan
