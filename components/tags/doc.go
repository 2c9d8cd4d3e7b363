// Package tags is the one place that says which tags every AWS resource of ours carries. Costs, ownership and policy
// rules rely on them.
package tags
