// Package lab makes Debian machines for a trial without an AWS account and without a stack: a role's Molecule scenario, or
// a look at a playbook. The machines are those of a rehearsal, in a network namespace of their own.
package lab
