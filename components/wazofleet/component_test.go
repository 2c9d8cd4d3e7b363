package wazofleet

import (
	"encoding/base64"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/components/bundle"
	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/noderole"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/components/userdata"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args() Args {
	hash := strings.Repeat("ab", 32)
	return Args{
		Role: RoleC4SBC, Stack: "stage", Region: "us-east-1", Domain: "calldata.internal",
		SubnetIDs: pulumi.ToStringArray([]string{"subnet-1", "subnet-2"}), Zones: 2, SecurityGroupIDs: pulumi.ToStringArray([]string{"sg-1"}),
		InstanceType: "c7i.large", RootVolumeGiB: 20, VolumeKMSKeyARN: pulumi.String("arn:key"), Min: 2, Max: 6, CallsPerNode: 200, CPUTarget: 60,
		TargetGroupARNs: pulumi.ToStringArray([]string{"arn:tg"}), AddressPool: "stage-sbc",
		Bundle:   &bundle.Bundle{Key: "bundles/" + hash + ".tar.gz", SHA256: hash, BucketName: pulumi.String("artifacts").ToStringOutput()},
		Playbook: "playbooks/fleet.yml", Grants: noderole.Grants{ArtifactsBucketARN: pulumi.String("arn:aws:s3:::artifacts"), ArtifactsPrefix: bundle.Prefix},
		BootTimeout: 20 * time.Minute, DrainTimeout: 2 * time.Hour, DetailedMonitoring: true,
		Tags: tags.Tags{Project: "p", Environment: "stage", Role: "c4-sbc", Owner: "o", CostCenter: "c"},
	}
}

// run registers one fleet, changed by change.
func run(t *testing.T, change func(*Args)) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		rule := &componenttest.Child{}
		if err := ctx.RegisterResource("test:index:Child", "rule", pulumi.Map{}, rule); err != nil {
			return err
		}
		a := args()
		a.Firewall = []pulumi.Resource{rule}
		if change != nil {
			change(&a)
		}
		fleet, err := NewWazoFleet(ctx, "stage-c4-sbc", a)
		if err != nil {
			return err
		}
		pulumi.All(fleet.GroupName, fleet.LaunchTemplateID).ApplyT(func(got []any) error {
			assert.Equal(t, []any{a.Stack + "-" + a.Role, "stage-c4-sbc-id"}, got)
			return nil
		})
		return nil
	}))
	return rec
}

const (
	groupToken    = "aws:autoscaling/group:Group"
	templateToken = "aws:ec2/launchTemplate:LaunchTemplate"
)

func TestGroup(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	for _, r := range rec.Resources() {
		if strings.HasPrefix(r.Type, "aws:") {
			assert.Equal(t, "calldata:wazofleet:WazoFleet stage-c4-sbc", r.Parent, r.Name)
		}
	}
	group := rec.One(t, groupToken)
	in := group.Inputs
	assert.Equal(t, "stage-c4-sbc", in["name"])
	assert.Equal(t, []any{"subnet-1", "subnet-2"}, in["vpcZoneIdentifiers"])
	assert.Equal(t, [2]any{2.0, 6.0}, [2]any{in["minSize"], in["maxSize"]})
	assert.NotContains(t, in, "desiredCapacity", "a deployment must not undo what scaling did")
	assert.NotContains(t, in, "mixedInstancesPolicy", "no spot machines")
	assert.Equal(t, false, in["capacityRebalance"])
	assert.Equal(t, "0", in["waitForCapacityTimeout"])
	assert.Equal(t, "ELB", in["healthCheckType"])
	assert.Contains(t, in["enabledMetrics"], "GroupInServiceInstances")
	assert.Contains(t, group.Dependencies, "test:index:Child rule", "no machine before its firewall")
	assert.False(t, group.Protect)
	for _, label := range in["tags"].([]any) {
		assert.Equal(t, true, label.(map[string]any)["propagateAtLaunch"])
	}
	assert.Len(t, in["tags"], 7)
	assert.Equal(t, map[string]any{"strategy": "Rolling", "preferences": map[string]any{
		"minHealthyPercentage": 100.0, "maxHealthyPercentage": 110.0, "scaleInProtectedInstances": "Refresh", "standbyInstances": "Ignore", "skipMatching": true,
	}}, in["instanceRefresh"])

	other := run(t, func(a *Args) { a.TargetGroupARNs, a.Protect, a.ScaleInProtection = nil, true, true }).One(t, groupToken)
	assert.Equal(t, "EC2", other.Inputs["healthCheckType"])
	assert.NotContains(t, other.Inputs, "targetGroupArns")
	assert.True(t, other.Protect)
	assert.Equal(t, true, other.Inputs["protectFromScaleIn"])
}

// AWS keeps the groups of a balancer that nothing is said about: none is an empty list.
func TestAside(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Aside, a.Frozen = true, true })
	group, template := rec.One(t, groupToken), rec.One(t, templateToken)
	assert.Equal(t, []any{}, group.Inputs["targetGroupArns"])
	assert.Equal(t, "EC2", group.Inputs["healthCheckType"])
	assert.Contains(t, group.Inputs["tags"], map[string]any{"key": "Service", "value": "aside", "propagateAtLaunch": true})
	for name := range template.Inputs {
		if name != "tags" && name != "updateDefaultVersion" {
			assert.Contains(t, template.IgnoreChanges, name, "another %s would replace the machines", name)
		}
	}
	routers := run(t, func(a *Args) { a.Aside, a.TargetGroupARNs = true, nil }).One(t, groupToken)
	assert.NotContains(t, routers.Inputs, "targetGroupArns", "who never had one has nothing to leave")
}

func TestHooks(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	group := rec.One(t, groupToken)
	want := []any{
		map[string]any{"name": "boot", "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "defaultResult": "ABANDON", "heartbeatTimeout": 600.0},
		map[string]any{"name": "drain", "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "defaultResult": "CONTINUE", "heartbeatTimeout": 900.0},
	}
	assert.Equal(t, want, group.Inputs["initialLifecycleHooks"])
	assert.Equal(t, []string{"initialLifecycleHooks"}, group.IgnoreChanges)
	var kept []any
	for _, name := range []string{"stage-c4-sbc-boot", "stage-c4-sbc-drain"} {
		hook := rec.OfType("aws:autoscaling/lifecycleHook:LifecycleHook")[name]
		assert.Equal(t, "stage-c4-sbc", hook.Inputs["autoscalingGroupName"])
		delete(hook.Inputs, "autoscalingGroupName")
		kept = append(kept, hook.Inputs)
	}
	assert.Equal(t, want, kept, "the same hooks, so that a changed heartbeat reaches AWS")
}

// What a machine can prolong must cover the bound, whatever that is.
func TestHeartbeatsCoverTheBounds(t *testing.T) {
	t.Parallel()
	for _, bound := range []time.Duration{time.Minute, 2 * time.Hour, 13 * time.Hour, 25 * time.Hour, maxDrain} {
		a := args()
		a.DrainTimeout = bound
		require.NoError(t, a.Validate())
		drain := a.hooks()[1].heartbeat
		assert.Greater(t, min(48*time.Hour, 100*drain), bound, bound)
		assert.LessOrEqual(t, drain, time.Hour, "a dead machine must not hold the group up for long")
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	template := rec.One(t, templateToken)
	in := template.Inputs
	assert.Equal(t, componenttest.Image, in["imageId"])
	assert.Equal(t, []string{"imageId"}, template.IgnoreChanges)
	assert.NotContains(t, in, "keyName")
	assert.NotContains(t, in, "instanceMarketOptions")
	assert.Equal(t, map[string]any{"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1.0}, in["metadataOptions"])
	assert.Equal(t, []any{map[string]any{"deviceName": "/dev/xvda", "ebs": map[string]any{
		"encrypted": "true", "kmsKeyId": "arn:key", "volumeType": "gp3", "volumeSize": 20.0, "deleteOnTermination": "true",
	}}}, in["blockDeviceMappings"])
	assert.Equal(t, []any{map[string]any{"deviceIndex": 0.0, "associatePublicIpAddress": "true", "deleteOnTermination": "true", "securityGroups": []any{"sg-1"}}}, in["networkInterfaces"])
	assert.Contains(t, in["iamInstanceProfile"].(map[string]any)["arn"], "stage-c4-sbc")
	assert.Contains(t, template.Dependencies, "aws:iam/instanceProfile:InstanceProfile stage-c4-sbc")
	var kinds []any
	for _, s := range in["tagSpecifications"].([]any) {
		kinds = append(kinds, s.(map[string]any)["resourceType"])
		assert.Equal(t, "c4-sbc", s.(map[string]any)["tags"].(map[string]any)["Role"])
	}
	assert.Equal(t, []any{"instance", "network-interface", "volume"}, kinds)

	private := run(t, func(a *Args) {
		a.Role, a.AddressPool, a.AMIID, a.VolumeKMSKeyARN = RoleC4Router, "", "ami-0123456789abcdef0", nil
	})
	template = private.One(t, templateToken)
	assert.Equal(t, "false", template.Inputs["networkInterfaces"].([]any)[0].(map[string]any)["associatePublicIpAddress"])
	assert.NotContains(t, template.Inputs["blockDeviceMappings"].([]any)[0].(map[string]any)["ebs"], "kmsKeyId")
	assert.Empty(t, template.IgnoreChanges, "a changed pin is a wish for other machines")
	assert.Empty(t, private.Calls("aws:ec2/getAmi:getAmi"))
}

func TestScaling(t *testing.T) {
	t.Parallel()
	policies := run(t, nil).OfType("aws:autoscaling/policy:Policy")
	require.Len(t, policies, 2)
	for name, want := range map[string]map[string]any{
		"stage-c4-sbc-calls": {"targetValue": 200.0, "customizedMetricSpecification": map[string]any{
			"namespace": "CallData", "metricName": "ActiveCalls", "statistic": "Average", "metricDimensions": []any{map[string]any{"name": "AutoScalingGroupName", "value": "stage-c4-sbc"}},
		}},
		"stage-c4-sbc-cpu": {"targetValue": 60.0, "predefinedMetricSpecification": map[string]any{"predefinedMetricType": "ASGAverageCPUUtilization"}},
	} {
		assert.Equal(t, "TargetTrackingScaling", policies[name].Inputs["policyType"])
		assert.Equal(t, want, policies[name].Inputs["targetTrackingConfiguration"], name)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	policy := run(t, nil).One(t, "aws:iam/rolePolicy:RolePolicy").Inputs["policy"].(string)
	for _, want := range []string{"autoScalingGroupName/stage-c4-sbc", `"aws:ResourceTag/Pool":["stage-sbc"]`, "arn:aws:s3:::artifacts/bundles/*"} {
		assert.Contains(t, policy, want)
	}
	policy = run(t, func(a *Args) { a.AddressPool = "" }).One(t, "aws:iam/rolePolicy:RolePolicy").Inputs["policy"].(string)
	assert.NotContains(t, policy, "AssociateAddress")
}

// cloudConfig is a document of user data.
func cloudConfig(t *testing.T, text string) map[string]any {
	t.Helper()
	require.True(t, strings.HasPrefix(text, "#cloud-config\n"))
	var got map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &got))
	return got
}

func TestUserData(t *testing.T) {
	t.Parallel()
	text := func(change func(*Args)) string {
		plain, err := base64.StdEncoding.DecodeString(run(t, change).One(t, templateToken).Inputs["userData"].(string))
		require.NoError(t, err)
		return string(plain)
	}
	first := text(func(a *Args) {
		a.Variables = map[string]pulumi.StringInput{"database_host": pulumi.String("db.example")}
		a.Facts = map[string]any{"calldata_firewall": []ports.Opening{{Name: "sips", Protocol: ports.TCP, From: 5061, To: 5061, Sources: []netip.Prefix{}, Peers: []ports.Group{ports.GroupNLB}}}}
	})
	config := cloudConfig(t, first)
	assert.Equal(t, []any{[]any{"/usr/local/sbin/calldata-ssm-agent", "us-east-1"}, []any{"/usr/local/sbin/calldata-boot"}}, config["runcmd"])
	assert.Equal(t, true, config["preserve_hostname"])
	assert.Contains(t, first, `"database_host": "db.example"`)
	assert.Contains(t, first, `"calldata_firewall": [{"name":"sips","protocol":"tcp","from":5061,"to":5061,"sources":[],"peers":["nlb"]}]`)
	assert.Contains(t, first, `"calldata_roles": ["c4-sbc"]`)
	assert.Contains(t, first, "CALLDATA_BUCKET='artifacts'")
	assert.NotContains(t, config, "ssh_authorized_keys")
	assert.Less(t, len(first), userdata.MaxBytes*3/4, "room for variables")
	assert.Equal(t, 4, strings.Count(first, "content: |\n"), "files must stay legible")

	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0XrBZBSp3BzStLHTvHHAH8cUYgqyNIJ8TwIrbDlvB"
	assert.Equal(t, []any{key}, cloudConfig(t, text(func(a *Args) { a.SSHPublicKey = key }))["ssh_authorized_keys"])

	other := text(func(a *Args) {
		a.Bundle = &bundle.Bundle{SHA256: strings.Repeat("cd", 32), BucketName: pulumi.String("artifacts").ToStringOutput()}
	})
	assert.NotEqual(t, first, other)
	assert.Contains(t, other, "CALLDATA_SHA256='"+strings.Repeat("cd", 32)+"'", "another bundle is another template")

	a := args()
	a.Facts = map[string]any{"much": strings.Repeat("x", userdata.MaxBytes)}
	require.ErrorContains(t, a.Validate(), "EC2 takes 16384", "what is too much by now is told before the first resource")

	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		a := args()
		a.Variables = map[string]pulumi.StringInput{"much": pulumi.String(strings.Repeat("x", userdata.MaxBytes))}
		_, err := NewWazoFleet(ctx, "stage-c4-sbc", a)
		return err
	})
	assert.ErrorContains(t, err, "EC2 takes 16384")
}

func TestShellSettings(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `A='it'\''s $(x)'`+"\n", shellSettings([][2]string{{"A", "it's $(x)"}}))
}

func TestPreviewOfAnUnknownBucket(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{Preview: true}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		bucket := &componenttest.Child{}
		if err := ctx.RegisterResource("test:index:Child", "bucket", pulumi.Map{}, bucket); err != nil {
			return err
		}
		a := args()
		a.Bundle.BucketName = bucket.ID().ToStringOutput()
		_, err := NewWazoFleet(ctx, "stage-c4-sbc", a)
		return err
	}))
	rec.One(t, groupToken)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewWazoFleet(ctx, "f", Args{
			Role: "web", Stack: "Stage", Region: "x", Domain: "-", Public: true, AddressPool: "*", InstanceType: "big", AMIID: "x", SSHPublicKey: "hunter2", Min: 3, Max: 2, CPUTarget: 101,
			Playbook: "../x.yml", Facts: map[string]any{"calldata_role": "x", "twice": 1},
			Variables: map[string]pulumi.StringInput{"twice": pulumi.String("x"), "B-C": nil}, BootTimeout: time.Second, DrainTimeout: 48 * time.Hour,
		})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"fleet f: ", `role: "web"`, `stack: "Stage"`, `region: "x"`, `domain: "-"`, "subnet ids: they are missing", "zones: 0", "security group ids: they are missing",
		"public address: machines of the role web", "address pool: ", `instance type: "big"`, `AMI id: "x"`, "SSH public key: it is not", "root volume: 0 GiB", "size: 3 to 2", "calls per node: 0", "CPU target: 101",
		"bundle: it is missing", `playbook: "../x.yml"`, `variable "calldata_role": it is given twice`, `variable "twice": it is given twice`, `variable "B-C": want`, `variable "B-C": its value`, "grants: the machines may not read the bundle's bucket",
		"boot timeout: 1s", "drain timeout: 48h0m0s", "tags: tag",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "hunter2")
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
	long := args()
	long.Stack = strings.Repeat("s", 40)
	assert.ErrorContains(t, long.Validate(), "longer than 45 characters")
}
