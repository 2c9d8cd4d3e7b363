package machinelogs

import (
	"os"
	"slices"
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
		Prefix: "/calldata/stage", Roles: []string{"c4-router", "c4-sbc"}, RetentionDays: 90, KMSKeyARN: pulumi.String("arn:key"), Protect: true,
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

func TestEveryMistakeIsReported(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewMachineLogs(ctx, "x", Args{Roles: []string{"c4-sbc", "c4-sbc", "printer"}, Tags: tags.Tags{}})
		return err
	})
	for _, want := range []string{`prefix: ""`, `"printer"`, `"c4-sbc" is there twice`, "retention: 0 days", "tags:"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, Args{}.Validate(), "roles: there are none")
	assert.Empty(t, rec.OfType("aws:cloudwatch/logGroup:LogGroup"))
}
