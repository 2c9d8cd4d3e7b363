// Package rolereference writes the part of each role's README that its argument specification and defaults say already: the
// variables. What stands above it in the file is written by hand.
package rolereference
