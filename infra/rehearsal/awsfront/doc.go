// Package awsfront is AWS as a machine in a VPC sees it: the instance metadata service, Amazon's DNS resolver, and the
// services under their own names with TLS. Behind it is the rehearsal's emulator, of which it knows nothing but the AWS
// API.
//
// What differs from AWS: load balancers carry nothing, their names lead to their targets; health checks of Route 53 are
// not made, every record counts as healthy; no signature of a request is checked.
package awsfront
