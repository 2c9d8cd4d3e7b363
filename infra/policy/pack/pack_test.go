package main

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/calldata/calldata-foundation/infra/policy"
)

// serve makes this test's own program the pack.
const serve = "CALLDATA_TEST_SERVE_PACK"

func TestMain(m *testing.M) {
	if os.Getenv(serve) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// start runs the pack as the engine does: a program that prints its port.
func start(t *testing.T) pulumirpc.AnalyzerClient {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serve+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	conn, err := grpc.NewClient("127.0.0.1:"+strings.TrimSpace(port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	client := pulumirpc.NewAnalyzerClient(conn)
	_, err = client.Handshake(t.Context(), &pulumirpc.AnalyzerHandshakeRequest{EngineAddress: "127.0.0.1:1"})
	require.NoError(t, err)
	return client
}

func configure(t *testing.T, client pulumirpc.AnalyzerClient, stack string, config map[string]string) error {
	t.Helper()
	_, err := client.ConfigureStack(t.Context(), &pulumirpc.AnalyzerStackConfigureRequest{Stack: stack, Project: project, Config: config, DryRun: true})
	return err
}

// TestPack talks to the pack as the engine does.
func TestPack(t *testing.T) {
	t.Parallel()
	client := start(t)
	require.NoError(t, configure(t, client, "europe", map[string]string{
		"calldata-foundation:topology": "stage", "calldata-foundation:policyExceptions": `["CD-12 net: logs are kept by the landing zone","CD-13 nothing is wrong"]`,
	}))

	info, err := client.GetAnalyzerInfo(t.Context(), &emptypb.Empty{})
	require.NoError(t, err)
	assert.Equal(t, project, info.GetName())
	levels := map[string]pulumirpc.EnforcementLevel{}
	for _, p := range info.GetPolicies() {
		levels[p.GetName()] = p.GetEnforcementLevel()
	}
	assert.Equal(t, pulumirpc.EnforcementLevel_MANDATORY, levels["CD-01"])
	assert.Equal(t, pulumirpc.EnforcementLevel_ADVISORY, levels["CD-24"], "stage")
	assert.Equal(t, pulumirpc.EnforcementLevel_ADVISORY, levels["CD-10-advice"])
	assert.Equal(t, pulumirpc.EnforcementLevel_ADVISORY, levels[exceptionsPolicy])
	assert.NotContains(t, levels, "CD-32", "prod only")

	urn := func(kind, name string) string { return "urn:pulumi:europe::" + project + "::" + kind + "::" + name }
	properties := resource.PropertyMap{"cidrBlock": resource.NewProperty("10.0.0.0/16"), "arn": resource.MakeComputed(resource.NewProperty(""))}
	marshalled, err := plugin.MarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true})
	require.NoError(t, err)
	answer, err := client.AnalyzeStack(t.Context(), &pulumirpc.AnalyzeStackRequest{Resources: []*pulumirpc.AnalyzerResource{
		{Type: "aws:ec2/vpc:Vpc", Name: "net", Urn: urn("aws:ec2/vpc:Vpc", "net"), Properties: marshalled},
	}})
	require.NoError(t, err)
	found := map[string]string{}
	for _, d := range answer.GetDiagnostics() {
		found[d.GetPolicyName()] += d.GetMessage()
		if d.GetPolicyName() == "CD-09" {
			assert.Equal(t, urn("aws:ec2/vpc:Vpc", "net"), d.GetUrn())
			assert.Equal(t, pulumirpc.EnforcementLevel_MANDATORY, d.GetEnforcementLevel())
		}
	}
	assert.Contains(t, found["CD-09"], "its default security group is not managed")
	assert.Contains(t, found["CD-48"], "has no tag Project")
	assert.NotContains(t, found, "CD-12")
	assert.Contains(t, found[exceptionsPolicy], "CD-12 is excepted: logs are kept by the landing zone")
	assert.Contains(t, found[exceptionsPolicy], "nothing needs this exception any more, take it away: CD-13 nothing is wrong")
}

func TestPackRefusesWrongSettings(t *testing.T) {
	t.Parallel()
	client := start(t)
	for want, config := range map[string]map[string]string{
		"there are rules for [dev stage prod account]": {},
		"there is no reason":                           {"calldata-foundation:topology": "dev", "calldata-foundation:policyExceptions": `["CD-21"]`},
		"policyExceptions is no list of texts":         {"calldata-foundation:topology": "dev", "calldata-foundation:policyExceptions": `{"a":1}`},
	} {
		assert.ErrorContains(t, configure(t, client, "alice", config), want)
	}
}

func TestFromEngine(t *testing.T) {
	t.Parallel()
	secret := property.New("hush").WithSecret(true)
	got := fromEngine(policyx.AnalyzerResource{
		Type: "aws:ec2/instance:Instance", Name: "node", URN: "urn:pulumi:s::p::aws:ec2/instance:Instance::node", Parent: "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s",
		Options: pulumi.ResourceOptions{Protect: true}, Dependencies: []string{"d"}, PropertyDependencies: map[string][]string{"subnetId": {"d"}},
		Properties: property.NewMap(map[string]property.Value{
			"id": property.New("i-1"), "subnetId": property.New(property.Computed), "metadataOptions": property.New(property.Computed), "monitoring": property.New(true), "count": property.New(2.0),
			"tags": property.New(map[string]property.Value{"a": property.New("b"), "c": property.New(property.Computed)}), "list": property.New([]property.Value{secret, property.New(property.Null)}),
		}),
	})
	assert.Equal(t, policy.Resource{
		Type: "aws:ec2/instance:Instance", Name: "node", URN: "urn:pulumi:s::p::aws:ec2/instance:Instance::node", ID: "i-1", Protect: true, Dependencies: []string{"d"},
		PropertyDependencies: map[string][]string{"subnetId": {"d"}},
		Props: map[string]any{
			"id": "i-1", "subnetId": policy.Unknown{}, "monitoring": true, "count": 2.0, "tags": map[string]any{"a": "b", "c": policy.Unknown{}}, "list": []any{policy.Secret{}, nil},
		},
	}, got)
}

// TestEveryRuleIsInThePack: in each scope, each rule that applies is a policy.
func TestEveryRuleIsInThePack(t *testing.T) {
	t.Parallel()
	for _, scope := range policy.Scopes() {
		names := map[string]bool{}
		for _, p := range (&judge{scope: scope}).policies() {
			assert.False(t, names[p.Name()], p.Name())
			names[p.Name()] = true
		}
		for _, rule := range policy.Rules() {
			_, applies := rule.Levels[scope]
			assert.Equal(t, applies, names[rule.ID], "%s in %s", rule.ID, scope)
		}
		assert.Contains(t, slices.Collect(maps.Keys(names)), exceptionsPolicy)
	}
}
