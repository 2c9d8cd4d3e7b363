package mend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// sample are settings of every kind. What is mended goes into done.
func sample(done *[]string) []Setting {
	mends := func(name string) func(context.Context) error {
		return func(context.Context) error {
			*done = append(*done, name)
			return nil
		}
	}
	return []Setting{
		{Resource: "bucket a", Name: "tags", Found: "x", Want: "x"},
		{Resource: "bucket a", Name: "policy", Missing: true, Want: "closed", Mend: mends("policy")},
		{Resource: "bucket b", Name: "region", Found: "there", Want: "here", Hand: "move it"},
		{Resource: "bucket b", Name: "rules", Found: "lax", Want: "strict", Mend: mends("rules")},
	}
}

func do(ctx context.Context, s Setting) error { return s.Mend(ctx) }

func results(r Report) []Result {
	var all []Result
	for _, item := range r.Settings {
		all = append(all, item.Result)
	}
	return all
}

func TestPlanChangesNothing(t *testing.T) {
	t.Parallel()
	var done []string
	r := Plan(sample(&done))
	assert.Empty(t, done)
	assert.Equal(t, []Result{Found, ToMake, ByHand, ToMend}, results(r))
	assert.Equal(t, 3, r.Left())
	assert.Equal(t, "2 of 4 settings would be made or mended. Nothing was changed. Left to do by hand: 1.", r.Summary())
}

func TestCarryMendsWhatIsWrong(t *testing.T) {
	t.Parallel()
	var done []string
	r, err := Carry(t.Context(), sample(&done), progress.Discard, do)
	require.NoError(t, err)
	assert.Equal(t, []string{"policy", "rules"}, done)
	assert.Equal(t, []Result{Found, Made, ByHand, Mended}, results(r))
	assert.Equal(t, 1, r.Left())
	assert.Equal(t, "2 of 4 settings were made or mended. Left to do by hand: 1.", r.Summary())
	var table bytes.Buffer
	require.NoError(t, r.WriteTable(&table))
	assert.Equal(t, `RESOURCE  SETTING  RESULT   DETAIL
bucket a  tags     found    x
          policy   made     closed
bucket b  region   by hand  move it
          rules    mended   strict (was: lax)
`, table.String())
	text, err := json.Marshal(struct {
		Account string `json:"account"`
		Report
	}{"1", r})
	require.NoError(t, err)
	assert.Contains(t, string(text), `{"account":"1","dryRun":false,"changes":2,"settings":[{"resource":"bucket a",`)
}

func TestFailureRecordsTheRest(t *testing.T) {
	t.Parallel()
	var done []string
	no := errors.New("denied")
	r, err := Carry(t.Context(), sample(&done), progress.Discard, func(context.Context, Setting) error { return no })
	require.ErrorIs(t, err, no)
	require.EqualError(t, err, "bucket a, policy: denied; run the command again, it goes on from here")
	assert.Equal(t, []Result{Found, NotDone, ByHand, NotDone}, results(r))
	assert.Zero(t, r.Changes)
	assert.Equal(t, 3, r.Left())
}

func TestAllRight(t *testing.T) {
	t.Parallel()
	r, err := Carry(t.Context(), []Setting{{Resource: "a", Name: "b", Want: "c"}}, progress.Discard, do)
	require.NoError(t, err)
	assert.Equal(t, "All 1 settings are as they should be.", r.Summary())
}
