package calls

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadCounts(t *testing.T) {
	t.Parallel()
	text := "StartTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);ResponseTime1(P);ResponseTime1(C);\n" +
		"2026-11-29;1;1;0;00:00:00:001000;00:00:00:001000;\n" +
		"2026-11-29;9;399;1;00:00:00:001000;00:00:01:014000;\n"
	got, err := readCounts(text)
	require.NoError(t, err)
	assert.Equal(t, sippResult{ok: 399, failed: 1, answer: 1014 * time.Millisecond}, got)
	_, err = readCounts("StartTime;\n")
	assert.ErrorContains(t, err, "want at least 2")
	_, err = readCounts("A;\n1;\n")
	assert.Error(t, err, "counts are missing")
}

func TestReadUsage(t *testing.T) {
	t.Parallel()
	got := readUsage("kamailio 10 2000\nkamailio 5 1000\nrtpengine 7 4096\n\nnonsense\n")
	assert.Equal(t, map[string]spent{"kamailio": {15, 3000}, "rtpengine": {7, 4096}}, got)
}

func TestRatesRise(t *testing.T) {
	t.Parallel()
	full := rates(false)
	assert.Contains(t, full, wantRate)
	assert.IsIncreasing(t, full)
	assert.IsIncreasing(t, rates(true))
}
