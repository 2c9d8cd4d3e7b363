package rehearsal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	assert.Equal(t, int64(75), parseMemory("MemTotal:      100 kB\nMemFree:  10 kB\nMemAvailable:   25 kB\n"))
	m := &meter{before: 1 << 20}
	assert.Zero(t, m.GiB(), "nothing was measured")
	m.peak.Store(3 << 20)
	assert.InDelta(t, 2, m.GiB(), 0.001)

	live := newMeter(t.Context())
	assert.Eventually(t, func() bool { return live.peak.Load() > 0 }, 5*time.Second, 10*time.Millisecond)
}
