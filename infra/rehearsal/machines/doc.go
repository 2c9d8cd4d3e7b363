// Package machines gives every emulated EC2 instance a real Debian 12 machine: a systemd-nspawn container with its own
// systemd, disk, network and cloud-init, on a network that has no way out.
//
// Everything of one rehearsal carries the same id (for example "cd-dev"): the network namespace, the cgroups, the
// mounts. Teardown finds what a crashed run left by that id alone.
//
// A machine differs from an EC2 instance in this: the kernel is the host's, the interface is called host0, user data
// arrives through cloud-init's NoCloud source and not from a metadata service, and security groups filter nothing.
package machines
