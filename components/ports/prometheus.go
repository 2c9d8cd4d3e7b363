package ports

const exporter = "Debian package prometheus-node-exporter; ansible/roles/monitoring"

// nodeExporter is on every machine but Prometheus's own, which it asks on loopback. It listens on loopback alone where there is no
// Prometheus.
func nodeExporter() Port {
	return Port{
		Name: NodeExporter, Protocol: TCP, From: 9100, To: 9100, Exposure: Internal, Peers: []Group{GroupPrometheus}, Default: true,
		Description: "Metrics of the machine and of what it serves, no authentication", Source: exporter,
	}
}

// Prometheus is what the monitoring node listens on, all of it on loopback: operators come by sessions of Systems Manager.
func Prometheus() []Port {
	return []Port{
		{Name: SSH, Protocol: TCP, From: 22, To: 22, Exposure: Admin, Default: true,
			Description: "SSH: Ansible and operators", Source: network},
		// Neither asks for a password.
		{Name: "prometheus", Protocol: TCP, From: 9090, To: 9090, Exposure: Admin, Default: true,
			Description: "Prometheus", Source: "Debian package prometheus"},
		{Name: "alertmanager", Protocol: TCP, From: 9093, To: 9093, Exposure: Admin, Default: true,
			Description: "Alertmanager", Source: "Debian package prometheus-alertmanager"},
		{Name: "grafana", Protocol: TCP, From: 3000, To: 3000, Exposure: Admin, Default: true,
			Description: "Grafana", Source: "Grafana documentation, Configure Grafana, http_port"},
		{Name: ICMPEcho, Protocol: ICMP, From: EchoRequest, To: AnyCode, Exposure: Admin, Peers: []Group{GroupUCEngine, GroupC4Router, GroupC4SBC}, Default: true,
			Description: "ICMP echo: ping, from the machines that it asks", Source: "RFC 792"},

		{Name: "alertmanager-cluster", Protocol: TCP, From: 9094, To: 9094, Exposure: Nobody,
			Description: "Cluster of Alertmanager, which is switched off", Source: "Debian package prometheus-alertmanager"},
		{Name: NodeExporter, Protocol: TCP, From: 9100, To: 9100, Exposure: Nobody,
			Description: "Metrics of the machine, on loopback", Source: exporter},
	}
}
