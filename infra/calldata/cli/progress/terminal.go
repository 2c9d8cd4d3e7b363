package progress

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// redraw is how often a terminal shows what moved.
const redraw = 120 * time.Millisecond

// Terminal is a Sink for people: finished steps scroll up, running ones stay at the bottom and tick.
type Terminal struct {
	mu      sync.Mutex
	w       io.Writer
	width   func() int
	colour  bool
	running map[int]Event
	drawn   int
	stop    chan struct{}
	stopped sync.WaitGroup
}

// NewTerminal makes a Terminal sink on w. Width answers the columns of the terminal; colour allows ANSI colours, which
// callers switch off for NO_COLOR (https://no-color.org). Call Close to leave the screen tidy.
func NewTerminal(w io.Writer, width func() int, colour bool) *Terminal {
	t := &Terminal{w: w, width: width, colour: colour, running: map[int]Event{}, stop: make(chan struct{})}
	t.stopped.Add(1)
	go t.tick()
	return t
}

func (t *Terminal) tick() {
	defer t.stopped.Done()
	for {
		select {
		case <-t.stop:
			return
		case <-time.After(redraw):
			t.mu.Lock()
			t.draw("")
			t.mu.Unlock()
		}
	}
}

// Close stops the ticking and removes the lines of steps that never ended.
func (t *Terminal) Close() {
	close(t.stop)
	t.stopped.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = map[int]Event{}
	t.draw("")
}

// Handle shows the event.
func (t *Terminal) Handle(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	indent := strings.Repeat("  ", e.Span.Depth)
	switch e.Kind {
	case Opened, Advanced:
		t.running[e.Span.ID] = e
	case Said:
		t.draw(indent + "  " + e.Text + "\n")
	case Closed:
		delete(t.running, e.Span.ID)
		mark, code := "✓", "32"
		rest := e.Span.Name + "  " + Short(e.Span.End.Sub(e.Span.Start))
		switch {
		case errors.Is(e.Span.Err, ErrSkipped):
			mark, code, rest = "·", "90", e.Span.Name+"  "+FirstLine(e.Span.Err)
		case e.Span.Err != nil:
			mark, code, rest = "✗", "31", rest+"  "+FirstLine(e.Span.Err)
		}
		t.draw(indent + t.paint(code, mark) + " " + rest + "\n")
	}
}

// draw replaces the running lines by above and the running lines of now.
func (t *Terminal) draw(above string) {
	var b strings.Builder
	if t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", t.drawn)
	}
	b.WriteString(above)
	ids := make([]int, 0, len(t.running))
	for id := range t.running {
		ids = append(ids, id)
	}
	sort.Ints(ids)
	now := time.Now()
	for _, id := range ids {
		e := t.running[id]
		line := strings.Repeat("  ", e.Span.Depth) + "… " + e.Span.Name + "  " + Short(now.Sub(e.Span.Start))
		if more := advance(e, now); more != "" {
			line += "  " + more
		}
		b.WriteString(clip(line, t.width()) + "\n")
	}
	t.drawn = len(ids)
	_, _ = io.WriteString(t.w, b.String())
}

func (t *Terminal) paint(code, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// clip keeps a line within the terminal: a wrapped line would break the counting of lines to go up.
func clip(s string, width int) string {
	if width <= 0 || utf8.RuneCountInString(s) <= width-1 {
		return s
	}
	return string([]rune(s)[:max(width-2, 0)]) + "…"
}
