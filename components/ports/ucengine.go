package ports

const (
	network      = "wazo-platform.org: uc-doc/contributors/network.md"
	nginx        = "wazo-nginx: etc/nginx/sites-available/wazo"
	populate     = "xivo-manage-db: populate/populate.sql"
	provisioning = "wazo-platform.org: uc-doc/administration/provisioning/basic_configuration.md"
)

// UCEngine is what Wazo's UC Engine listens on. The rows for nobody are there to be refused: they listen on all
// addresses, or would give a stranger the machine.
func UCEngine() []Port {
	return []Port{
		{Name: SSH, Protocol: TCP, From: 22, To: 22, Exposure: Admin, Peers: []Group{GroupUCEngine}, Default: true,
			Description: "SSH: Ansible, operators, file sync of a pair of engines", Source: network + "; uc-doc/high_availability/index.md"},
		// Ports 80 and 443 stay with the admins: until the setup wizard has run, anybody who reaches it may run it and
		// choose the root password: wazo-setupd asks for no authentication.
		{Name: "http", Protocol: TCP, From: 80, To: 80, Exposure: Admin, Default: true,
			Description: "HTTP: redirects to HTTPS", Source: nginx},
		{Name: HTTPS, Protocol: TCP, From: 443, To: 443, Exposure: Admin, Peers: []Group{GroupALB}, Default: true,
			Description: "HTTPS: web interface, REST APIs, SIP over WebSocket", Source: nginx + "; wazo-setupd: plugins/setup/api.yml"},
		{Name: SIP, Protocol: UDP, From: 5060, To: 5060, Exposure: Phones, Peers: []Group{GroupC4Router}, Default: true,
			Description: "SIP: Asterisk PJSIP transport-udp", Source: populate},
		// Media comes from wherever the phone is, hence the same peers as SIP.
		{Name: RTP, Protocol: UDP, From: 10000, To: 20000, Exposure: Phones, Peers: []Group{GroupC4SBC}, Default: true,
			Description: "RTP: Asterisk rtpstart to rtpend", Source: populate},
		{Name: ICMPEcho, Protocol: ICMP, From: EchoRequest, To: AnyCode, Exposure: Admin, Peers: []Group{GroupUCEngine}, Default: true,
			Description: "ICMP echo: ping", Source: "RFC 792; wazo-platform.org: uc-doc/high_availability/index.md"},
		nodeExporter(),

		// Plain HTTP without authentication, which hands out SIP passwords to whoever knows a MAC address.
		{Name: "provisioning", Protocol: TCP, From: 8667, To: 8667, Exposure: Phones,
			Description: "Phone provisioning: plain HTTP, no authentication", Source: provisioning},
		{Name: "phonebook", Protocol: TCP, From: 9498, To: 9499, Exposure: Phones,
			Description: "Phone directory: wazo-phoned, filters by address only", Source: "wazo-phoned: etc/wazo-phoned/config.yml"},
		{Name: "tftp", Protocol: UDP, From: 69, To: 69, Exposure: VPC,
			Description: "TFTP: phone provisioning inside the network", Source: "wazo-provd: etc/wazo-provd/config.yml"},
		{Name: "ntp", Protocol: UDP, From: 123, To: 123, Exposure: VPC,
			Description: "NTP: time for phones", Source: network},
		{Name: "metrics", Protocol: TCP, From: 6387, To: 6387, Exposure: VPC,
			Description: "Prometheus metrics, no authentication", Source: "wazo-prometheus-exporter-plugin: README.md"},

		{Name: "smtp", Protocol: TCP, From: 25, To: 25, Exposure: Nobody,
			Description: "postfix", Source: network},
		{Name: "sccp", Protocol: TCP, From: 2000, To: 2000, Exposure: Nobody,
			Description: "Asterisk SCCP: toll fraud when open", Source: network},
		{Name: "iax2", Protocol: UDP, From: 4569, To: 4569, Exposure: Nobody,
			Description: "Asterisk IAX2: toll fraud when open", Source: network},
		{Name: "erlang", Protocol: TCP, From: 4369, To: 4369, Exposure: Nobody,
			Description: "Erlang port mapper of RabbitMQ", Source: "RabbitMQ documentation, Networking"},
		{Name: "asterisk-manager", Protocol: TCP, From: 5038, To: 5039, Exposure: Nobody,
			Description: "Asterisk manager and ARI", Source: network},
		{Name: PostgreSQL, Protocol: TCP, From: 5432, To: 5432, Exposure: Internal, Peers: []Group{GroupUCEngine}, Default: true,
			Description: "PostgreSQL: replication to the backup engine", Source: "wazo-sysconfd: plugins/ha_config/ha.py"},
		{Name: "amqp", Protocol: TCP, From: 5672, To: 5672, Exposure: Nobody,
			Description: "RabbitMQ", Source: "xivo-config: etc/rabbitmq/rabbitmq.config"},
		{Name: "sysconfd", Protocol: TCP, From: 8668, To: 8668, Exposure: Nobody,
			Description: "wazo-sysconfd: works as root, no authentication", Source: network},
		{Name: "erlang-distribution", Protocol: TCP, From: 25672, To: 25672, Exposure: Nobody,
			Description: "Erlang distribution of RabbitMQ", Source: "RabbitMQ documentation, Networking"},
	}
}
