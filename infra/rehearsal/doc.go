// Package rehearsal conducts a whole deployment on one machine, without an AWS account: the real Pulumi engine and the
// real AWS provider deploy the stack to an emulator, each EC2 instance becomes a Debian machine, Ansible configures it
// over SSH through the stack's own configuration stage, checks and a call pass through it, and everything is removed.
//
// The parts live in packages of their own: engine, emulator, machines, pyenv and doubles. This package only joins them.
package rehearsal
