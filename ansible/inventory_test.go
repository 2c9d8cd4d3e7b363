package ansible

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/stacks"
)

func outputs() stacks.Outputs {
	return stacks.Outputs{
		Stack: "dev", Region: "us-east-1",
		Endpoints: stacks.Endpoints{Web: "https://203.0.113.10", SIP: "sip:203.0.113.10:5060;transport=udp"},
		Nodes: []stacks.Node{
			{Name: "dev-uc-2", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "i-2", PrivateIP: "10.20.0.6", User: "admin"},
			{Name: "dev-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "i-1", PrivateIP: "10.20.0.5", PublicIP: "203.0.113.10", User: "admin"},
		},
	}
}

const golden = `all:
  hosts:
    dev-uc-1:
      ansible_host: 203.0.113.10
      ansible_user: admin
      instance_id: i-1
      private_ip: 10.20.0.5
      public_ip: 203.0.113.10
      roles: [uc-engine]
    dev-uc-2:
      ansible_host: 10.20.0.6
      ansible_user: admin
      instance_id: i-2
      private_ip: 10.20.0.6
      public_ip: ""
      roles: [uc-engine]
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
			"all: {hosts: {a: {ansible_host: 1.2.3.4, ansible_user: admin, instance_id: i, private_ip: 1.2.3.4, roles: [uc-engine]}}}",
			`not in group uc_engine_host`,
		},
		"stranger in a group": {"all: {hosts: {}, children: {uc_engine_host: {hosts: {b: {}}}}}", `has "b"`},
		"unknown role":        {"all: {hosts: {a: {roles: [pbx]}}}", `"pbx"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseInventory([]byte(c.text))
			assert.ErrorContains(t, err, c.want)
		})
	}
}
