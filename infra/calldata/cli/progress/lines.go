package progress

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// quiet is how long a plain-text sink waits between two progress lines of one step: a log of CI stays readable.
const quiet = 10 * time.Second

// Lines is a Sink for logs and pipes: one line per event, stamped with the seconds since it was made. It never moves
// the cursor and never colours.
type Lines struct {
	w     io.Writer
	start time.Time
	last  map[int]time.Time
	now   func() time.Time
}

// NewLines makes a Lines sink that writes to w.
func NewLines(w io.Writer) *Lines {
	return &Lines{w: w, start: time.Now(), last: map[int]time.Time{}, now: time.Now}
}

// Handle writes the event.
func (l *Lines) Handle(e Event) {
	at, indent := l.now(), strings.Repeat("  ", e.Span.Depth)
	line := ""
	switch e.Kind {
	case Opened:
		line = indent + "> " + e.Span.Name
		l.last[e.Span.ID] = at
	case Advanced:
		if at.Sub(l.last[e.Span.ID]) < quiet {
			return
		}
		l.last[e.Span.ID] = at
		line = indent + "  " + e.Span.Name + ": " + advance(e, at)
	case Said:
		line = indent + "  " + e.Text
	case Closed:
		delete(l.last, e.Span.ID)
		line = indent + outcome(e.Span)
	}
	_, _ = fmt.Fprintf(l.w, "%7.1fs %s\n", at.Sub(l.start).Seconds(), line)
}

// advance is "37 % (1203/3250), about 2m10s left: net/http" or as much of it as is known.
func advance(e Event, now time.Time) string {
	var b strings.Builder
	if e.Total > 0 {
		fmt.Fprintf(&b, "%d %% (%d/%d)", e.Finished*100/e.Total, e.Finished, e.Total)
		if spent := now.Sub(e.Span.Start); e.Finished > 0 && e.Finished < e.Total && spent > 2*time.Second {
			left := time.Duration(float64(spent) / float64(e.Finished) * float64(e.Total-e.Finished))
			fmt.Fprintf(&b, ", about %s left", Short(left))
		}
	} else if e.Finished > 0 {
		fmt.Fprintf(&b, "%d", e.Finished)
	}
	if e.Text != "" {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Text)
	}
	return b.String()
}

// outcome is the closing line of a span: ok, skipped with its reason, or FAILED with its error's first line.
func outcome(s Span) string {
	took := Short(s.End.Sub(s.Start))
	switch {
	case s.Err == nil:
		return fmt.Sprintf("ok %s (%s)", s.Name, took)
	case errors.Is(s.Err, ErrSkipped):
		return fmt.Sprintf("-- %s: %s", s.Name, FirstLine(s.Err))
	}
	return fmt.Sprintf("FAILED %s (%s): %s", s.Name, took, FirstLine(s.Err))
}

// FirstLine is the first line of an error, for places that have room for one; the whole error is shown at the end.
func FirstLine(err error) string {
	first, _, more := strings.Cut(err.Error(), "\n")
	if more {
		first += " ..."
	}
	return first
}

// Short prints a duration as a person would: 0.4s, 12.3s, 2m10s, 1h5m.
func Short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
}
