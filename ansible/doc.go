// Package ansible runs the playbooks beside it. Inventory turns a stack's outputs into hosts and groups, ContentHash
// tells when the content has changed, Playbook runs ansible-playbook with live progress, and Result is its recap.
//
// It builds on go-ansible for the command line and its execution, and owns what a tool that operators rely on must not
// leave to chance: secrets, exit codes, cancellation, and the event stream.
package ansible
