// Package alb is the platform's edge for the web: an Application Load Balancer that carries HTTPS and SIP over WebSocket to
// the engines of two colours, with its certificate, its names and, if wanted, a web application firewall. SIP over UDP, TCP
// or TLS and media never pass it: package sipedge is for them.
package alb
