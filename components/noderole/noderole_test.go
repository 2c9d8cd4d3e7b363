package noderole

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args() Args {
	return Args{Role: "c4-sbc", Tags: tags.Tags{Project: "p", Environment: "stage", Role: "c4-sbc", Owner: "o", CostCenter: "c"}}
}

func all() Grants {
	return Grants{
		ArtifactsBucketARN: pulumi.String("arn:aws:s3:::artifacts"), ArtifactsPrefix: "bundles/",
		BackupsBucketARN: pulumi.String("arn:aws:s3:::backups"), BackupsPrefix: "stage/uc-1/",
		SecretARNs: pulumi.ToStringArray([]string{"arn:secret"}), KMSKeyARNs: pulumi.ToStringArray([]string{"arn:key-1", "arn:key-2"}),
		LogGroupPrefix: "/calldata/stage/c4-sbc", MetricNamespaces: []string{"CallData", "CWAgent"}, FindMachines: true, ClaimAddresses: "stage-sbc", LifecycleGroup: "stage-c4-sbc",
	}
}

// register registers a role as a child of a component, and a resource that takes its profile.
func register(t *testing.T, a Args) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		parent, child := &struct{ pulumi.ResourceState }{}, &componenttest.Child{}
		if err := ctx.RegisterComponentResource("test:index:Machine", "m", parent); err != nil {
			return err
		}
		name, arn, err := Register(ctx, "stage-c4-sbc", a, parent)
		if err != nil {
			return err
		}
		return ctx.RegisterResource("test:index:Child", "child", pulumi.Map{"name": name, "arn": arn}, child)
	}))
	return rec
}

func TestNothingGranted(t *testing.T) {
	t.Parallel()
	rec := register(t, args())
	assert.Contains(t, rec.One(t, "aws:iam/role:Role").Inputs["assumeRolePolicy"], "ec2.amazonaws.com")
	assert.Equal(t, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", rec.One(t, "aws:iam/rolePolicyAttachment:RolePolicyAttachment").Inputs["policyArn"])
	assert.Empty(t, rec.OfType("aws:iam/rolePolicy:RolePolicy"))
	assert.Empty(t, rec.Calls("aws:index/getCallerIdentity:getCallerIdentity"))
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	a := args()
	a.Grants = all()
	rec := register(t, a)
	for _, r := range rec.Resources() {
		if strings.HasPrefix(r.Type, "aws:") {
			assert.Equal(t, "test:index:Machine m", r.Parent, r.Name)
		}
	}
	child := rec.One(t, "test:index:Child")
	assert.Equal(t, "stage-c4-sbc", child.Inputs["name"])
	profile := rec.One(t, "aws:iam/instanceProfile:InstanceProfile")
	assert.Subset(t, profile.Dependencies, []string{"aws:iam/rolePolicy:RolePolicy stage-c4-sbc", "aws:iam/rolePolicyAttachment:RolePolicyAttachment stage-c4-sbc-ssm"})

	policy := rec.One(t, "aws:iam/rolePolicy:RolePolicy").Inputs["policy"].(string)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"ReadArtifacts","Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::artifacts/bundles/*"]},
		{"Sid":"KeepBackups","Effect":"Allow","Action":["s3:PutObject","s3:GetObject","s3:AbortMultipartUpload"],"Resource":["arn:aws:s3:::backups/stage/uc-1/*"]},
		{"Sid":"ListBackups","Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::backups"],"Condition":{"StringLike":{"s3:prefix":["stage/uc-1/*"]}}},
		{"Sid":"ReadSecrets","Effect":"Allow","Action":["secretsmanager:GetSecretValue","secretsmanager:DescribeSecret"],"Resource":["arn:secret"]},
		{"Sid":"UseKeys","Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":["arn:key-1","arn:key-2"],
			"Condition":{"StringEquals":{"kms:ViaService":["s3.us-east-1.amazonaws.com","secretsmanager.us-east-1.amazonaws.com"]}}},
		{"Sid":"WriteLogs","Effect":"Allow","Action":["logs:CreateLogStream","logs:DescribeLogStreams","logs:PutLogEvents"],"Resource":[
			"arn:aws:logs:us-east-1:123456789012:log-group:/calldata/stage/c4-sbc","arn:aws:logs:us-east-1:123456789012:log-group:/calldata/stage/c4-sbc:*",
			"arn:aws:logs:us-east-1:123456789012:log-group:/calldata/stage/c4-sbc/*"]},
		{"Sid":"WriteMetrics","Effect":"Allow","Action":["cloudwatch:PutMetricData"],"Resource":["*"],"Condition":{"StringEquals":{"cloudwatch:namespace":["CallData","CWAgent"]}}},
		{"Sid":"FindMachines","Effect":"Allow","Action":["ec2:DescribeInstances"],"Resource":["*"],"Condition":{"StringEquals":{"aws:RequestedRegion":["us-east-1"]}}},
		{"Sid":"FindAddresses","Effect":"Allow","Action":["ec2:DescribeAddresses"],"Resource":["*"]},
		{"Sid":"ClaimAddresses","Effect":"Allow","Action":["ec2:AssociateAddress"],"Resource":["arn:aws:ec2:us-east-1:123456789012:elastic-ip/*"],
			"Condition":{"StringEquals":{"aws:ResourceTag/Pool":["stage-sbc"]}}},
		{"Sid":"ForOwnKind","Effect":"Allow","Action":["ec2:AssociateAddress"],
			"Resource":["arn:aws:ec2:us-east-1:123456789012:instance/*","arn:aws:ec2:us-east-1:123456789012:network-interface/*"],
			"Condition":{"StringEquals":{"aws:ResourceTag/Environment":["stage"],"aws:ResourceTag/Role":["c4-sbc"]}}},
		{"Sid":"OwnLifecycle","Effect":"Allow","Action":["autoscaling:CompleteLifecycleAction","autoscaling:RecordLifecycleActionHeartbeat"],
			"Resource":["arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/stage-c4-sbc"]}]}`, policy)
}

// A statement about all resources must be one that IAM cannot narrow down, or have a condition.
func TestNothingIsGrantedOnEverything(t *testing.T) {
	t.Parallel()
	a := args()
	a.Grants = all()
	for _, s := range a.statements(place{"us-east-1", "123456789012"}, arns{[]string{"a"}, []string{"b"}, []string{"s"}, []string{"k"}, []string{"n"}}) {
		for _, r := range s.Resources {
			if r == "*" && s.Conditions == nil {
				assert.Equal(t, []string{"ec2:DescribeAddresses"}, s.Actions)
			}
		}
		for _, action := range s.Actions {
			assert.NotContains(t, action, "*")
		}
	}
}

// Each grant alone gives its own statements and no other.
func TestGrantsAreIndependent(t *testing.T) {
	t.Parallel()
	for want, g := range map[string]Grants{
		"OwnLifecycle":       {LifecycleGroup: "g"},
		"WriteMetrics":       {MetricNamespaces: []string{"CallData"}},
		"FindMachines":       {FindMachines: true},
		"Tell EncryptTopics": {TopicPrefix: "stage-", TopicKeyARN: pulumi.String("arn:notices")},
		"ReadSecrets":        {SecretARNs: pulumi.ToStringArray([]string{"arn:secret"})},
	} {
		a := args()
		a.Grants = g
		var document struct{ Statement []struct{ Sid string } }
		require.NoError(t, json.Unmarshal([]byte(register(t, a).One(t, "aws:iam/rolePolicy:RolePolicy").Inputs["policy"].(string)), &document))
		var found []string
		for _, s := range document.Statement {
			found = append(found, s.Sid)
		}
		assert.Equal(t, want, strings.Join(found, " "))
	}
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	bad := Args{Grants: Grants{
		ArtifactsBucketARN: pulumi.String("arn:aws:s3:::a"), ArtifactsPrefix: "*", BackupsPrefix: "b/", KMSKeyARNs: pulumi.StringArray{},
		LogGroupPrefix: "x*", MetricNamespaces: []string{"CallData", "AWS/EC2"}, ClaimAddresses: "a*b", LifecycleGroup: "*",
	}}
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, _, err := Register(ctx, "n", bad, nil)
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"role of n: ", "role: it is empty", `artifacts prefix: "*"`, `backups bucket: the prefix is "b/", but there is no bucket`, `log group prefix: "x*"`,
		`metric namespace: "AWS/EC2"`, "address pool: ", `lifecycle group: "*"`, "tags: tag",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.ErrorContains(t, Grants{KMSKeyARNs: pulumi.StringArray{}}.Validate(), "KMS keys: there is no bucket")
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}
