// Package permission says, as IAM policies, what GitHub's workflows may do in the account: previews read, deployments
// change one environment, and neither can give itself more. It registers nothing, so that what a policy allows can be
// tested without AWS.
//
// Three things keep environments apart. Names: everything of the environment dev is called dev-something, and where
// IAM can tell resources by their names, a deployment of dev may touch no other. Tags: everything carries the tag
// Environment, and the boundary denies what carries another's. The boundary: roles that a deployment makes must have one,
// so that a role made by dev cannot reach prod either.
package permission
