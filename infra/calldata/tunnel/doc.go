// Package tunnel is the way to the SSH server of a machine that no port leads to: a session of AWS Systems Manager, or
// straight through the network where the caller is inside it. ssh takes it as its ProxyCommand, `calldata tunnel`; Go takes
// it as a net.Conn, from Dial.
package tunnel
