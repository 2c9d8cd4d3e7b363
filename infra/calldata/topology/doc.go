// Package topology is `calldata topology`: what a stack consists of, as a table, as data, or as a picture. It knows the
// settings alone and asks neither Pulumi nor AWS.
package topology
