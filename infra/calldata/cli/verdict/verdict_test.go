package verdict

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

func TestOutcome(t *testing.T) {
	t.Parallel()
	step := struct {
		Name string `json:"name"`
		Outcome
	}{"call", Outcome{Status: Fail, Detail: "486", Seconds: 61.5}}
	text, err := json.Marshal(step)
	require.NoError(t, err)
	assert.Equal(t, `{"name":"call","status":"fail","detail":"486","seconds":61.5}`, string(text))
	assert.Equal(t, "fail\t1m2s\t486", step.Row())

	text, err = json.Marshal(Outcome{Status: OK})
	require.NoError(t, err)
	assert.Equal(t, `{"status":"ok","seconds":0}`, string(text))
}

func TestSteps(t *testing.T) {
	t.Parallel()
	now := time.Now()
	steps := []Step{
		{"up", Of(now, "3 made", nil)}, {"call", Of(now, "", fmt.Errorf("%w: no phone", progress.ErrSkipped))},
		{"health", Of(now, "seen before", errors.New("it is ill\nfor these reasons"))},
	}
	for i, want := range []Outcome{{Status: OK, Detail: "3 made"}, {Status: Skip, Detail: "no phone"}, {Status: Fail, Detail: "it is ill\nfor these reasons"}} {
		assert.Equal(t, want.Status, steps[i].Status)
		assert.Equal(t, want.Detail, steps[i].Detail)
		assert.GreaterOrEqual(t, steps[i].Seconds, 0.0)
	}
	var table strings.Builder
	require.NoError(t, WriteSteps(&table, steps))
	assert.Contains(t, table.String(), "it is ill …\n")
	assert.NotContains(t, table.String(), "for these reasons")
}
