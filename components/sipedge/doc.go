// Package sipedge is the platform's edge for SIP. Carriers, known by their addresses, reach a Network Load Balancer with one
// Elastic IP per availability zone. Registered phones reach SBCs directly, by Elastic IPs from a pool that SBCs claim when
// they boot, which DNS lists with health checks. Media passes neither load balancer.
package sipedge
