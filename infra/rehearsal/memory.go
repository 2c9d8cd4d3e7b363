package rehearsal

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// memoryInterval is how often memory is looked at: a compiler or a playbook that takes a lot holds it for longer.
const memoryInterval = 500 * time.Millisecond

// meter watches how much memory a rehearsal takes: everything that this machine has less of than at the beginning.
type meter struct {
	before int64
	peak   atomic.Int64
}

// newMeter begins to watch, until ctx ends.
func newMeter(ctx context.Context) *meter {
	m := &meter{before: memoryUsed()}
	go func() {
		for {
			m.peak.Store(max(m.peak.Load(), memoryUsed()))
			select {
			case <-ctx.Done():
				return
			case <-time.After(memoryInterval):
			}
		}
	}()
	return m
}

// GiB is the most that was taken at one time.
func (m *meter) GiB() float64 {
	return max(0, float64(m.peak.Load()-m.before)) / (1 << 20)
}

// memoryUsed is what nobody else can have, in KiB. Source: proc(5), /proc/meminfo, MemAvailable.
func memoryUsed() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return parseMemory(string(data))
}

func parseMemory(text string) int64 {
	value := func(name string) int64 {
		for line := range strings.Lines(text) {
			if rest, ok := strings.CutPrefix(line, name+":"); ok {
				n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				return n
			}
		}
		return 0
	}
	return value("MemTotal") - value("MemAvailable")
}
