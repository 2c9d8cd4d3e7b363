// Package stacks describes what each stack is: its typed configuration, its topology as a plain value, and the outputs
// that it shows to the world. Nothing here needs Pulumi or AWS, so that all of it can be validated, printed and tested
// alone; package stacks/deploy turns a topology into AWS resources.
package stacks
