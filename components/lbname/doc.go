// Package lbname shortens names for load balancers and target groups, which AWS allows fewer characters than anything else.
package lbname
