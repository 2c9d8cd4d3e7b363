// Package preflight is `calldata preflight`: it looks for everything that would make a deployment of a stack fail, before
// the deployment begins. It changes nothing.
package preflight
