package baseline

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

const (
	roleType       = "aws:iam/role:Role"
	policyType     = "aws:iam/policy:Policy"
	attachmentType = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
	trailType      = "aws:cloudtrail/trail:Trail"
	bucketType     = "aws:s3/bucketV2:BucketV2"
	topicType      = "aws:sns/topic:Topic"
	budgetType     = "aws:budgets/budget:Budget"
	ruleType       = "aws:cfg/rule:Rule"
	alarmType      = "aws:cloudwatch/metricAlarm:MetricAlarm"
	filterType     = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
	eventType      = "aws:cloudwatch/eventRule:EventRule"
	targetType     = "aws:cloudwatch/eventTarget:EventTarget"
	monitorType    = "aws:costexplorer/anomalyMonitor:AnomalyMonitor"
	subscribeType  = "aws:costexplorer/anomalySubscription:AnomalySubscription"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args(parts Parts) Args {
	return Args{
		Parts: parts, Repository: "calldata/foundation", AlertEmails: []string{"ops@example.com", "money@example.com"}, LogRetentionDays: 365, ArchiveDays: 730,
		Environments: []Environment{{Name: "dev", BudgetUSD: 100}, {Name: "stage", BudgetUSD: 300}, {Name: "prod", BudgetUSD: 1000, Guarded: true}, {Name: "account", PreviewOnly: true}},
		Tags:         tags.Tags{Project: "calldata-foundation", Environment: "account", Role: "baseline", Owner: "o", CostCenter: "c"},
	}
}

// run registers a baseline of some parts, changed by change.
func run(t *testing.T, parts Parts, change func(*Args)) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		a := args(parts)
		if change != nil {
			change(&a)
		}
		_, err := NewBaseline(ctx, "account", a)
		return err
	}))
	return rec
}

func TestEveryPartHasItsParent(t *testing.T) {
	t.Parallel()
	rec := run(t, AllParts(), nil)
	direct := 0
	for _, r := range rec.Resources() {
		switch {
		case r.Type == "calldata:baseline:Baseline" || r.Type == "pulumi:pulumi:Stack":
		case r.Parent == "calldata:baseline:Baseline account":
			direct++
		default:
			assert.Regexp(t, "^calldata:(keys:Key|buckets:Bucket) account-", r.Parent, r.Name)
		}
	}
	assert.Greater(t, direct, 100)
}

// Each switch turns on what it is for, and nothing of another part.
func TestSwitches(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		parts   Parts
		want    []string
		notices bool
	}{
		"github":   {Parts{GitHub: true}, []string{"aws:iam/openIdConnectProvider:OpenIdConnectProvider", roleType, policyType, attachmentType}, false},
		"trail":    {Parts{Trail: true}, []string{trailType, "aws:cloudwatch/logGroup:LogGroup", roleType, "aws:iam/rolePolicy:RolePolicy"}, false},
		"alarms":   {Parts{Trail: true, TrailAlarms: true}, []string{trailType, "aws:cloudwatch/logGroup:LogGroup", roleType, "aws:iam/rolePolicy:RolePolicy", filterType, alarmType}, true},
		"recorder": {Parts{Recorder: true}, []string{"aws:cfg/recorder:Recorder", "aws:cfg/deliveryChannel:DeliveryChannel", "aws:cfg/recorderStatus:RecorderStatus", ruleType}, false},
		"guardduty": {Parts{GuardDuty: true}, []string{
			"aws:guardduty/detector:Detector", "aws:guardduty/detectorFeature:DetectorFeature", eventType, targetType,
		}, true},
		"securityhub": {Parts{Recorder: true, SecurityHub: true}, []string{
			"aws:cfg/recorder:Recorder", "aws:cfg/deliveryChannel:DeliveryChannel", "aws:cfg/recorderStatus:RecorderStatus", ruleType,
			"aws:securityhub/account:Account", "aws:securityhub/standardsSubscription:StandardsSubscription", eventType, targetType,
		}, true},
		"analyzer":  {Parts{AccessAnalyzer: true}, []string{"aws:accessanalyzer/analyzer:Analyzer", eventType, targetType}, true},
		"ebs":       {Parts{EBSEncryption: true}, []string{"aws:ebs/encryptionByDefault:EncryptionByDefault"}, false},
		"snapshots": {Parts{SnapshotBlock: true}, []string{"aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess"}, false},
		"metadata":  {Parts{MetadataDefaults: true}, []string{"aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults"}, false},
		"s3":        {Parts{S3Block: true}, []string{"aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"}, false},
		"passwords": {Parts{PasswordPolicy: true}, []string{"aws:iam/accountPasswordPolicy:AccountPasswordPolicy"}, false},
		"budgets":   {Parts{Budgets: true}, []string{budgetType}, false},
		"tags":      {Parts{CostTags: true}, []string{"aws:costexplorer/costAllocationTag:CostAllocationTag"}, false},
		"anomalies": {Parts{CostAnomalies: true}, []string{monitorType, subscribeType}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := map[string]bool{}
			for _, token := range tc.want {
				want[token] = true
			}
			if tc.notices {
				for _, token := range []string{topicType, "aws:sns/topicPolicy:TopicPolicy", "aws:sns/topicSubscription:TopicSubscription"} {
					want[token] = true
				}
			}
			got := map[string]bool{}
			for _, r := range run(t, tc.parts, nil).Resources() {
				if r.Parent == "calldata:baseline:Baseline account" && strings.HasPrefix(r.Type, "aws:") {
					got[r.Type] = true
				}
			}
			assert.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
		})
	}
}

func TestRolesOfWorkflows(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		b, err := NewBaseline(ctx, "account", args(Parts{GitHub: true}))
		if err != nil {
			return err
		}
		assert.Equal(t, []string{"account", "dev", "prod", "stage"}, slices.Sorted(maps.Keys(b.PreviewRoleARNs)))
		assert.Equal(t, []string{"dev", "prod", "stage"}, slices.Sorted(maps.Keys(b.DeployRoleARNs)))
		assert.Equal(t, []string{"dev", "prod", "stage"}, slices.Sorted(maps.Keys(b.CallsRoleARNs)))
		assert.Equal(t, []string{"dev", "prod", "stage"}, slices.Sorted(maps.Keys(b.WorkloadBoundaryARNs)))
		return ctx.RegisterResource("test:index:Child", "child", pulumi.Map{"role": b.DeployRoleARNs["dev"]}, &componenttest.Child{})
	}))
	provider := rec.One(t, "aws:iam/openIdConnectProvider:OpenIdConnectProvider")
	assert.Equal(t, "https://token.actions.githubusercontent.com", provider.Inputs["url"])
	assert.Equal(t, []any{"sts.amazonaws.com"}, provider.Inputs["clientIdLists"])

	roles, policies, attachments := rec.OfType(roleType), rec.OfType(policyType), rec.OfType(attachmentType)
	assert.Equal(t, []string{
		"calldata-foundation-account-preview", "calldata-foundation-dev-calls", "calldata-foundation-dev-deploy", "calldata-foundation-dev-preview",
		"calldata-foundation-prod-calls", "calldata-foundation-prod-deploy", "calldata-foundation-prod-preview",
		"calldata-foundation-stage-calls", "calldata-foundation-stage-deploy", "calldata-foundation-stage-preview",
	}, slices.Sorted(maps.Keys(roles)))
	for name, r := range roles {
		assert.Equal(t, name, r.Inputs["name"], "workflows know the role by its name")
		_, rest, _ := strings.Cut(name, "calldata-foundation-")
		environment, kind, _ := strings.Cut(rest, "-")
		subject, seconds := "repo:calldata/foundation:environment:"+environment, 6*3600.0
		if kind != "deploy" {
			subject, seconds = subject+"-"+kind, 3600.0
		}
		var trust struct{ Statement []map[string]any }
		require.NoError(t, json.Unmarshal([]byte(r.Inputs["assumeRolePolicy"].(string)), &trust))
		require.Len(t, trust.Statement, 1)
		assert.Equal(t, map[string]any{"StringEquals": map[string]any{
			"token.actions.githubusercontent.com:aud": []any{"sts.amazonaws.com"}, "token.actions.githubusercontent.com:sub": []any{subject},
		}}, trust.Statement[0]["Condition"], name)
		assert.InDelta(t, seconds, r.Inputs["maxSessionDuration"], 0, name)
		if kind == "deploy" {
			assert.Equal(t, policies["account-"+environment+"-deploy-boundary"].Inputs["name"], name+"-boundary")
			assert.Equal(t, "arn:aws:iam:us-east-1:123456789012:account-"+environment+"-deploy-boundary", r.Inputs["permissionsBoundary"], name)
		} else {
			assert.NotContains(t, r.Inputs, "permissionsBoundary", name)
		}
		reads, ok := attachments[name+"-read-only"]
		assert.Equal(t, kind != "calls", ok, "%s reads everything, unless all that it does is to call", name)
		assert.True(t, !ok || reads.Inputs["policyArn"] == permission.ReadOnly)
	}
	for name, a := range attachments {
		assert.NotRegexp(t, "AdministratorAccess|PowerUserAccess|IAMFullAccess", a.Inputs["policyArn"], name)
	}
	assert.Equal(t, "calldata-foundation-dev-workload-boundary", policies["account-dev-workload-boundary"].Inputs["name"], "stacks know the boundary by its name")
	// The role is of use once it has every policy.
	child := rec.One(t, "test:index:Child")
	for _, p := range (permission.Scope{}).Deploy() {
		assert.Contains(t, child.Dependencies, attachmentType+" calldata-foundation-dev-deploy-"+p.Name)
	}
	assert.Contains(t, policies["account-dev-deploy-state"].Inputs["policy"], "arn:aws:s3:::calldata-foundation-state-123456789012-us-east-1/.pulumi/stacks/calldata-foundation/dev.*")
	assert.Contains(t, policies["account-dev-deploy-state"].Inputs["policy"], "alias/calldata-foundation-secrets")
	assert.Contains(t, policies["account-dev-deploy-boundary"].Inputs["policy"], `"aws:ResourceTag/Environment":["stage","stage-*","prod","prod-*"]`)
	assert.NotContains(t, policies["account-dev-deploy-boundary"].Inputs["policy"], "NothingForEver")
	assert.Contains(t, policies["account-prod-deploy-boundary"].Inputs["policy"], "NothingForEver")
}

func TestRepositoryWithNumbersAndProviderThatExists(t *testing.T) {
	t.Parallel()
	const provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	rec := run(t, Parts{GitHub: true}, func(a *Args) {
		a.OwnerID, a.RepositoryID, a.ProviderExists = 12, 345, true
		a.StateBucket, a.SecretsKeyAlias = "elsewhere", "alias/elsewhere"
	})
	assert.Empty(t, rec.OfType("aws:iam/openIdConnectProvider:OpenIdConnectProvider"))
	role := rec.OfType(roleType)["calldata-foundation-dev-deploy"]
	assert.Contains(t, role.Inputs["assumeRolePolicy"], "repo:calldata@12/foundation@345:environment:dev")
	assert.Contains(t, role.Inputs["assumeRolePolicy"], provider)
	policy := rec.OfType(policyType)["account-dev-deploy-state"].Inputs["policy"]
	assert.Contains(t, policy, "arn:aws:s3:::elsewhere/.pulumi/")
	assert.Contains(t, policy, "alias/elsewhere")
}

func TestTrail(t *testing.T) {
	t.Parallel()
	rec := run(t, Parts{Trail: true}, func(a *Args) { a.Protect, a.TrailLockDays = true, 365 })
	trail := rec.One(t, trailType)
	for field, want := range map[string]any{
		"isMultiRegionTrail": true, "includeGlobalServiceEvents": true, "enableLogFileValidation": true, "enableLogging": true, "s3BucketName": "account-trail",
		"kmsKeyId": "arn:aws:kms:us-east-1:123456789012:account-records", "cloudWatchLogsRoleArn": "arn:aws:iam::123456789012:role/account-trail",
		"cloudWatchLogsGroupArn": "arn:aws:logs:us-east-1:123456789012:log-group:account-trail:*",
	} {
		assert.Equal(t, want, trail.Inputs[field], field)
	}
	assert.True(t, trail.Protect)
	assert.True(t, trail.RetainOnDelete)
	assert.Contains(t, trail.Dependencies, "aws:iam/rolePolicy:RolePolicy account-trail")
	assert.Contains(t, trail.Dependencies, "aws:s3/bucketPolicy:BucketPolicy account-trail", "CloudTrail tries whether it may write")
	assert.Contains(t, rec.One(t, "aws:iam/rolePolicy:RolePolicy").Inputs["policy"], ":log-stream:123456789012_CloudTrail_us-east-1*")
	group := rec.One(t, "aws:cloudwatch/logGroup:LogGroup")
	assert.InDelta(t, 365, group.Inputs["retentionInDays"], 0)
	assert.Equal(t, "arn:aws:kms:us-east-1:123456789012:account-logs", group.Inputs["kmsKeyId"])
	assert.True(t, group.Protect)
	for name, b := range rec.OfType(bucketType) {
		assert.True(t, b.Protect, name)
	}
	lock := rec.OfType("aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2")
	assert.Len(t, lock, 1, "the trail's bucket alone")
	for name, k := range rec.OfType("aws:kms/key:Key") {
		assert.True(t, k.Protect, name)
	}
	open := run(t, Parts{Trail: true}, nil)
	assert.False(t, open.One(t, trailType).Protect)
	assert.Empty(t, open.OfType("aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2"))
}

func TestTrailAlarms(t *testing.T) {
	t.Parallel()
	rec := run(t, Parts{Trail: true, TrailAlarms: true}, nil)
	filters, alarms := rec.OfType(filterType), rec.OfType(alarmType)
	assert.Len(t, alarms, 15)
	topic := "arn:aws:sns:us-east-1:123456789012:account-notices"
	for name, f := range filters {
		pattern := f.Inputs["pattern"].(string)
		assert.LessOrEqual(t, len(pattern), 1024, "%s: CloudWatch Logs takes no longer pattern", name)
		assert.Equal(t, strings.Count(pattern, "("), strings.Count(pattern, ")"), name)
		assert.Regexp(t, `^\{ .* \}$`, pattern)
		assert.Equal(t, "account-trail", f.Inputs["logGroupName"])
		metric := f.Inputs["metricTransformation"].(map[string]any)
		a := alarms[name]
		assert.Equal(t, metric["name"], a.Inputs["metricName"], name)
		assert.Equal(t, metric["namespace"], a.Inputs["namespace"], name)
		assert.Equal(t, []any{topic}, a.Inputs["alarmActions"], name)
		assert.Equal(t, "notBreaching", a.Inputs["treatMissingData"], name)
		assert.Contains(t, a.Dependencies, "aws:sns/topicPolicy:TopicPolicy account-notices", name)
	}
	assert.Contains(t, filters["account-route-changes"].Inputs["pattern"],
		`(($.userIdentity.sessionContext.sessionIssuer.userName NOT EXISTS) || ($.userIdentity.sessionContext.sessionIssuer.userName!="calldata-foundation-*"))`)
	for _, name := range []string{"root", "trail-changes", "config-changes", "key-loss", "sign-in-without-mfa"} {
		assert.NotContains(t, filters["account-"+name].Inputs["pattern"], "calldata-foundation", "%s is never what a deployment does", name)
	}
}

func TestNotices(t *testing.T) {
	t.Parallel()
	rec := run(t, Parts{Trail: true, TrailAlarms: true, Recorder: true, GuardDuty: true, SecurityHub: true, AccessAnalyzer: true}, nil)
	assert.Equal(t, "arn:aws:kms:us-east-1:123456789012:account-notices", rec.One(t, topicType).Inputs["kmsMasterKeyId"])
	policy := rec.One(t, "aws:sns/topicPolicy:TopicPolicy").Inputs["policy"].(string)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"Alarms","Effect":"Allow","Principal":{"Service":["cloudwatch.amazonaws.com"]},"Action":["sns:Publish"],"Resource":["arn:aws:sns:us-east-1:123456789012:account-notices"],
			"Condition":{"StringEquals":{"aws:SourceAccount":["123456789012"]}}},
		{"Sid":"Events","Effect":"Allow","Principal":{"Service":["events.amazonaws.com"]},"Action":["sns:Publish"],"Resource":["arn:aws:sns:us-east-1:123456789012:account-notices"]},
		{"Sid":"OnlyTLS","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["sns:Publish"],"Resource":["arn:aws:sns:us-east-1:123456789012:account-notices"],
			"Condition":{"Bool":{"aws:SecureTransport":["false"]}}}]}`, policy)
	assert.Len(t, rec.OfType("aws:sns/topicSubscription:TopicSubscription"), 2)
	events, targets := rec.OfType(eventType), rec.OfType(targetType)
	assert.Equal(t, []string{"account-access-findings", "account-guardduty-findings", "account-securityhub-findings"}, slices.Sorted(maps.Keys(events)))
	for name, e := range events {
		assert.True(t, json.Valid([]byte(e.Inputs["eventPattern"].(string))), name)
		transformer := targets[name].Inputs["inputTransformer"].(map[string]any)
		text := transformer["inputTemplate"].(string)
		assert.True(t, json.Valid([]byte(text)), "%s: EventBridge wants JSON: %s", name, text)
		for part := range transformer["inputPaths"].(map[string]any) {
			assert.Contains(t, text, "<"+part+">", name)
		}
		assert.Contains(t, targets[name].Dependencies, "aws:sns/topicPolicy:TopicPolicy account-notices", name)
	}
	assert.Contains(t, events["account-guardduty-findings"].Inputs["eventPattern"], `{"numeric":[">=",7]}`)
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	rec := run(t, Parts{Recorder: true}, nil)
	recorder := rec.One(t, "aws:cfg/recorder:Recorder")
	assert.Equal(t, "default", recorder.Inputs["name"], "a region has one")
	assert.Equal(t, "arn:aws:iam::123456789012:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig", recorder.Inputs["roleArn"])
	assert.Equal(t, map[string]any{"allSupported": true, "includeGlobalResourceTypes": true}, recorder.Inputs["recordingGroup"])
	channel := rec.One(t, "aws:cfg/deliveryChannel:DeliveryChannel")
	assert.Equal(t, "account-config", channel.Inputs["s3BucketName"])
	assert.Equal(t, "arn:aws:kms:us-east-1:123456789012:account-records", channel.Inputs["s3KmsKeyArn"])
	assert.Contains(t, channel.Dependencies, "aws:cfg/recorder:Recorder account-config")
	status := rec.One(t, "aws:cfg/recorderStatus:RecorderStatus")
	assert.Contains(t, status.Dependencies, "aws:cfg/deliveryChannel:DeliveryChannel account-config", "AWS Config does not start without one")
	for name, r := range rec.OfType(ruleType) {
		assert.Equal(t, []string{"aws:cfg/recorderStatus:RecorderStatus account-config"}, r.Dependencies, name)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range allRules {
		assert.False(t, seen[r.identifier], r.identifier)
		seen[r.identifier] = true
		assert.Regexp(t, `^[A-Z0-9_]+$`, r.identifier)
		assert.Regexp(t, `^(CD-\d\d)?$`, r.policies)
	}
	all, some := rules(AllParts()), rules(Parts{Recorder: true})
	assert.Len(t, all, len(allRules))
	left := map[string]bool{}
	for _, r := range some {
		left[r.identifier] = true
	}
	for _, gone := range []string{"GUARDDUTY_ENABLED_CENTRALIZED", "SECURITYHUB_ENABLED", "MULTI_REGION_CLOUD_TRAIL_ENABLED", "IAM_PASSWORD_POLICY", "EC2_EBS_ENCRYPTION_BY_DEFAULT"} {
		assert.False(t, left[gone], "%s is about a part that is off", gone)
	}
	rec := run(t, AllParts(), nil)
	required := rec.OfType(ruleType)["account-required-tags"]
	assert.JSONEq(t, `{"tag1Key":"Project","tag2Key":"Environment","tag3Key":"Owner","tag4Key":"CostCenter","tag5Key":"ManagedBy"}`, required.Inputs["inputParameters"].(string))
	assert.Equal(t, "The same as CD-48 of the policy pack, for what is there", required.Inputs["description"])
	assert.NotContains(t, rec.OfType(ruleType)["account-ec2-imdsv2-check"].Inputs, "inputParameters")
}

func TestDetection(t *testing.T) {
	t.Parallel()
	rec := run(t, AllParts(), nil)
	assert.Equal(t, true, rec.One(t, "aws:guardduty/detector:Detector").Inputs["enable"])
	got := map[any]any{}
	for _, f := range rec.OfType("aws:guardduty/detectorFeature:DetectorFeature") {
		got[f.Inputs["name"]] = f.Inputs["status"]
	}
	assert.Equal(t, map[any]any{
		"S3_DATA_EVENTS": "ENABLED", "EBS_MALWARE_PROTECTION": "ENABLED", "RDS_LOGIN_EVENTS": "ENABLED", "EKS_AUDIT_LOGS": "DISABLED", "LAMBDA_NETWORK_LOGS": "DISABLED",
	}, got)
	assert.Equal(t, false, rec.One(t, "aws:securityhub/account:Account").Inputs["enableDefaultStandards"])
	arns := map[any]bool{}
	for name, s := range rec.OfType("aws:securityhub/standardsSubscription:StandardsSubscription") {
		arns[s.Inputs["standardsArn"]] = true
		assert.Contains(t, s.Dependencies, "aws:securityhub/account:Account account-securityhub", name)
	}
	assert.Equal(t, map[any]bool{
		"arn:aws:securityhub:us-east-1::standards/aws-foundational-security-best-practices/v/1.0.0": true,
		"arn:aws:securityhub:us-east-1::standards/cis-aws-foundations-benchmark/v/5.0.0":            true,
	}, arns)
	assert.Equal(t, "ACCOUNT", rec.One(t, "aws:accessanalyzer/analyzer:Analyzer").Inputs["type"])
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	rec := run(t, AllParts(), nil)
	assert.Equal(t, true, rec.One(t, "aws:ebs/encryptionByDefault:EncryptionByDefault").Inputs["enabled"])
	assert.Equal(t, "block-all-sharing", rec.One(t, "aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess").Inputs["state"])
	metadata := rec.One(t, "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults").Inputs
	assert.Equal(t, "required", metadata["httpTokens"])
	assert.InDelta(t, 1, metadata["httpPutResponseHopLimit"], 0)
	block := rec.One(t, "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock").Inputs
	for _, flag := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
		assert.Equal(t, true, block[flag], flag)
	}
	password := rec.One(t, "aws:iam/accountPasswordPolicy:AccountPasswordPolicy").Inputs
	assert.InDelta(t, 14, password["minimumPasswordLength"], 0)
	assert.InDelta(t, 24, password["passwordReusePrevention"], 0)
	assert.NotContains(t, password, "maxPasswordAge")
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	all := run(t, Parts{Budgets: true}, nil).OfType(budgetType)
	limits := map[string]any{}
	for name, b := range all {
		limits[name] = b.Inputs["limitAmount"]
		assert.Equal(t, "USD", b.Inputs["limitUnit"])
		assert.Equal(t, "MONTHLY", b.Inputs["timeUnit"])
		var got [][2]any
		for _, n := range b.Inputs["notifications"].([]any) {
			notification := n.(map[string]any)
			got = append(got, [2]any{notification["notificationType"], notification["threshold"]})
			assert.Equal(t, []any{"ops@example.com", "money@example.com"}, notification["subscriberEmailAddresses"])
			assert.Equal(t, "PERCENTAGE", notification["thresholdType"])
		}
		assert.Equal(t, [][2]any{{"ACTUAL", 50.0}, {"ACTUAL", 80.0}, {"ACTUAL", 100.0}, {"FORECASTED", 100.0}}, got)
	}
	assert.Equal(t, map[string]any{"account-budget-dev": "100", "account-budget-stage": "300", "account-budget-prod": "1000", "account-budget": "1400"}, limits)
	assert.Equal(t, []any{map[string]any{"name": "TagKeyValue", "values": []any{"user:Environment$prod"}}}, all["account-budget-prod"].Inputs["costFilters"])
	// What stacks of pull requests are called is not known before.
	all = run(t, Parts{Budgets: true}, func(a *Args) {
		a.Environments = append(a.Environments, Environment{Name: permission.Requests, BudgetUSD: 50})
	}).OfType(budgetType)
	assert.Len(t, all, 4)
	assert.Equal(t, "1450", all["account-budget"].Inputs["limitAmount"])
	assert.NotContains(t, all["account-budget"].Inputs, "costFilters", "what has no tag costs money too")
}

func TestCosts(t *testing.T) {
	t.Parallel()
	rec := run(t, Parts{CostTags: true, CostAnomalies: true}, nil)
	keys := map[any]bool{}
	for _, tag := range rec.OfType("aws:costexplorer/costAllocationTag:CostAllocationTag") {
		keys[tag.Inputs["tagKey"]] = true
	}
	assert.Equal(t, map[any]bool{"Project": true, "Environment": true, "Role": true, "Owner": true, "CostCenter": true}, keys)
	subscription := rec.One(t, subscribeType)
	assert.Equal(t, "DAILY", subscription.Inputs["frequency"])
	assert.Len(t, subscription.Inputs["subscribers"], 2)
	assert.Equal(t, []any{"arn:aws:costexplorer:us-east-1:123456789012:account-anomalies"}, subscription.Inputs["monitorArnLists"])
	dimension := subscription.Inputs["thresholdExpression"].(map[string]any)["dimension"].(map[string]any)
	assert.Equal(t, []any{"20"}, dimension["values"])

	const monitor = "arn:aws:ce::123456789012:anomalymonitor/11111111-2222-3333-4444-555555555555"
	other := run(t, Parts{CostAnomalies: true}, func(a *Args) { a.AnomalyMonitorARN, a.AnomalyUSD = monitor, 75 })
	assert.Empty(t, other.OfType(monitorType), "AWS allows one")
	assert.Equal(t, []any{monitor}, other.One(t, subscribeType).Inputs["monitorArnLists"])
}

func TestPreviewOfTheWhole(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{Preview: true}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewBaseline(ctx, "account", args(AllParts()))
		return err
	}))
	rec.One(t, trailType)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewBaseline(ctx, "dev-account", Args{
			Parts: AllParts(), Repository: "calldata", OwnerID: 1, StateBucket: "-", SecretsKeyAlias: "x", OtherRegions: []string{"mars"},
			Environments: []Environment{
				{Name: "dev", Domains: []string{"*"}}, {Name: "dev-preview", BudgetUSD: 1}, {Name: "account", BudgetUSD: 1}, {Name: "P", BudgetUSD: 1}, {Name: "calldata", BudgetUSD: 1},
			},
			AlertEmails: []string{"Ops <ops@example.com>", "a@example.com", "a@example.com"}, TrailLockDays: 30, ArchiveDays: 10,
			AnomalyMonitorARN: "x", AnomalyUSD: -1, Tags: tags.Tags{Project: "calldata-foundation"},
		})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"baseline dev-account: ", `name: "dev-account" begins with the environment "dev"`, `repository: "calldata" is not like OWNER/NAME`, "repository: the owner's id 1 and its own id 0",
		`state bucket: "-"`, `secrets key: "x"`, `other regions: "mars"`, "environments: the budget of dev is 0 USD",
		`environments: "*" of dev is not a domain`, `environments: "dev-preview" begins with "dev"`, `environments: "account" is the account itself`, `environments: "P" is not a stack's name`,
		`environments: the project "calldata-foundation" begins with "calldata"`, `alert e-mails: "Ops <ops@example.com>" is not an address`, `alert e-mails: "a@example.com" is there twice`,
		"log retention: 0 days", "trail lock: 30 days, want 0 to the 10", `anomaly monitor: "x"`, "anomaly: -1 USD", "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, args(AllParts()).Validate())
	for want, change := range map[string]func(*Args){
		"parts: none is on":                 func(a *Args) { a.Parts = Parts{} },
		"parts: TrailAlarms needs Trail":    func(a *Args) { a.Parts.Trail = false },
		"parts: SecurityHub needs Recorder": func(a *Args) { a.Parts.Recorder = false },
		"alert e-mails: there are 0":        func(a *Args) { a.AlertEmails = nil },
		"environments: there is none":       func(a *Args) { a.Environments = nil },
		"archive: -1 days":                  func(a *Args) { a.ArchiveDays = -1 },
	} {
		a := args(AllParts())
		change(&a)
		assert.ErrorContains(t, a.Validate(), want)
	}
	// Who turns a part off need not say what it needs.
	bare := Args{Parts: Parts{S3Block: true}, Tags: args(Parts{}).Tags}
	assert.NoError(t, bare.Validate())
}

// Policies can be too long for IAM, which is said before anything of AWS is changed.
func TestLongPolicies(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		a := args(Parts{GitHub: true})
		for range 300 {
			a.Environments[0].Domains = append(a.Environments[0].Domains, "a.example.com")
		}
		_, err := NewBaseline(ctx, "account", a)
		return err
	})
	require.ErrorContains(t, err, "environment dev: the policy edge has")
	for _, r := range rec.Resources() {
		assert.False(t, strings.HasPrefix(r.Type, "aws:"), r.Type)
	}
}
