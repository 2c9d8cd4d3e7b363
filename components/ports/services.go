package ports

// ALB is what the web load balancer listens on.
func ALB() []Port {
	return []Port{
		{Name: "http", Protocol: TCP, From: 80, To: 80, Exposure: Users, Default: true,
			Description: "HTTP: redirects to HTTPS", Source: nginx},
		{Name: HTTPS, Protocol: TCP, From: 443, To: 443, Exposure: Users, Default: true,
			Description: "HTTPS: web interface, REST APIs, SIP over WebSocket", Source: nginx},
	}
}

// NLB is what the carriers' load balancer listens on.
func NLB() []Port {
	return []Port{
		{Name: SIP, Protocol: UDP, From: 5060, To: 5060, Exposure: Carriers, Default: true,
			Description: "SIP over UDP from carriers", Source: rfc3261},
		{Name: SIPTCP, Protocol: TCP, From: 5060, To: 5060, Exposure: Carriers, Default: true,
			Description: "SIP over TCP from carriers", Source: rfc3261},
		{Name: SIPS, Protocol: TCP, From: 5061, To: 5061, Exposure: Carriers, Default: true,
			Description: "SIP over TLS from carriers", Source: rfc3261},
	}
}

// Database is what the routers' database listens on.
func Database() []Port {
	return []Port{
		{Name: PostgreSQL, Protocol: TCP, From: 5432, To: 5432, Exposure: Internal, Peers: []Group{GroupC4Router}, Default: true,
			Description: "PostgreSQL: routing tables and CDRs", Source: "Amazon RDS User Guide, Connecting to a DB instance"},
	}
}

// Endpoints is what the network's own doors to AWS listen on.
func Endpoints() []Port {
	return []Port{
		{Name: HTTPS, Protocol: TCP, From: 443, To: 443, Exposure: VPC, Default: true,
			Description: "HTTPS: AWS APIs", Source: "AWS PrivateLink Guide, Security groups"},
	}
}
