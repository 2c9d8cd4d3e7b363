// Package vpc is a virtual private cloud with public subnets: routes to the internet, a default security group that lets
// nothing through, and a record of all traffic.
package vpc
