package progress

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRecorderKeepsTheTree(t *testing.T) {
	t.Parallel()
	r := NewRecorder(nil)
	up := r.Step("up")
	child := up.Step("machine")
	child.Done(nil)
	up.Done(errors.New("no capacity"))
	up.Done(nil) // a deferred Done must not hide the first one

	spans := r.Spans()
	require.Len(t, spans, 2)
	assert.Equal(t, 0, spans[0].Parent)
	assert.Equal(t, spans[0].ID, spans[1].Parent)
	assert.Equal(t, 1, spans[1].Depth)
	assert.EqualError(t, spans[0].Err, "no capacity")
	assert.False(t, spans[0].End.IsZero())
}

func TestRecorderFromManyGoroutines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := NewRecorder(NewLines(&out))
	root := r.Step("root")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := root.Step(fmt.Sprintf("s%d", i))
			s.Progress(1, 2, "half")
			s.Logf("hello from %d", i)
			s.Done(nil)
		}()
	}
	wg.Wait()
	root.Done(nil)
	assert.Len(t, r.Spans(), 21)
	assert.Equal(t, 20, bytes.Count(out.Bytes(), []byte("hello from")))
}

func TestLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sink := NewLines(&out)
	clock := sink.start
	sink.now = func() time.Time { return clock }
	span := Span{ID: 1, Name: "build", Start: clock}

	sink.Handle(Event{Kind: Opened, Span: span})
	clock = clock.Add(5 * time.Second)
	sink.Handle(Event{Kind: Advanced, Span: span, Finished: 1, Total: 10})
	clock = clock.Add(5 * time.Second)
	sink.Handle(Event{Kind: Advanced, Span: span, Finished: 2, Total: 10, Text: "net/http"})
	span.End = clock
	sink.Handle(Event{Kind: Closed, Span: span})
	span.Err = fmt.Errorf("%w: cached", ErrSkipped)
	sink.Handle(Event{Kind: Closed, Span: span})
	span.Err = errors.New("boom\nsecond line")
	sink.Handle(Event{Kind: Closed, Span: span})

	assert.Equal(t, `    0.0s > build
   10.0s   build: 20 % (2/10), about 40.0s left: net/http
   10.0s ok build (10.0s)
   10.0s -- build: skipped: cached
   10.0s FAILED build (10.0s): boom ...
`, out.String())
}

func TestTerminalLeavesOnlyFinishedSteps(t *testing.T) {
	t.Parallel()
	var out syncBuffer
	sink := NewTerminal(&out, func() int { return 40 }, false)
	r := NewRecorder(sink)
	s := r.Step("a step with a name that is much longer than forty columns")
	time.Sleep(3 * redraw)
	s.Done(nil)
	r.Step("never ends")
	time.Sleep(3 * redraw)
	sink.Close()
	text := out.String()
	assert.Contains(t, text, "✓ a step with a name")
	assert.Contains(t, text, "…\n", "a running line is clipped to the terminal")
	assert.NotContains(t, text, "\x1b[32m", "no colour was asked for")
	assert.True(t, bytes.HasSuffix([]byte(text), []byte("\r\x1b[J")), "the line of the step that never ended is gone")
}

func TestShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		420 * time.Millisecond:                "0.4s",
		59 * time.Second:                      "59.0s",
		130 * time.Second:                     "2m10s",
		65 * time.Minute:                      "1h5m",
		59*time.Minute + 59*time.Second + 9e8: "60m0s",
	} {
		assert.Equal(t, want, Short(d), d.String())
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
