package verdict

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
