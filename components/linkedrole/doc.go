// Package linkedrole names the roles of AWS's own services that something of ours names before AWS makes them by itself.
// `calldata bootstrap` makes them, `calldata preflight` looks for them.
package linkedrole
