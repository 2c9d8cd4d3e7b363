// Package workflows reads the repository's GitHub workflows and says which of our rules they break. actionlint checks that GitHub
// would take them; the rules here are about what they may do: whose credentials, which permissions, in which order, and that the
// commands that they call exist.
package workflows
