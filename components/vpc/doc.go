// Package vpc is a virtual private cloud: subnets in up to three tiers, their ways to the internet and to S3, network
// ACLs, a default security group and a default network ACL that let nothing through, and a record of all traffic. It is
// also the doors to other AWS services inside one, which are a component of their own: their security group needs the
// network first.
package vpc
