package deploy

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/netip"
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

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

const testKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0XrBZBSp3BzStLHTvHHAH8cUYgqyNIJ8TwIrbDlvB"

// needed are the settings that have no value for everybody, for each stack.
var needed = map[stacks.Kind]map[string]string{
	stacks.KindDev:     {"adminCidrs": `["203.0.113.1/32"]`, "sshPublicKey": testKey},
	stacks.KindStage:   {"domain": "stage.voice.example.com", "sshPublicKey": testKey},
	stacks.KindProd:    {"domain": "voice.example.com", "carrierCidrs": `["198.51.100.0/24"]`, "sshPublicKey": testKey},
	stacks.KindAccount: {"githubRepository": "example/calldata-foundation", "alertEmails": `["ops@example.com"]`},
}

var kinds = []stacks.Kind{stacks.KindDev, stacks.KindStage, stacks.KindProd, stacks.KindAccount}

// topologyOf is a stack with the least that a user must set, changed by pairs of setting and value.
func topologyOf(t *testing.T, kind stacks.Kind, pairs ...string) stacks.Topology {
	t.Helper()
	settings := stacks.MapSettings{"aws:region": "us-east-1"}
	for name, value := range needed[kind] {
		settings["calldata-foundation:"+name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		settings["calldata-foundation:"+pairs[i]] = pairs[i+1]
	}
	c, err := stacks.ReadConfig(string(kind), settings)
	require.NoError(t, err)
	top, err := stacks.New(string(kind), c)
	require.NoError(t, err)
	return top
}

func topology(t *testing.T, pairs ...string) stacks.Topology {
	t.Helper()
	return topologyOf(t, stacks.KindDev, pairs...)
}

// graph is what a deployment of t registers.
func graph(t *testing.T, top stacks.Topology) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error { return Deploy(ctx, top, options()) }))
	return rec
}

// bundleSum is the hash of the file that stands for a bundle.
const bundleSum = "dc82e385ce798647fffd8a477b46cf583eefd6e39b57ae06389df08f42e11475"

func options() Options {
	return Options{
		ContentHash: "c0ffee", Bundle: Bundle{Path: "testdata/bundle.txt", SHA256: bundleSum},
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
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			golden := "testdata/" + string(kind) + ".golden.json"
			got, err := json.MarshalIndent(graph(t, topologyOf(t, kind)).Resources(), "", "  ")
			require.NoError(t, err)
			got = append(got, '\n')
			if *update {
				require.NoError(t, os.WriteFile(golden, got, 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			wantLines, gotLines := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
			for i := range min(len(wantLines), len(gotLines)) {
				require.Equal(t, wantLines[i], gotLines[i], "%s:%d: the registered graph changed; if that is meant, run `make golden` and read the diff", golden, i+1)
			}
			require.Len(t, gotLines, len(wantLines), "the registered graph changed; if that is meant, run `make golden` and read the diff")
		})
	}
}

// tagless are the types that take no tags in AWS. A new type is taggable until somebody says otherwise.
var tagless = []string{
	"aws:autoscaling/lifecycleHook:LifecycleHook", "aws:autoscaling/policy:Policy", "aws:acm/certificateValidation:CertificateValidation", "aws:backup/selection:Selection",
	"aws:backup/vaultLockConfiguration:VaultLockConfiguration", "aws:cloudwatch/dashboard:Dashboard",
	"aws:cloudwatch/eventTarget:EventTarget", "aws:cloudwatch/logMetricFilter:LogMetricFilter", "aws:cloudwatch/queryDefinition:QueryDefinition", "aws:ec2/eipAssociation:EipAssociation", "aws:ec2/route:Route",
	"aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/volumeAttachment:VolumeAttachment", "aws:iam/rolePolicy:RolePolicy",
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment", "aws:kms/alias:Alias", "aws:lb/targetGroupAttachment:TargetGroupAttachment",
	"aws:route53/record:Record", "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", "aws:s3/bucketLoggingV2:BucketLoggingV2",
	"aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2", "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
	"aws:s3/bucketPolicy:BucketPolicy", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "aws:s3/bucketVersioningV2:BucketVersioningV2",
	"aws:sns/topicPolicy:TopicPolicy", "aws:sns/topicSubscription:TopicSubscription", "aws:wafv2/webAclAssociation:WebAclAssociation",
}

// tagsOf are a resource's tags; an Auto Scaling group lists its own.
func tagsOf(r componenttest.Resource) map[string]any {
	if found, ok := r.Inputs["tags"].(map[string]any); ok {
		return found
	}
	found := map[string]any{}
	list, _ := r.Inputs["tags"].([]any)
	for _, item := range list {
		tag, _ := item.(map[string]any)
		key, _ := tag["key"].(string)
		found[key] = tag["value"]
	}
	return found
}

func TestEverythingIsTaggedAndHasAParent(t *testing.T) {
	t.Parallel()
	for _, kind := range []stacks.Kind{stacks.KindDev, stacks.KindStage, stacks.KindProd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			settings := []string{"owner", "voice", "costCenter", "42"}
			if kind == stacks.KindProd {
				settings = append(settings, "copyRegion", "eu-central-1")
			}
			tagged := 0
			for _, r := range graph(t, topologyOf(t, kind, settings...)).Resources() {
				if strings.HasPrefix(r.Type, "aws:") || strings.HasPrefix(r.Type, "command:") {
					assert.Regexp(t, "^calldata:", r.Parent, "%s %s", r.Type, r.Name)
				}
				if !strings.HasPrefix(r.Type, "aws:") || slices.Contains(tagless, r.Type) {
					continue
				}
				tagged++
				got := tagsOf(r)
				for _, key := range []string{"Name", "Role"} {
					assert.NotEmpty(t, got[key], "tag %s of %s %s", key, r.Type, r.Name)
				}
				for key, want := range map[string]string{
					"Project": "calldata-foundation", "Environment": string(kind), "Owner": "voice", "CostCenter": "42", "ManagedBy": "pulumi",
				} {
					assert.Equal(t, want, got[key], "tag %s of %s %s", key, r.Type, r.Name)
				}
			}
			assert.Greater(t, tagged, 15)
		})
	}
}

// longLived are the types of what carriers, callers and data depend on.
var longLived = []string{
	"aws:ec2/eip:Eip", "aws:ebs/volume:Volume", "aws:kms/key:Key", "aws:rds/instance:Instance", "aws:backup/vault:Vault",
}

func TestProtection(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, setting := range []string{"true", "false"} {
			protected := map[string]bool{}
			rec := graph(t, topologyOf(t, kind, "protect", setting))
			for _, r := range rec.Resources() {
				if r.Protect {
					protected[r.Type] = true
				} else if setting == "true" {
					assert.NotContains(t, longLived, r.Type, "%s: %s is not protected", kind, r.Name)
				}
			}
			assert.Equal(t, setting == "true", len(protected) > 0, "%s with protect %s: %v", kind, setting, protected)
		}
	}
}

// A stack of pull requests is taken down whole, with what machines have saved.
func TestBucketsGoWithAStackThatIsNotProtected(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"true", "false"} {
		b := graph(t, topology(t, "protect", setting)).OfType("aws:s3/bucketV2:BucketV2")["dev-backups"]
		assert.Equal(t, setting == "true", b.Protect)
		assert.Equal(t, setting == "false", b.Inputs["forceDestroy"])
	}
}

func TestWorkloadBoundary(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:iam::123456789012:policy/calldata-foundation-prod-workload-boundary"
	roles := graph(t, topologyOf(t, stacks.KindProd, "workloadBoundary", arn)).OfType("aws:iam/role:Role")
	assert.Greater(t, len(roles), 4)
	for name, role := range roles {
		assert.Equal(t, arn, role.Inputs["permissionsBoundary"], name)
	}
}

// The first deployment of the account's stack makes nothing that AWS refuses in an empty account.
func TestEmptyAccount(t *testing.T) {
	t.Parallel()
	rec := graph(t, topologyOf(t, stacks.KindAccount))
	assert.Empty(t, rec.OfType("aws:costexplorer/costAllocationTag:CostAllocationTag"), "the bill knows no tags before something carries them")
	rec.One(t, "aws:iam/openIdConnectProvider:OpenIdConnectProvider")
	rec.One(t, "aws:costexplorer/anomalyMonitor:AnomalyMonitor")
	assert.Empty(t, rec.OfType("aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2"))
}

func TestAccountInUse(t *testing.T) {
	t.Parallel()
	const monitor = "arn:aws:ce::123456789012:anomalymonitor/11111111-2222-3333-4444-555555555555"
	rec := graph(t, topologyOf(t, stacks.KindAccount, "githubOwnerId", "12", "githubRepositoryId", "345", "githubProviderExists", "true",
		"environmentDomains", `["dev=dev.example.com"]`, "otherRegions", `["eu-central-1"]`, "stateBucket", "our-state", "secretsKeyAlias", "alias/our-secrets",
		"anomalyMonitorArn", monitor, "anomalyUsd", "75", "costTags", "true", "auditRetentionDays", "2555", "trailLockDays", "365"))

	assert.Empty(t, rec.OfType("aws:iam/openIdConnectProvider:OpenIdConnectProvider"), "AWS takes no second")
	trust := rec.OfType("aws:iam/role:Role")["calldata-foundation-dev-deploy"].Inputs["assumeRolePolicy"]
	assert.Contains(t, trust, "repo:example@12/calldata-foundation@345:environment:dev")
	assert.Contains(t, trust, "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com")
	policies := rec.OfType("aws:iam/policy:Policy")
	assert.Contains(t, policies["account-dev-deploy-edge"].Inputs["policy"], `["dev.example.com","*.dev.example.com"]`)
	assert.NotContains(t, policies["account-prod-deploy-edge"].Inputs["policy"], "example.com")
	assert.Contains(t, policies["account-dev-deploy-network"].Inputs["policy"], `"aws:RequestedRegion":["us-east-1","eu-central-1"]`)
	assert.Contains(t, policies["account-dev-deploy-boundary"].Inputs["policy"], `"aws:RequestedRegion":["us-east-1","eu-central-1"]`)
	assert.Contains(t, policies["account-dev-deploy-state"].Inputs["policy"], "arn:aws:s3:::our-state/.pulumi/")
	assert.Contains(t, policies["account-dev-deploy-state"].Inputs["policy"], `"kms:ResourceAliases":["alias/our-secrets"]`)

	assert.Empty(t, rec.OfType("aws:costexplorer/anomalyMonitor:AnomalyMonitor"), "AWS takes no second")
	subscription := rec.One(t, "aws:costexplorer/anomalySubscription:AnomalySubscription").Inputs
	assert.Equal(t, []any{monitor}, subscription["monitorArnLists"])
	assert.Contains(t, fmt.Sprint(subscription["thresholdExpression"]), "values:[75]")
	assert.Len(t, rec.OfType("aws:costexplorer/costAllocationTag:CostAllocationTag"), 5)

	for name, l := range rec.OfType("aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2") {
		assert.Contains(t, fmt.Sprint(l.Inputs["rules"]), "days:2555", name)
	}
	lock := rec.One(t, "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2")
	assert.Equal(t, "account-trail", lock.Name)
	assert.Contains(t, fmt.Sprint(lock.Inputs["rule"]), "days:365")
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
		"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule dev-uc-engine-ssh-from-203-0-113-1-32", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule dev-uc-engine-to-anywhere",
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

// exports are those of a deployed stack, as JSON.
func exports(t *testing.T, top stacks.Topology) []byte {
	t.Helper()
	var exported atomic.Value
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		if err := Deploy(ctx, top, options()); err != nil {
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
	return data
}

func TestAlarmsBySwitch(t *testing.T) {
	t.Parallel()
	rec := graph(t, topologyOf(t, stacks.KindProd, "slackChannel", "T07EA123LEP/C07EZ1ABC23", "syntheticCalls", "true"))
	slack := rec.One(t, "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration").Inputs
	assert.Equal(t, "T07EA123LEP", slack["slackTeamId"])
	assert.Len(t, slack["snsTopicArns"], 2, "notices and pages")
	alarms := rec.OfType("aws:cloudwatch/metricAlarm:MetricAlarm")
	for _, name := range []string{"prod-outside-call-fails", "prod-outside-call-missing"} {
		assert.Equal(t, map[string]any{"Stack": "prod"}, alarms[name].Inputs["dimensions"], name)
		assert.Equal(t, "CallData/Outside", alarms[name].Inputs["namespace"], name)
	}
	assert.Contains(t, rec.OfType("aws:cloudwatch/compositeAlarm:CompositeAlarm"), "prod-alarm-outside")
}

func TestExportsOfTheAccount(t *testing.T) {
	t.Parallel()
	got, err := stacks.ParseAccountOutputs(exports(t, topologyOf(t, stacks.KindAccount)))
	require.NoError(t, err)
	assert.Equal(t, "account", got.Stack)
	assert.Equal(t, []string{"account", "dev", "prod", "stage"}, slices.Sorted(maps.Keys(got.PreviewRoles)))
	assert.Equal(t, []string{"dev", "prod", "stage"}, slices.Sorted(maps.Keys(got.DeployRoles)), "a person deploys the account's stack")
	assert.Equal(t, []string{"dev", "prod", "stage"}, slices.Sorted(maps.Keys(got.CallsRoles)))
}

func TestExportsAreOutputs(t *testing.T) {
	t.Parallel()
	data := exports(t, topology(t))
	got, err := stacks.ParseOutputs(data)
	require.NoError(t, err)
	want := stacks.Outputs{
		Stack: "dev", Region: "us-east-1",
		Nodes: []stacks.Node{{
			Name: "dev-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "dev-uc-1-id", Zone: "us-east-1a",
			PrivateIP: componenttest.PrivateIP, PublicIP: componenttest.PublicIP, User: "admin", Access: stacks.AccessSSH,
			Firewall: topology(t).Openings(stacks.RoleUCEngine),
		}},
		VpcCIDR:   netip.MustParsePrefix("10.20.0.0/16"),
		Endpoints: stacks.Endpoints{Web: "https://203.0.113.10", SIP: "sip:203.0.113.10:5060;transport=udp"},
		Backups:   &stacks.Backups{Bucket: "dev-backups", KeyARN: "arn:aws:kms:us-east-1:123456789012:dev-storage"},
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
		"a bucket's name": {func(top *stacks.Topology, _ *Options) { top.Stack = "a-stack-with-quite-a-long-name" },
			[]string{`name: "a-stack-with-quite-a-long-name-backups" has 38 characters, a bucket's allows 36`}},
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
