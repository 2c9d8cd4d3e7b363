package ports

const (
	rfc3261   = "RFC 3261, 18.1.1 and 19.1.2"
	sbc       = "wazo-c4-ansible: roles/wazo-c4-sbc/templates/kamailio-local.cfg.j2"
	sbcStatus = "wazo-c4-sbc: kamailio/xhttp.cfg"
	rtpengine = "wazo-c4-ansible: roles/wazo-vars/defaults/main.yml; Debian package rtpengine-daemon"
)

// C4SBC is what the Class-4 SBC listens on: Kamailio and rtpengine.
func C4SBC() []Port {
	return []Port{
		{Name: SSH, Protocol: TCP, From: 22, To: 22, Exposure: Admin, Default: true,
			Description: "SSH: Ansible and operators", Source: network},
		{Name: SIP, Protocol: UDP, From: 5060, To: 5060, Exposure: Phones, Peers: []Group{GroupNLB}, Default: true,
			Description: "SIP over UDP: Kamailio", Source: sbc},
		{Name: SIPTCP, Protocol: TCP, From: 5060, To: 5060, Exposure: Phones, Peers: []Group{GroupNLB}, Default: true,
			Description: "SIP over TCP: Kamailio", Source: rfc3261},
		{Name: SIPS, Protocol: TCP, From: 5061, To: 5061, Exposure: Phones, Peers: []Group{GroupNLB}, Default: true,
			Description: "SIP over TLS: Kamailio", Source: rfc3261},
		{Name: "sip-inside", Protocol: UDP, From: 5070, To: 5070, Exposure: Internal, Peers: []Group{GroupC4Router}, Default: true,
			Description: "SIP over UDP from the Routers: Kamailio", Source: "ansible/roles/c4_sbc"},
		{Name: RTP, Protocol: UDP, From: 23000, To: 32768, Exposure: Media, Peers: []Group{GroupUCEngine}, Default: true,
			Description: "RTP and RTCP: rtpengine", Source: rtpengine},
		// The same server answers JSON-RPC without authentication: the load balancer's checks come in, nobody else.
		{Name: Status, Protocol: TCP, From: 9600, To: 9600, Exposure: Internal, Peers: []Group{GroupNLB}, Default: true,
			Description: "Status of Kamailio, for health checks", Source: sbcStatus},
		nodeExporter(),

		{Name: "dmq", Protocol: UDP, From: 5062, To: 5062, Exposure: Nobody,
			Description: "Kamailio DMQ: peers write into its tables", Source: "wazo-c4: envs/sbc.env"},
		{Name: "rtpengine-ng", Protocol: UDP, From: 22222, To: 22222, Exposure: Nobody,
			Description: "Control of rtpengine, no authentication", Source: rtpengine},
		{Name: "rtpengine-cli", Protocol: TCP, From: 2224, To: 2225, Exposure: Nobody,
			Description: "Command line and metrics of rtpengine", Source: rtpengine},
		{Name: "redis", Protocol: TCP, From: 6379, To: 6379, Exposure: Nobody,
			Description: "Redis", Source: sbc},
	}
}

// C4Router is what the Class-4 Router listens on: Kamailio, which only the SBCs and the engines know.
func C4Router() []Port {
	return []Port{
		{Name: SSH, Protocol: TCP, From: 22, To: 22, Exposure: Admin, Default: true,
			Description: "SSH: Ansible and operators", Source: network},
		{Name: SIP, Protocol: UDP, From: 5060, To: 5060, Exposure: Internal, Peers: []Group{GroupC4SBC, GroupUCEngine}, Default: true,
			Description: "SIP over UDP: Kamailio", Source: sbc},
		nodeExporter(),
		{Name: "dmq", Protocol: UDP, From: 5062, To: 5062, Exposure: Nobody,
			Description: "Kamailio DMQ: peers write into its tables", Source: "wazo-c4: envs/router.env"},
		{Name: Status, Protocol: TCP, From: 9601, To: 9601, Exposure: Nobody,
			Description: "Status and JSON-RPC of Kamailio, no authentication", Source: "wazo-c4-router: kamailio/xhttp-router.cfg"},
		{Name: PostgreSQL, Protocol: TCP, From: 5432, To: 5432, Exposure: Nobody,
			Description: "PostgreSQL, where the database is on the same machine", Source: sbc},
		{Name: "redis", Protocol: TCP, From: 6379, To: 6379, Exposure: Nobody,
			Description: "Redis", Source: sbc},
	}
}
