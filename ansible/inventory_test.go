package ansible

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/stacks"
)

// openings are those of a machine that one network reaches by SSH, and peers by SIP.
func openings() []ports.Opening {
	return []ports.Opening{
		{Name: ports.SSH, Protocol: ports.TCP, From: 22, To: 22, Sources: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, Peers: []ports.Group{}},
		{Name: ports.SIP, Protocol: ports.UDP, From: 5060, To: 5060, Sources: []netip.Prefix{}, Peers: []ports.Group{ports.GroupC4SBC}},
	}
}

func outputs() stacks.Outputs {
	return stacks.Outputs{
		Stack: "dev", Region: "us-east-1", VpcCIDR: netip.MustParsePrefix("10.20.0.0/16"),
		Endpoints: stacks.Endpoints{Web: "https://203.0.113.10", SIP: "sip:203.0.113.10:5060;transport=udp"},
		Nodes: []stacks.Node{
			{Name: "dev-uc-2", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "i-2", PrivateIP: "10.20.0.6", User: "admin", Firewall: openings()},
			{Name: "dev-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "i-1", PrivateIP: "10.20.0.5", PublicIP: "203.0.113.10", User: "admin", Firewall: openings()},
		},
	}
}

// firewallText is openings in an inventory.
const firewallText = `      calldata_firewall:
        - name: ssh
          protocol: tcp
          from: 22
          to: 22
          sources: [198.51.100.0/24]
          peers: []
        - name: sip-udp
          protocol: udp
          from: 5060
          to: 5060
          sources: []
          peers: [c4-sbc]
`

const golden = `all:
  hosts:
    dev-uc-1:
      ansible_host: 203.0.113.10
      ansible_user: admin
      calldata_stack: dev
      calldata_region: us-east-1
      calldata_roles: [uc-engine]
      calldata_instance_id: i-1
      private_ip: 10.20.0.5
      public_ip: 203.0.113.10
      calldata_vpc_cidr: 10.20.0.0/16
      calldata_fleets: []
` + firewallText + `      calldata_carriers: []
      calldata_log_prefix: /calldata/dev
      calldata_backup_bucket: ""
      calldata_backup_key_arn: ""
    dev-uc-2:
      ansible_host: 10.20.0.6
      ansible_user: admin
      calldata_stack: dev
      calldata_region: us-east-1
      calldata_roles: [uc-engine]
      calldata_instance_id: i-2
      private_ip: 10.20.0.6
      public_ip: ""
      calldata_vpc_cidr: 10.20.0.0/16
      calldata_fleets: []
` + firewallText + `      calldata_carriers: []
      calldata_log_prefix: /calldata/dev
      calldata_backup_bucket: ""
      calldata_backup_key_arn: ""
  children:
    uc_engine_host:
      hosts:
        dev-uc-1: {}
        dev-uc-2: {}
`

func TestInventoryFromOutputs(t *testing.T) {
	t.Parallel()
	inv, err := FromOutputs(outputs())
	require.NoError(t, err)
	text, err := inv.YAML()
	require.NoError(t, err)
	assert.Equal(t, golden, string(text))
	back, err := ParseInventory(text)
	require.NoError(t, err)
	assert.Equal(t, inv, back)
}

func TestInventoryErrorsComeAtOnce(t *testing.T) {
	t.Parallel()
	o := outputs()
	o.Nodes[0].Name, o.Nodes[1].User = "Dev_1", "-oProxyCommand=x"
	_, err := FromOutputs(o)
	assert.ErrorContains(t, err, "Dev_1")
	assert.ErrorContains(t, err, "-oProxyCommand")

	_, err = FromOutputs(stacks.Outputs{})
	assert.ErrorContains(t, err, "nodes is empty")
}

func TestParseInventoryTakesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":        {"", "not the YAML"},
		"no hosts":       {"all: {}", "no hosts"},
		"a command":      {"all: {hosts: {a: {ansible_ssh_common_args: -oProxyCommand=x}}}", "ansible_ssh_common_args"},
		"not an address": {"all: {hosts: {a: {ansible_host: -x, ansible_user: admin}}}", `ansible_host is "-x"`},
		"no group": {
			"all: {hosts: {a: {ansible_host: 1.2.3.4, ansible_user: admin, calldata_instance_id: i, private_ip: 1.2.3.4, calldata_roles: [uc-engine]}}}",
			`not in group uc_engine_host`,
		},
		"stranger in a group": {"all: {hosts: {}, children: {uc_engine_host: {hosts: {b: {}}}}}", `has "b"`},
		"unknown role":        {"all: {hosts: {a: {calldata_roles: [pbx]}}}", `"pbx"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseInventory([]byte(c.text))
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func stageOutputs() stacks.Outputs {
	return stacks.Outputs{
		Stack: "stage", Region: "eu-west-1", VpcCIDR: netip.MustParsePrefix("10.30.0.0/16"),
		Carriers:  []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
		Endpoints: stacks.Endpoints{Web: "https://stage.example.com", SIP: "sip:sip.stage.example.com:5060;transport=udp"},
		Nodes: []stacks.Node{
			{Name: "stage-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "i-0aaaaaaaaaaaaaaa1", PrivateIP: "10.30.64.5", User: "admin", Access: stacks.AccessSSM, Firewall: openings()},
			{Name: "stage-router-1", Roles: []stacks.Role{stacks.RoleC4Router}, InstanceID: "i-0aaaaaaaaaaaaaaa2", PrivateIP: "10.30.64.6", User: "admin", Access: stacks.AccessSSM, Firewall: openings()},
			{Name: "stage-sbc-1", Roles: []stacks.Role{stacks.RoleC4SBC}, InstanceID: "i-0aaaaaaaaaaaaaaa3", PrivateIP: "10.30.0.7", PublicIP: "203.0.113.20", User: "admin", Access: stacks.AccessSSM, Firewall: openings()},
		},
		Fleets:  []stacks.Fleet{{Name: "stage-c4-sbc", Role: stacks.RoleC4SBC}},
		Backups: &stacks.Backups{Bucket: "stage-backups-0a1b", KeyARN: "arn:aws:kms:eu-west-1:123456789012:key/1a2b"},
		Database: &stacks.Database{
			Host: "stage-router.abc.eu-west-1.rds.amazonaws.com", Port: 5432, SecretARN: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-aBcDeF",
		},
	}
}

// stageText is what all machines of stageOutputs have.
const stageText = `      calldata_vpc_cidr: 10.30.0.0/16
      calldata_fleets: [c4-sbc]
` + firewallText + `      calldata_carriers: [198.51.100.0/24]
      calldata_log_prefix: /calldata/stage
      calldata_backup_bucket: stage-backups-0a1b
      calldata_backup_key_arn: arn:aws:kms:eu-west-1:123456789012:key/1a2b
      access: ssm
`

const stageGolden = `all:
  hosts:
    stage-router-1:
      ansible_host: 10.30.64.6
      ansible_user: admin
      calldata_stack: stage
      calldata_region: eu-west-1
      calldata_roles: [c4-router]
      calldata_instance_id: i-0aaaaaaaaaaaaaaa2
      private_ip: 10.30.64.6
      public_ip: ""
` + stageText + `      database_host: stage-router.abc.eu-west-1.rds.amazonaws.com
      database_port: 5432
      database_secret_arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-aBcDeF
    stage-sbc-1:
      ansible_host: 10.30.0.7
      ansible_user: admin
      calldata_stack: stage
      calldata_region: eu-west-1
      calldata_roles: [c4-sbc]
      calldata_instance_id: i-0aaaaaaaaaaaaaaa3
      private_ip: 10.30.0.7
      public_ip: 203.0.113.20
` + stageText + `    stage-uc-1:
      ansible_host: 10.30.64.5
      ansible_user: admin
      calldata_stack: stage
      calldata_region: eu-west-1
      calldata_roles: [uc-engine]
      calldata_instance_id: i-0aaaaaaaaaaaaaaa1
      private_ip: 10.30.64.5
      public_ip: ""
` + stageText + `  children:
    c4_router_host:
      hosts:
        stage-router-1: {}
    c4_sbc_host:
      hosts:
        stage-sbc-1: {}
    uc_engine_host:
      hosts:
        stage-uc-1: {}
`

func TestInventoryOfEveryRole(t *testing.T) {
	t.Parallel()
	inv, err := FromOutputs(stageOutputs())
	require.NoError(t, err)
	text, err := inv.YAML()
	require.NoError(t, err)
	assert.Equal(t, stageGolden, string(text))
	back, err := ParseInventory(text)
	require.NoError(t, err)
	assert.Equal(t, inv, back)
}

// Outputs say "ssh" since there is another way. The inventory does not, so that the configuration stage of an older stack
// has nothing to do.
func TestSSHIsNoNews(t *testing.T) {
	t.Parallel()
	o := outputs()
	o.Nodes[0].Access, o.Nodes[1].Access = stacks.AccessSSH, stacks.AccessSSH
	inv, err := FromOutputs(o)
	require.NoError(t, err)
	text, err := inv.YAML()
	require.NoError(t, err)
	assert.Equal(t, golden, string(text))
}

// Ansible takes values for templates, and ssh hands some to a shell.
func TestNothingIsSmuggledIn(t *testing.T) {
	t.Parallel()
	const evil = "{{ lookup('pipe', 'id') }}"
	for field, change := range map[string]func(*Host){
		"ansible_host":            func(h *Host) { h.Address = "fe80::1%" + evil },
		"private_ip":              func(h *Host) { h.PrivateIP = "fe80::1%$(id)" },
		"public_ip":               func(h *Host) { h.PublicIP = "fe80::1%" + evil },
		"ansible_user":            func(h *Host) { h.User = evil },
		"access":                  func(h *Host) { h.Access = evil },
		"calldata_stack":          func(h *Host) { h.Stack = evil },
		"calldata_region":         func(h *Host) { h.Region = "eu-west-1;id" },
		"calldata_roles":          func(h *Host) { h.Roles = append(h.Roles, evil) },
		"calldata_instance_id":    func(h *Host) { h.InstanceID = evil },
		"calldata_vpc_cidr":       func(h *Host) { h.VpcCIDR = netip.MustParsePrefix("10.0.0.1/8") },
		"calldata_fleets":         func(h *Host) { h.Fleets = []stacks.Role{evil} },
		"calldata_firewall":       func(h *Host) { h.Firewall[0].Name = evil },
		"calldata_log_prefix":     func(h *Host) { h.LogPrefix = "/calldata/" + evil },
		"calldata_backup_bucket":  func(h *Host) { h.BackupBucket = evil },
		"calldata_backup_key_arn": func(h *Host) { h.BackupKeyARN = evil },
		"database_host":           func(h *Host) { h.DatabaseHost = evil },
		"database_port":           func(h *Host) { h.DatabasePort = 65536 },
		"database_secret_arn":     func(h *Host) { h.DatabaseSecretARN = evil },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			inv, err := FromOutputs(stageOutputs())
			require.NoError(t, err)
			change(&inv.Hosts[0])
			assert.ErrorContains(t, inv.Validate(), `inventory host "stage-router-1": `+field+" is ")
		})
	}
}

func TestWhatDoesNotFitTogether(t *testing.T) {
	t.Parallel()
	inv, err := FromOutputs(stageOutputs())
	require.NoError(t, err)
	router, sbc, engine := &inv.Hosts[0], &inv.Hosts[1], &inv.Hosts[2]
	router.DatabasePort, sbc.Address, sbc.Firewall, engine.DatabaseHost = 0, sbc.PublicIP, nil, "db.example.com"
	engine.Access, engine.Address, engine.PrivateIP, engine.BackupBucket = "telnet", router.Address, router.Address, ""
	err = inv.Validate()
	for _, part := range []string{
		`"stage-router-1": database_port is "0"`, `"stage-sbc-1": ansible_host is "203.0.113.20", want its private_ip`, `"stage-sbc-1": calldata_firewall is "", want the machine's openings`,
		`"stage-uc-1": access is "telnet"`, `"stage-uc-1": calldata_backup_bucket is ""`, `"stage-uc-1": database_host is "db.example.com", want nothing`,
		`"stage-uc-1": ansible_host is "10.30.64.6", want an address that no other host has`,
	} {
		assert.ErrorContains(t, err, part)
	}
}

func TestInventoryTellsPrometheusOfTheStack(t *testing.T) {
	t.Parallel()
	o := stageOutputs()
	o.Prometheus = &stacks.Prometheus{Level: "notices", BusinessHours: []int{8, 18}, Things: []stacks.PrometheusThing{
		{Name: "stage-c4-sbc", Kind: "fleet", Role: stacks.RoleC4SBC, Capacity: map[alarms.Capacity]float64{alarms.Least: 2, alarms.Calls: 400}},
	}}
	watcher := o.Nodes[1]
	watcher.Name, watcher.Roles, watcher.InstanceID, watcher.PrivateIP = "stage-prometheus-1", []stacks.Role{stacks.RolePrometheus}, "i-0aaaaaaaaaaaaaaa4", "10.30.64.7"
	o.Nodes = append(o.Nodes, watcher)
	inv, err := FromOutputs(o)
	require.NoError(t, err)
	text, err := inv.YAML()
	require.NoError(t, err)
	assert.Contains(t, string(text), `      calldata_prometheus:
        level: notices
        business_hours: [8, 18]
        things:
          - name: stage-c4-sbc
            kind: fleet
            role: c4-sbc
            capacity: {calls: 400, least: 2}
`)
	back, err := ParseInventory(text)
	require.NoError(t, err)
	assert.Equal(t, inv, back)

	o.Prometheus.Level = "loud"
	_, err = FromOutputs(o)
	require.ErrorContains(t, err, "prometheus.level is loud")
	o.Prometheus = nil
	_, err = FromOutputs(o)
	require.ErrorContains(t, err, `inventory host "stage-prometheus-1": calldata_prometheus`)
}
