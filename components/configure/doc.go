// Package configure is the stage of a deployment that runs Ansible over the machines: `calldata configure` as a resource,
// run when the playbooks, the inventory or a machine change, and at no other time.
package configure
