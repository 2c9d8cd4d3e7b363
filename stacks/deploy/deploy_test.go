package deploy

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/stacks"
)

var update = flag.Bool("update", false, "write the golden files anew")

const golden = "testdata/dev.golden.json"

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

// topology is the dev stack with the least that a user must set, changed by pairs of setting and value.
func topology(t *testing.T, pairs ...string) stacks.Topology {
	t.Helper()
	settings := stacks.MapSettings{
		"aws:region":                       "us-east-1",
		"calldata-foundation:adminCidrs":   `["203.0.113.1/32"]`,
		"calldata-foundation:sshPublicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0XrBZBSp3BzStLHTvHHAH8cUYgqyNIJ8TwIrbDlvB",
	}
	for i := 0; i < len(pairs); i += 2 {
		settings["calldata-foundation:"+pairs[i]] = pairs[i+1]
	}
	c, err := stacks.ReadConfig("dev", settings)
	require.NoError(t, err)
	top, err := stacks.New("dev", c)
	require.NoError(t, err)
	return top
}

func options() Options {
	return Options{
		ContentHash: "c0ffee",
		Inventory: func(o stacks.Outputs) (string, error) {
			if err := o.Validate(); err != nil {
				return "", err
			}
			return "inventory of " + o.Nodes[0].Name + " " + o.Nodes[0].InstanceID + " " + o.Nodes[0].PublicIP + "\n", nil
		},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error { return Deploy(ctx, topology(t), options()) }))
	got, err := json.MarshalIndent(rec.Resources(), "", "  ")
	require.NoError(t, err)
	got = append(got, '\n')
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(golden, got, 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	wantLines, gotLines := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(wantLines), len(gotLines)) {
		require.Equal(t, wantLines[i], gotLines[i], "%s:%d: the registered graph changed; if that is meant, run `make golden` and read the diff", golden, i+1)
	}
	require.Len(t, gotLines, len(wantLines), "the registered graph changed; if that is meant, run `make golden` and read the diff")
}

// taggable says whether AWS takes tags on a resource. The list is of those that cannot, so that a new type is taggable
// until somebody says otherwise.
func taggable(token string) bool {
	return strings.HasPrefix(token, "aws:") && !slices.Contains([]string{
		"aws:ec2/route:Route", "aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/eipAssociation:EipAssociation",
		"aws:iam/rolePolicy:RolePolicy", "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
	}, token)
}

func TestEverythingIsTaggedAndHasAParent(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		return Deploy(ctx, topology(t, "owner", "voice", "costCenter", "42"), options())
	}))
	tagged := 0
	for _, r := range rec.Resources() {
		if strings.HasPrefix(r.Type, "aws:") || strings.HasPrefix(r.Type, "command:") {
			assert.Regexp(t, "^calldata:", r.Parent, "%s %s", r.Type, r.Name)
		}
		if !taggable(r.Type) {
			continue
		}
		tagged++
		got, _ := r.Inputs["tags"].(map[string]any)
		role := "network"
		if strings.HasPrefix(r.Name, "dev-uc-1") {
			role = "uc-engine"
		}
		assert.NotEmpty(t, got["Name"], "%s %s", r.Type, r.Name)
		for key, want := range map[string]string{
			"Project": "calldata-foundation", "Environment": "dev", "Owner": "voice", "CostCenter": "42", "ManagedBy": "pulumi", "Role": role,
		} {
			assert.Equal(t, want, got[key], "tag %s of %s %s", key, r.Type, r.Name)
		}
	}
	assert.Greater(t, tagged, 15)
}

func TestProtection(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string][]string{"false": nil, "true": {"aws:ec2/eip:Eip dev-uc-1"}} {
		rec := &componenttest.Recorder{}
		require.NoError(t, rec.Run(func(ctx *pulumi.Context) error { return Deploy(ctx, topology(t, "protect", setting), options()) }))
		var got []string
		for _, r := range rec.Resources() {
			if r.Protect {
				got = append(got, r.Type+" "+r.Name)
			}
		}
		assert.Equal(t, want, got, setting)
	}
}

func TestConfigurationStage(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error { return Deploy(ctx, topology(t), options()) }))
	command := rec.One(t, "command:local:Command")
	assert.Equal(t, "inventory of dev-uc-1 dev-uc-1-id 203.0.113.10\n", command.Inputs["stdin"])
	assert.Equal(t, map[string]any{"CALLDATA_CONTENT_HASH": "c0ffee", "CALLDATA_INSTANCE_IDS": "dev-uc-1-id"}, command.Inputs["environment"])
	for _, want := range []string{
		"aws:ec2/eipAssociation:EipAssociation dev-uc-1",
		"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule dev-uc-1-ssh-from-203-0-113-1-32", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule dev-uc-1-to-anywhere",
	} {
		assert.Contains(t, command.Dependencies, want, "Ansible would come too early")
	}
	assert.Contains(t, rec.One(t, "aws:ec2/instance:Instance").Dependencies, "aws:ec2/route:Route dev-vpc-public-internet", "the machine must have its route first")

	rec = &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		o := options()
		o.ContentHash = ""
		return Deploy(ctx, topology(t, "configure", "false"), o)
	}))
	assert.Empty(t, rec.OfType("command:local:Command"))
}

func TestExportsAreOutputs(t *testing.T) {
	t.Parallel()
	var exported atomic.Value
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		if err := Deploy(ctx, topology(t), options()); err != nil {
			return err
		}
		all := pulumi.Map{}
		for key, value := range ctx.GetCurrentExportMap() {
			all[key] = value
		}
		all.ToMapOutput().ApplyT(func(values map[string]any) error {
			data, err := json.Marshal(values)
			exported.Store(data)
			return err
		})
		return nil
	}))
	data, _ := exported.Load().([]byte)
	got, err := stacks.ParseOutputs(data)
	require.NoError(t, err)
	want := stacks.Outputs{
		Stack: "dev", Region: "us-east-1",
		Nodes: []stacks.Node{{
			Name: "dev-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "dev-uc-1-id", Zone: "us-east-1a",
			PrivateIP: componenttest.PrivateIP, PublicIP: componenttest.PublicIP, User: "admin",
		}},
		Endpoints: stacks.Endpoints{Web: "https://203.0.113.10", SIP: "sip:203.0.113.10:5060;transport=udp"},
		Inventory: "inventory of dev-uc-1 dev-uc-1-id 203.0.113.10\n",
	}
	assert.Equal(t, want, got)
	wantJSON, err := json.Marshal(want)
	require.NoError(t, err)
	assert.JSONEq(t, string(wantJSON), string(data), "the exports must have every field of stacks.Outputs and no other")
}

func TestPreviewWorksWithoutAnswersFromAWS(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{Preview: true}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		o := options()
		o.Inventory = func(stacks.Outputs) (string, error) {
			return "", errors.New("the inventory cannot be made before addresses are known")
		}
		return Deploy(ctx, topology(t), o)
	}))
	full := &componenttest.Recorder{}
	require.NoError(t, full.Run(func(ctx *pulumi.Context) error { return Deploy(ctx, topology(t), options()) }))
	assert.Len(t, rec.Resources(), len(full.Resources()), "a preview must show every resource")
}

func TestInventoryErrorsEndTheDeployment(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		o := options()
		o.Inventory = func(stacks.Outputs) (string, error) { return "", errors.New("no such group") }
		return Deploy(ctx, topology(t), o)
	})
	assert.ErrorContains(t, err, "make the inventory of stack dev: no such group")
}

func TestNothingIsRegisteredForAnInvalidStack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*stacks.Topology, *Options)
		want   []string
	}{
		"topology and options": {func(top *stacks.Topology, o *Options) {
			top.Nodes[0].VolumeGiB, o.Inventory, o.ContentHash = 1, nil, ""
		},
			[]string{"deploy stack dev: ", "root volume of 1 GiB", "no function for the inventory", "the content hash is empty"}},
		"a component's argument": {func(top *stacks.Topology, _ *Options) { top.Nodes[0].Domain = "not a domain" },
			[]string{"deploy stack dev: ", `domain: "not a domain"`}},
	} {
		rec := &componenttest.Recorder{}
		err := rec.Run(func(ctx *pulumi.Context) error {
			top, o := topology(t), options()
			tt.change(&top, &o)
			return Deploy(ctx, top, o)
		})
		require.Error(t, err, name)
		for _, want := range tt.want {
			assert.ErrorContains(t, err, want, name)
		}
		for _, r := range rec.Resources() {
			assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
		}
	}
}

func TestSettings(t *testing.T) {
	t.Setenv(pulumi.EnvConfig, "")
	got, err := Settings()
	require.NoError(t, err)
	assert.Empty(t, got)
	t.Setenv(pulumi.EnvConfig, `{"aws:region":"us-east-1","calldata-foundation:zones":"[\"us-east-1a\"]"}`)
	got, err = Settings()
	require.NoError(t, err)
	assert.Equal(t, []string{"aws:region", "calldata-foundation:zones"}, got.Keys())
	t.Setenv(pulumi.EnvConfig, `hunter2`)
	_, err = Settings()
	require.ErrorContains(t, err, "PULUMI_CONFIG")
	assert.NotContains(t, err.Error(), "hunter2")
}
