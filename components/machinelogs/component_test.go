package machinelogs

import (
	"os"
	"slices"
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
	return Args{
		Stack: "stage", Prefix: "/calldata/stage", Roles: []string{"c4-router", "c4-sbc"}, RetentionDays: 90, KMSKeyARN: pulumi.String("arn:key"), Protect: true,
		Tags: tags.Tags{Project: "p", Environment: "stage", Role: "logs", Owner: "o", CostCenter: "c"},
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Args){"protected, own key": func(*Args) {}, "neither": func(a *Args) { a.Protect, a.KMSKeyARN = false, nil }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, a := &componenttest.Recorder{}, args()
			change(&a)
			require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
				_, err := NewMachineLogs(ctx, "stage-logs", a)
				return err
			}))
			var groups, names []string
			for _, r := range rec.OfType("aws:cloudwatch/logGroup:LogGroup") {
				groups, names = append(groups, r.Inputs["name"].(string)), append(names, r.Name)
				assert.Equal(t, "calldata:machinelogs:MachineLogs stage-logs", r.Parent)
				assert.EqualValues(t, 90, r.Inputs["retentionInDays"])
				assert.Equal(t, a.Protect, r.RetainOnDelete)
				assert.Equal(t, a.KMSKeyARN != nil, r.Inputs["kmsKeyId"] == "arn:key")
			}
			slices.Sort(groups)
			assert.Equal(t, []string{
				"/calldata/stage/c4-router/journal", "/calldata/stage/c4-router/kamailio", "/calldata/stage/c4-router/postgresql",
				"/calldata/stage/c4-sbc/journal", "/calldata/stage/c4-sbc/kamailio", "/calldata/stage/c4-sbc/rtpengine",
			}, groups)
			assert.Contains(t, names, "stage-logs-c4-sbc-kamailio")
		})
	}
}

func registered(t *testing.T, change func(*Args)) *componenttest.Recorder {
	t.Helper()
	rec, a := &componenttest.Recorder{}, args()
	change(&a)
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewMachineLogs(ctx, "stage-logs", a)
		return err
	}))
	return rec
}

func TestQueries(t *testing.T) {
	t.Parallel()
	const queryDefinition = "aws:cloudwatch/queryDefinition:QueryDefinition"
	found := registered(t, func(*Args) {}).OfType(queryDefinition)
	assert.NotContains(t, found, "stage-logs-wazo-errors", "the stack has no engine")
	for name, q := range found {
		assert.Equal(t, "calldata:machinelogs:MachineLogs stage-logs", q.Parent)
		assert.False(t, q.Protect || q.RetainOnDelete, "%s: it can be made again", name)
		assert.Equal(t, "stage/"+strings.TrimPrefix(name, "stage-logs-"), q.Inputs["name"])
	}
	failed := found["stage-logs-failed-calls"]
	assert.Equal(t, []any{"/calldata/stage/c4-router/kamailio"}, failed.Inputs["logGroupNames"])
	assert.Regexp(t, `^# Calls that ended without an answer, by SIP code\nparse @message /.+/\n\| filter `, failed.Inputs["queryString"])
	assert.Contains(t, failed.Dependencies, "aws:cloudwatch/logGroup:LogGroup stage-logs-c4-router-kamailio", "the group comes first")
	engine := registered(t, func(a *Args) { a.Roles = []string{"uc-engine"} }).OfType(queryDefinition)
	assert.Contains(t, engine, "stage-logs-wazo-errors")
	assert.NotContains(t, engine, "stage-logs-failed-calls")
}

func TestCounts(t *testing.T) {
	t.Parallel()
	const filterType = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
	assert.Empty(t, registered(t, func(*Args) {}).OfType(filterType))
	found := registered(t, func(a *Args) { a.Count = true }).OfType(filterType)
	refused := found["stage-logs-c4-router-kamailio-records-refused"]
	assert.Equal(t, `"a call record was refused: "`, refused.Inputs["pattern"])
	assert.Equal(t, "/calldata/stage/c4-router/kamailio", refused.Inputs["logGroupName"])
	assert.Equal(t, map[string]any{"namespace": "CallData/Logs/stage", "name": "RecordsRefused", "value": "1", "unit": "Count"}, refused.Inputs["metricTransformation"])
	assert.Contains(t, refused.Dependencies, "aws:cloudwatch/logGroup:LogGroup stage-logs-c4-router-kamailio", "the group comes first")
	assert.Contains(t, found, "stage-logs-c4-sbc-journal-logins-refused")
	assert.Contains(t, found, "stage-logs-c4-router-journal-logins-refused", "both count into one metric")
	assert.NotContains(t, found, "stage-logs-c4-sbc-kamailio-records-refused")
}

func TestEveryMistakeIsReported(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewMachineLogs(ctx, "x", Args{Roles: []string{"c4-sbc", "c4-sbc", "printer"}, Tags: tags.Tags{}})
		return err
	})
	for _, want := range []string{`stack: ""`, `prefix: ""`, `"printer"`, `"c4-sbc" is there twice`, "retention: 0 days", "tags:"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, Args{}.Validate(), "roles: there are none")
	assert.Empty(t, rec.OfType("aws:cloudwatch/logGroup:LogGroup"))
}
