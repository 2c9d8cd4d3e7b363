// Package iamdoc writes IAM policy documents. It exists so that components can state a policy as data, where a preview
// and a test can read it, without asking AWS to format it.
package iamdoc
