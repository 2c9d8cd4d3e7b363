package observability

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

const (
	metricAlarm  = "aws:cloudwatch/metricAlarm:MetricAlarm"
	roleAlarm    = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
	dashboard    = "aws:cloudwatch/dashboard:Dashboard"
	slackChannel = "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration"
	subscription = "aws:sns/topicSubscription:TopicSubscription"
	noticeTopic  = "arn:aws:sns:us-east-1:" + componenttest.Account + ":prod-notice"
	pageTopic    = "arn:aws:sns:us-east-1:" + componenttest.Account + ":prod-page"
)

func args() Args {
	id := func(name, value string) map[string]pulumi.StringInput {
		return map[string]pulumi.StringInput{name: pulumi.String(value)}
	}
	return Args{
		Level: alarms.Pages, KMSKeyARN: pulumi.String("arn:key"), Emails: []string{"ops@example.com"}, PagerURL: "https://events.example.com/key", Hours: &alarms.Hours{From: 8, Until: 18},
		Targets: []Target{
			{Thing: alarms.Thing{Name: "prod-uc-1", Kind: alarms.Machine, Role: alarms.Engine}, IDs: id("InstanceId", "i-1")},
			{Thing: alarms.Thing{Name: "prod-c4-router", Kind: alarms.Fleet, Role: alarms.Router, Capacity: map[alarms.Capacity]float64{alarms.Least: 2}}, IDs: id("AutoScalingGroupName", "routers")},
		},
		Tags: tags.Tags{Project: "p", Environment: "prod", Role: "alarms", Owner: "o", CostCenter: "c"},
	}
}

func registered(t *testing.T, a Args) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewObservability(ctx, "prod", a)
		return err
	}))
	return rec
}

func TestAlarmsWatchWhatIsWritten(t *testing.T) {
	t.Parallel()
	rec := registered(t, args())
	found := rec.OfType(metricAlarm)
	memory := found["prod-uc-1-memory"].Inputs
	assert.Equal(t, map[string]any{"InstanceId": "i-1", "Role": "uc-engine"}, memory["dimensions"])
	assert.Equal(t, "CallData", memory["namespace"])
	assert.Equal(t, []any{noticeTopic}, memory["alarmActions"])
	assert.Equal(t, memory["alarmActions"], memory["okActions"])
	assert.Equal(t, map[string]any{"InstanceId": "i-1"}, found["prod-uc-1-cpu"].Inputs["dimensions"], "EC2 knows no role")
	assert.Equal(t, map[string]any{"AutoScalingGroupName": "routers"}, found["prod-c4-router-memory"].Inputs["dimensions"])
	assert.EqualValues(t, 2, found["prod-c4-router-fleet-small"].Inputs["threshold"])
	assert.Contains(t, found["prod-uc-1-memory"].Dependencies, "aws:sns/topicPolicy:TopicPolicy prod-notice")

	var queries []struct {
		ID, Expression string
		ReturnData     bool
		Metric         struct{ MetricName, Stat string }
	}
	data, err := json.Marshal(found["prod-c4-router-calls-fail"].Inputs["metricQueries"])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &queries))
	require.Len(t, queries, 3)
	assert.Equal(t, "FailedCalls", queries[0].Metric.MetricName)
	assert.Equal(t, "Calls", queries[1].Metric.MetricName)
	assert.Equal(t, "IF(n >= 20, 100 * m / n, 0)", queries[2].Expression)
	assert.True(t, queries[2].ReturnData)
	data, err = json.Marshal(found["prod-c4-router-no-calls"].Inputs["metricQueries"])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &queries))
	require.Len(t, queries, 2)
	assert.Equal(t, "IF(DAY(m) <= 5 AND HOUR(m) >= 8 AND HOUR(m) < 18, m, 1)", queries[1].Expression)
}

func TestOneFaultPagesOnce(t *testing.T) {
	t.Parallel()
	rec := registered(t, args())
	roles := rec.OfType(roleAlarm)
	require.Len(t, roles, 2)
	engine := roles["prod-alarm-uc-engine"].Inputs
	assert.Equal(t, []any{pageTopic}, engine["alarmActions"])
	assert.Equal(t, engine["alarmActions"], engine["okActions"])
	assert.Contains(t, engine["alarmRule"], `ALARM("prod-uc-1-disk-full") OR ALARM(`)
	assert.NotContains(t, engine["alarmRule"], "router")
	assert.NotContains(t, engine["alarmRule"], "memory", "a notice")
	for name, alarm := range rec.OfType(metricAlarm) {
		_, tells := alarm.Inputs["alarmActions"]
		paged := false
		for _, role := range roles {
			paged = paged || strings.Contains(role.Inputs["alarmRule"].(string), strconv.Quote(name))
		}
		assert.NotEqual(t, tells, paged, "%s tells somebody, or its role does", name)
	}
}

func TestWhoHears(t *testing.T) {
	t.Parallel()
	rec := registered(t, args())
	for name, topic := range rec.OfType("aws:sns/topic:Topic") {
		assert.Equal(t, "arn:key", topic.Inputs["kmsMasterKeyId"], name)
	}
	found := rec.OfType(subscription)
	require.Len(t, found, 3)
	assert.Equal(t, pageTopic, found["prod-page-ops@example.com"].Inputs["topic"])
	assert.Equal(t, noticeTopic, found["prod-notice-ops@example.com"].Inputs["topic"])
	pager := found["prod-page-pager"].Inputs
	assert.Equal(t, "https", pager["protocol"])
	assert.Equal(t, true, pager["endpointAutoConfirms"])

	assert.Empty(t, rec.OfType(slackChannel))

	a := args()
	a.Slack = notices.Slack{Workspace: "T07EA123LEP", Channel: "C07EZ1ABC23"}
	channel := registered(t, a).One(t, slackChannel)
	assert.Equal(t, "prod-slack", channel.Name)
	assert.Equal(t, []any{noticeTopic, pageTopic}, channel.Inputs["snsTopicArns"])

	a.Level, a.PagerURL, a.Hours = alarms.Few, "", nil
	rec = registered(t, a)
	assert.Equal(t, []any{noticeTopic}, rec.One(t, slackChannel).Inputs["snsTopicArns"])
	require.Len(t, rec.OfType("aws:sns/topic:Topic"), 1)
	assert.NotContains(t, rec.OfType(metricAlarm), "prod-uc-1-memory", "a notice")
	assert.NotContains(t, rec.OfType(metricAlarm), "prod-c4-router-no-calls", "no business hours")
	assert.Contains(t, rec.OfType(metricAlarm), "prod-uc-1-disk-full")
	assert.Equal(t, []any{noticeTopic}, rec.OfType(roleAlarm)["prod-alarm-uc-engine"].Inputs["alarmActions"])
}

func TestCopiesThatFailAreTold(t *testing.T) {
	t.Parallel()
	const ruleType, policyType = "aws:cloudwatch/eventRule:EventRule", "aws:sns/topicPolicy:TopicPolicy"
	rec := registered(t, args())
	assert.Empty(t, rec.OfType(ruleType))
	assert.NotContains(t, rec.OfType(policyType)["prod-notice"].Inputs["policy"], "events.amazonaws.com")

	a := args()
	a.CopyVaultARN = pulumi.String("arn:vault")
	rec = registered(t, a)
	assert.JSONEq(t, `{"source":["aws.backup"],"detail-type":["Copy Job State Change"],"detail":{"state":["FAILED","PARTIAL"],"destinationBackupVaultArn":["arn:vault"]}}`,
		rec.One(t, ruleType).Inputs["eventPattern"].(string))
	target := rec.One(t, "aws:cloudwatch/eventTarget:EventTarget")
	assert.Equal(t, noticeTopic, target.Inputs["arn"])
	assert.Contains(t, target.Dependencies, policyType+" prod-notice", "EventBridge must be let tell first")
	transformer := target.Inputs["inputTransformer"].(map[string]any)
	for part := range transformer["inputPaths"].(map[string]any) {
		assert.Contains(t, transformer["inputTemplate"], "<"+part+">")
	}
	assert.Contains(t, rec.OfType(policyType)["prod-notice"].Inputs["policy"], "events.amazonaws.com")
	assert.NotContains(t, rec.OfType(policyType)["prod-page"].Inputs["policy"], "events.amazonaws.com", "nobody is called for it")
}

// What another region tells is watched and told there.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		provider, err := aws.NewProvider(ctx, "there", &aws.ProviderArgs{Region: pulumi.String("eu-central-1")})
		if err != nil {
			return err
		}
		a := args()
		a.Slack = notices.Slack{Workspace: "T07EA123LEP", Channel: "C07EZ1ABC23"}
		a.Elsewhere = &Elsewhere{Provider: provider, KMSKeyARN: pulumi.String("arn:key:there")}
		ids := map[string]pulumi.StringInput{}
		for _, name := range alarms.Arrivals.Dimensions() {
			ids[name] = pulumi.String(name)
		}
		a.Targets = append(a.Targets, Target{Thing: alarms.Thing{Name: "prod-copies", Kind: alarms.Arrivals, Role: "backup", Region: "eu-central-1"}, IDs: ids})
		_, err = NewObservability(ctx, "prod", a)
		return err
	}))
	topic := rec.OfType("aws:sns/topic:Topic")["prod-notice-elsewhere"]
	assert.Equal(t, "there", topic.Provider)
	assert.Equal(t, "arn:key:there", topic.Inputs["kmsMasterKeyId"])
	assert.Equal(t, "there", rec.OfType(subscription)["prod-notice-elsewhere-ops@example.com"].Provider)
	found := rec.OfType(metricAlarm)
	late := found["prod-copies-copies-late"]
	assert.Equal(t, "there", late.Provider)
	assert.Equal(t, late.Inputs["alarmActions"], late.Inputs["okActions"])
	told := late.Inputs["alarmActions"].([]any)
	require.Len(t, told, 1)
	assert.Contains(t, told[0], ":prod-notice-elsewhere")
	assert.Contains(t, late.Dependencies, "aws:sns/topicPolicy:TopicPolicy prod-notice-elsewhere")
	assert.Empty(t, found["prod-uc-1-memory"].Provider)
	assert.Equal(t, []any{noticeTopic, pageTopic, told[0]}, rec.One(t, slackChannel).Inputs["snsTopicArns"])
}

// Counts of lines have no dimensions: a stack's are in a namespace of their own.
func TestCountsAreTheStacks(t *testing.T) {
	t.Parallel()
	a := args()
	a.Targets = append(a.Targets, Target{Thing: alarms.Thing{Name: "prod", Kind: alarms.Logs, Role: "logs"}})
	alarm := registered(t, a).OfType(metricAlarm)["prod-out-of-memory"].Inputs
	assert.Equal(t, "CallData/Logs/prod", alarm["namespace"])
	assert.Equal(t, "OutOfMemory", alarm["metricName"])
	assert.Empty(t, alarm["dimensions"])
	assert.Equal(t, []any{noticeTopic}, alarm["alarmActions"])
}

func TestEveryMistakeIsReported(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	twice := Target{Thing: alarms.Thing{Name: "x", Kind: alarms.Machine}}
	a := Args{
		Level: "loud", Emails: []string{"nobody"}, PagerURL: "http://secret.example.com", Slack: notices.Slack{Channel: "#alarms"}, Hours: &alarms.Hours{From: 9, Until: 9},
		Targets:   []Target{twice, twice, {Thing: alarms.Thing{Name: "y", Kind: "printer"}}},
		Elsewhere: &Elsewhere{},
	}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewObservability(ctx, "x", a)
		return err
	})
	for _, want := range []string{
		`level: "loud"`, "machine x is there twice", "machine x has no InstanceId", "nobody knows the metrics of printer y", "KMS key ARN", `"nobody" is not an address`,
		"pager URL: want https", "pager URL: nobody is called", "hours: 9 to 9", "elsewhere: want a provider and a KMS key", `slack: "/#alarms"`, "tags:",
	} {
		require.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "secret.example.com")
	require.ErrorContains(t, Args{}.Validate(), "targets: there is nothing to watch")
	far := Args{Level: alarms.Notices, Targets: []Target{{Thing: alarms.Thing{Name: "copies", Kind: alarms.Arrivals, Region: "eu-central-1"}}}}
	require.ErrorContains(t, far.Validate(), "targets: arrivals copies is in eu-central-1, and elsewhere is not set")
	far.Level = alarms.Few
	assert.NotContains(t, far.Validate().Error(), "elsewhere", "nothing of it is watched")
	assert.Empty(t, rec.OfType(metricAlarm))
}

func TestDashboards(t *testing.T) {
	t.Parallel()
	assert.Empty(t, registered(t, args()).OfType(dashboard))
	a := args()
	a.Dashboards = &Dashboards{LogPrefix: "/calldata/prod", Runbook: "https://example.com/runbook.md"}
	found := registered(t, a).OfType(dashboard)
	require.Len(t, found, 4)
	for name, d := range found {
		assert.Equal(t, name, d.Inputs["dashboardName"])
		assert.Equal(t, "calldata:observability:Observability prod", d.Parent)
		assert.True(t, json.Valid([]byte(d.Inputs["dashboardBody"].(string))), name)
	}
	engine := found["prod-engine"].Inputs["dashboardBody"]
	assert.Contains(t, engine, `["CallData","MemoryUsed","InstanceId","i-1","Role","uc-engine",{"label":"prod-uc-1","stat":"Maximum","period":60}]`)
	assert.Contains(t, engine, `"arn:aws:cloudwatch:us-east-1:`+componenttest.Account+`:prod-uc-1-memory"`)
	overview := found["prod-overview"].Inputs["dashboardBody"]
	assert.Contains(t, overview, `"arn:aws:cloudwatch:us-east-1:`+componenttest.Account+`:prod-alarm-uc-engine"`)
	assert.Contains(t, overview, "[runbook](https://example.com/runbook.md#")
	assert.NotContains(t, overview, `""`, "an alarm or a thing without a name")

	a.Dashboards = &Dashboards{Runbook: "runbook"}
	err := a.Validate()
	require.ErrorContains(t, err, "dashboards: there is no prefix of log groups")
	require.ErrorContains(t, err, `dashboards: the runbook is at "runbook"`)
}
