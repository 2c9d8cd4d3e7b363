// Package cidr does the arithmetic of IPv4 networks that a VPC needs: splitting it into subnets, and saying which ranges
// do not fit. It knows nothing of AWS but the sizes that AWS allows.
package cidr
