// Package noderole is what a machine may do in AWS: its IAM role with no more than the permissions asked for, and the
// instance profile that carries it. Components that make machines register it as their own children.
package noderole
