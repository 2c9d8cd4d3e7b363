// Package progress is how long work tells a person where it stands. Packages that work get a Reporter; only the
// command knows whether it draws lines on a terminal, writes JSON, or stays silent.
package progress

import "time"

// Reporter receives what happens, as it happens. Implementations are safe for use by several goroutines.
type Reporter interface {
	// Step opens a named piece of work under this one and answers its reporter. Close it with Done.
	Step(name string) Step
	// Logf says something worth a line of its own: which way was taken, and why.
	Logf(format string, args ...any)
}

// Step is one piece of work with a beginning and an end. Steps may run side by side.
type Step interface {
	Reporter
	// Progress tells how far the work is: done of total units (bytes, packages, tasks), 0 when unknown, and what is
	// in hand. Calls may be frequent; the reporter thins them out.
	Progress(done, total int64, what string)
	// Done ends the step. A nil error is success; ErrSkipped-wrapped errors are shown as skipped with their reason.
	Done(err error)
	// Elapsed is the time since the step began.
	Elapsed() time.Duration
}

// Discard is a Reporter that says nothing, for tests and for library use.
var Discard Reporter = discard{}

type discard struct{}

func (discard) Step(string) Step    { return &discardStep{start: time.Now()} }
func (discard) Logf(string, ...any) {}

type discardStep struct {
	discard
	start time.Time
}

func (*discardStep) Progress(int64, int64, string) {}
func (*discardStep) Done(error)                    {}
func (s *discardStep) Elapsed() time.Duration      { return time.Since(s.start) }
