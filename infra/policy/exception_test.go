package policy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseExceptions(t *testing.T) {
	t.Parallel()
	got, err := ParseExceptions([]string{"CD-21 one region until the contract with the second data centre", "  CD-24   stage-*: the bill: see minutes ", "CD-24 https://tracker.example.com/7"})
	require.NoError(t, err)
	assert.Equal(t, []Exception{
		{Rule: "CD-21", Reason: "one region until the contract with the second data centre"},
		{Rule: "CD-24", Resource: "stage-*", Reason: "the bill: see minutes"},
		{Rule: "CD-24", Reason: "https://tracker.example.com/7"},
	}, got)
	for _, e := range got {
		again, err := ParseExceptions([]string{e.String()})
		require.NoError(t, err)
		assert.Equal(t, []Exception{e}, again)
	}
	none, err := ParseExceptions(nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func TestParseExceptionsTellsAllMistakes(t *testing.T) {
	t.Parallel()
	_, err := ParseExceptions([]string{"CD-21", "CD-24 db:", "CD-99 because", "cd-1 because", "", "CD-21 db:because", "CD-22 a", "CD-22 b"})
	for _, want := range []string{
		`policyExceptions[0] is "CD-21": there is no reason: say why CD-21 may be broken`,
		`policyExceptions[1] is "CD-24 db:": there is no reason`,
		`policyExceptions[2] is "CD-99 because": there is no rule CD-99`,
		`policyExceptions[3] is "cd-1 because": want "CD-NN reason"`,
		`policyExceptions[4] is "": want`,
		`policyExceptions[5] is "CD-21 db:because": put a space after the colon`,
		`policyExceptions[7] is "CD-22 b": an earlier one is for the same`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "policyExceptions[6]")
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	g := Graph{Stack: "stage-1", Scope: Stage, Resources: []Resource{
		instance(m{"metadataOptions": m{"httpTokens": "optional", "httpPutResponseHopLimit": 1}, "tags": with(allTags, nil)}), db(m{"multiAz": nil, "parameterGroupName": Unknown{}}),
	}}
	exceptions, err := ParseExceptions([]string{"CD-01 nod?: a question mark is no pattern", "CD-01 n*e: old image, until March", "CD-01 *: everything", "CD-37 not for stage", "CD-24 db-*: other databases"})
	require.NoError(t, err)
	report := Evaluate(g, exceptions)
	assert.Equal(t, "stage-1", report.Stack)
	assert.Equal(t, Stage, report.Scope)
	assert.Equal(t, 2, report.Resources)
	assert.Greater(t, report.Rules, 30)
	require.Len(t, report.Violations, 1)
	assert.Equal(t, "CD-24", report.Violations[0].Rule)
	assert.Equal(t, Advisory, report.Violations[0].Level)
	assert.Empty(t, report.Mandatory())
	require.Len(t, report.Exceptions, 1)
	assert.Equal(t, "CD-01", report.Exceptions[0].Rule)
	assert.Equal(t, "old image, until March", report.Exceptions[0].Reason, "the first one that covers it")
	assert.Equal(t, []Exception{exceptions[0], exceptions[3], exceptions[4]}, report.Stale)

	g.Scope = Prod
	assert.NotEmpty(t, Evaluate(g, exceptions).Mandatory())
}

// TestPatternsNeverMatchWhatIsMissing: an exception for some resources is none for the lack of others.
func TestPatternsNeverMatchWhatIsMissing(t *testing.T) {
	t.Parallel()
	g := Graph{Scope: Account, Resources: []Resource{res("budgets/budget", "b", budget.Props)}}
	pattern, err := ParseExceptions([]string{"CD-37 *: whatever"})
	require.NoError(t, err)
	assert.Equal(t, pattern, Evaluate(g, pattern).Stale)
	whole, err := ParseExceptions([]string{"CD-37 the organisation has a trail"})
	require.NoError(t, err)
	assert.Empty(t, Evaluate(g, whole).Stale)
}

func TestScopeOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		topology, stack string
		want            Scope
	}{{"", "dev", Dev}, {"prod", "europe", Prod}, {"account", "dev", Account}} {
		got, err := ScopeOf(test.topology, test.stack)
		require.NoError(t, err)
		assert.Equal(t, test.want, got)
	}
	_, err := ScopeOf("", "alice")
	assert.ErrorContains(t, err, `stack alice has the topology "alice", and there are rules for [dev stage prod account]: set calldata-foundation:topology`)
}
