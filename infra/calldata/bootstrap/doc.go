// Package bootstrap is `calldata bootstrap`: it makes what has to exist before the first stack does, a bucket for
// Pulumi's state, a key for its secrets, and the roles of AWS's services that stacks name.
package bootstrap
