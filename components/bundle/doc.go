// Package bundle puts what machines of a fleet configure themselves with into S3: one archive, named after its own hash.
// A machine that knows the name knows exactly what it gets, and earlier archives stay for those that still ask for them.
package bundle
