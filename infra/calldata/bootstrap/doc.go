// Package bootstrap is `calldata bootstrap`: it makes what has to exist before the first stack does, a bucket for
// Pulumi's state and a key for its secrets.
package bootstrap
