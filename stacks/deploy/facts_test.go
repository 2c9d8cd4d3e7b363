package deploy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/stacks"
)

// everyMachine are the variables that roles may count on.
var everyMachine = []string{
	"calldata_stack", "calldata_region", "calldata_roles", "calldata_instance_id", "private_ip", "public_ip", "calldata_vpc_cidr", "calldata_fleets",
	"calldata_firewall", "calldata_log_prefix", "calldata_backup_bucket", "calldata_backup_key_arn",
}

// ofInstance are those that a machine of a fleet finds out itself, at its boot; a test of the boot script has them.
var ofInstance = []string{"calldata_region", "calldata_instance_id", "private_ip", "public_ip"}

var databaseFacts = []string{"database_host", "database_port", "database_secret_arn"}

// told is what a stack tells its machines: the variables of each host of the inventory, and of the machines of each fleet.
func told(t *testing.T, top stacks.Topology) (hosts, fleets map[string]map[string]any) {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		o := options()
		o.Inventory = func(out stacks.Outputs) (string, error) {
			for i := range out.Nodes { // the recorder has one address for all
				out.Nodes[i].PrivateIP, out.Nodes[i].PublicIP = fmt.Sprintf("10.20.0.%d", 4+i), ""
			}
			inv, err := ansible.FromOutputs(out)
			if err != nil {
				return "", err
			}
			text, err := inv.YAML()
			return string(text), err
		}
		return Deploy(ctx, top, o)
	}))
	var inventory struct {
		All struct{ Hosts map[string]map[string]any }
	}
	require.NoError(t, yaml.Unmarshal([]byte(rec.One(t, "command:local:Command").Inputs["stdin"].(string)), &inventory))
	fleets = map[string]map[string]any{}
	for name, template := range rec.OfType("aws:ec2/launchTemplate:LaunchTemplate") {
		text, err := base64.StdEncoding.DecodeString(template.Inputs["userData"].(string))
		require.NoError(t, err)
		var config struct {
			Files []struct{ Path, Content string } `yaml:"write_files"`
		}
		require.NoError(t, yaml.Unmarshal(text, &config))
		facts := map[string]any{}
		for _, f := range config.Files {
			if f.Path == "/etc/calldata/node.json" {
				require.NoError(t, json.Unmarshal([]byte(f.Content), &facts))
			}
		}
		fleets[name] = facts
	}
	return inventory.All.Hosts, fleets
}

// Routers that must not register with carriers know it, fixed ones by the inventory and those of a fleet by their user data.
func TestSilentStackTellsItsMachines(t *testing.T) {
	t.Parallel()
	for registers, want := range map[string]any{"true": nil, "false": true} {
		hosts, _ := told(t, topologyOf(t, stacks.KindStage, "carrierRegistrations", registers))
		_, fleets := told(t, topologyOf(t, stacks.KindProd, "carrierRegistrations", registers))
		assert.Equal(t, want, hosts["stage-router-1"]["calldata_silent"])
		assert.Equal(t, want, fleets["prod-c4-router"]["calldata_silent"])
	}
}

func TestEveryMachineHasTheVariables(t *testing.T) {
	t.Parallel()
	for _, kind := range []stacks.Kind{stacks.KindDev, stacks.KindStage, stacks.KindProd} {
		hosts, fleets := told(t, topologyOf(t, kind))
		require.NotEmpty(t, hosts, kind)
		for name, facts := range hosts {
			for _, fact := range everyMachine {
				assert.Contains(t, facts, fact, name)
			}
		}
		for name, facts := range fleets {
			for _, fact := range everyMachine {
				if !slices.Contains(ofInstance, fact) {
					assert.Contains(t, facts, fact, name)
				}
			}
			assert.Equal(t, name, facts["calldata_group"])
		}
	}
}

// Whatever is about the stack and not about the machine is the same for a fixed machine and for one of a fleet.
func TestFleetsAndFixedMachinesAgree(t *testing.T) {
	t.Parallel()
	hosts, fleets := told(t, topologyOf(t, stacks.KindProd))
	require.Len(t, fleets, 2)
	for name, facts := range fleets {
		for _, fact := range []string{"calldata_stack", "calldata_vpc_cidr", "calldata_fleets", "calldata_log_prefix", "calldata_backup_bucket", "calldata_backup_key_arn"} {
			assert.Equal(t, hosts["prod-uc-1"][fact], facts[fact], "%s of %s", fact, name)
			assert.NotEmpty(t, facts[fact], "%s of %s", fact, name)
		}
		for _, fact := range databaseFacts {
			assert.Equal(t, strings.HasSuffix(name, string(stacks.RoleC4Router)), facts[fact] != nil, "%s of %s", fact, name)
		}
	}
	assert.Equal(t, []any{"c4-sbc", "c4-router"}, hosts["prod-uc-2"]["calldata_fleets"])
	assert.Equal(t, []any{"c4-router"}, fleets["prod-c4-router"]["calldata_roles"])
}

// The machine's own firewall and its security groups come from the same rules.
func TestFirewallsAreTold(t *testing.T) {
	t.Parallel()
	hosts, fleets := told(t, topologyOf(t, stacks.KindProd))
	names := func(facts map[string]any) (all []string) {
		for _, opening := range facts["calldata_firewall"].([]any) {
			all = append(all, opening.(map[string]any)["name"].(string))
		}
		return all
	}
	assert.Equal(t, []string{"sip-udp"}, names(fleets["prod-c4-router"]))
	assert.Contains(t, names(fleets["prod-c4-sbc"]), "rtp")
	assert.Contains(t, names(hosts["prod-uc-1"]), "sip-udp")

	hosts, _ = told(t, topology(t, "c4", "true"))
	assert.Contains(t, names(hosts["dev-sbc-1"]), "sips")
	assert.NotContains(t, names(hosts["dev-uc-1"]), "sips")
}

// The role backup and IAM must mean the same place, which no emulator would tell.
func TestBackupsGoWhereTheyMay(t *testing.T) {
	t.Parallel()
	defaults, err := os.ReadFile("../../ansible/roles/backup/defaults/main.yml")
	require.NoError(t, err)
	assert.Contains(t, string(defaults), `'s3://' ~ backup_bucket ~ '/' ~ backup_role ~ '/'`)
	for stack, machines := range map[string]struct {
		topology stacks.Topology
		roles    map[string]stacks.Role
	}{
		"dev": {topology(t, "c4", "true"), map[string]stacks.Role{
			"dev-uc-1": stacks.RoleUCEngine, "dev-router-1": stacks.RoleC4Router, "dev-sbc-1": stacks.RoleC4SBC,
		}},
		"prod": {topologyOf(t, stacks.KindProd), map[string]stacks.Role{
			"prod-uc-1": stacks.RoleUCEngine, "prod-c4-router": stacks.RoleC4Router, "prod-c4-sbc": stacks.RoleC4SBC,
		}},
	} {
		policies := graph(t, machines.topology).OfType("aws:iam/rolePolicy:RolePolicy")
		for name, role := range machines.roles {
			require.Contains(t, policies, name)
			assert.Contains(t, policies[name].Inputs["policy"], `"arn:aws:s3:::`+stack+`-backups/`+string(role)+`/*"`)
		}
	}
}
