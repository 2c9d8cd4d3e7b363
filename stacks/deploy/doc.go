// Package deploy turns the topology of a stack into Pulumi resources and exports what the stack tells the world. It knows
// the components and nothing of Ansible: the inventory comes in as a function of the outputs.
package deploy
