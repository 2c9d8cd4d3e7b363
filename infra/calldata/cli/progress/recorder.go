package progress

import (
	"fmt"
	"sync"
	"time"
)

// Span is what the Recorder remembers of one step.
type Span struct {
	// ID counts from 1 in the order of opening; Parent is 0 for a step of the first level.
	ID, Parent int
	// Name is the step's name, Depth its distance from the first level.
	Name  string
	Depth int
	// Start and End are wall-clock times; End is zero while the step runs.
	Start, End time.Time
	// Err is what Done was called with.
	Err error
}

// Kind says what an Event tells.
type Kind int

// The kinds of events.
const (
	Opened Kind = iota
	Advanced
	Said
	Closed
)

// Event is one thing that happened to a span, in the order it happened.
type Event struct {
	Kind Kind
	Span Span
	// Text is the line of Said, and the thing in hand of Advanced.
	Text string
	// Finished and Total count units of work; Total is 0 when unknown.
	Finished, Total int64
}

// Sink draws events. Handle is never called by two goroutines at once.
type Sink interface {
	Handle(Event)
}

// Recorder is a Reporter that keeps every span for a report and passes the events on to a sink.
type Recorder struct {
	mu    sync.Mutex
	sink  Sink
	spans []Span
}

// NewRecorder makes a Recorder. A nil sink draws nothing.
func NewRecorder(sink Sink) *Recorder { return &Recorder{sink: sink} }

// Spans is a copy of what was recorded so far, in the order of opening.
func (r *Recorder) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...)
}

// Step opens a step of the first level.
func (r *Recorder) Step(name string) Step { return r.open(0, 0, name) }

// Logf says a line outside of any step.
func (r *Recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emit(Event{Kind: Said, Text: fmt.Sprintf(format, args...)})
}

func (r *Recorder) open(parent, depth int, name string) *recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Span{ID: len(r.spans) + 1, Parent: parent, Depth: depth, Name: name, Start: time.Now()}
	r.spans = append(r.spans, s)
	r.emit(Event{Kind: Opened, Span: s})
	return &recorded{r: r, id: s.ID}
}

// emit needs the lock: sinks see events one at a time and in order.
func (r *Recorder) emit(e Event) {
	if r.sink != nil {
		r.sink.Handle(e)
	}
}

type recorded struct {
	r  *Recorder
	id int
}

func (s *recorded) span() *Span { return &s.r.spans[s.id-1] }

func (s *recorded) Step(name string) Step {
	s.r.mu.Lock()
	depth := s.span().Depth
	s.r.mu.Unlock()
	return s.r.open(s.id, depth+1, name)
}

func (s *recorded) Logf(format string, args ...any) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.emit(Event{Kind: Said, Span: *s.span(), Text: fmt.Sprintf(format, args...)})
}

func (s *recorded) Progress(done, total int64, what string) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.emit(Event{Kind: Advanced, Span: *s.span(), Text: what, Finished: done, Total: total})
}

// Done counts once: a second call is ignored, so that a deferred Done may follow an early one.
func (s *recorded) Done(err error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	span := s.span()
	if !span.End.IsZero() {
		return
	}
	span.End, span.Err = time.Now(), err
	s.r.emit(Event{Kind: Closed, Span: *span})
}

func (s *recorded) Elapsed() time.Duration {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if span := s.span(); !span.End.IsZero() {
		return span.End.Sub(span.Start)
	}
	return time.Since(s.span().Start)
}
