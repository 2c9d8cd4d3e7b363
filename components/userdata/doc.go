// Package userdata writes what cloud-init does at the first boot of a machine, in the form of a cloud-config: a document
// in YAML that EC2 hands to the machine as its user data. Anybody on the machine can read it, so nothing in it may be
// secret.
package userdata
