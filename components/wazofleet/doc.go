// Package wazofleet is a group of machines of one kind that grows and shrinks with the calls it carries. Each machine
// configures itself at boot, from a bundle that it checks, and joins the group when it is ready. One that is to go waits
// for its calls to end.
package wazofleet
