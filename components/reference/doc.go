// Package reference writes a page about each component out of its source: what it is, its arguments and what it answers.
package reference
