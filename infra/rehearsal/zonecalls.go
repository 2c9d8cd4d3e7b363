package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
)

// steadyCalls is `calldata calls --steady` at work, and what it has told so far.
type steadyCalls struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	said  bytes.Buffer
	ended chan struct{}

	mu       sync.Mutex
	ready    bool
	tries    []calls.Try
	standing *calls.Standing
	// notes are what phones did and could not do, with times, for the log; trouble is the last thing that was impossible.
	notes   []string
	trouble string
	err     error
}

// steady begins to call.
func (w *world) steady(ctx context.Context, o Options, plan string) (*steadyCalls, error) {
	args := []string{"calls", "--plan", plan, "--steady"}
	s := &steadyCalls{cmd: w.network.Command(ctx, o.Calldata, args...), ended: make(chan struct{})}
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = o.Repo, append(os.Environ(), environ(w.env)...), &s.said
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Cancel = func() error { return syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM) }
	s.cmd.WaitDelay = 15 * time.Second
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		err := s.read(out)
		_, _ = io.Copy(io.Discard, out)
		if waitErr := s.cmd.Wait(); waitErr != nil {
			err = errors.Join(err, fmt.Errorf("%w: %s", waitErr, tail(s.said.Bytes(), 5)))
		}
		s.mu.Lock()
		_, _ = fmt.Fprintf(w.log, "$ calldata %q\n%s%s\n", args, s.said.Bytes(), strings.Join(append(s.notes, failed(s.tries)...), "\n"))
		s.err = err
		s.mu.Unlock()
	}()
	return s, nil
}

// read takes in what it tells.
func (s *steadyCalls) read(out io.Reader) error {
	for lines := json.NewDecoder(out); ; {
		var line calls.SteadyLine
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what it tells: %w", err)
		}
		s.mu.Lock()
		s.ready = s.ready || line.Ready
		if line.Try != nil {
			s.tries = append(s.tries, *line.Try)
		}
		if line.Standing != nil {
			s.standing = line.Standing
		}
		now := time.Now().UTC().Format(time.TimeOnly)
		if line.Phone != "" {
			s.notes = append(s.notes, now+" phone "+line.Phone)
		}
		if line.Trouble != "" {
			s.trouble = now + " " + line.Trouble
			s.notes = append(s.notes, s.trouble)
		}
		s.mu.Unlock()
	}
}

// look has the standing calls looked at.
func (s *steadyCalls) look() error {
	_, err := io.WriteString(s.in, "look\n")
	return err
}

// stop ends it.
func (s *steadyCalls) stop() error {
	_ = s.in.Close()
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// heard is what it has told so far. The error says that it has ended.
func (s *steadyCalls) heard() (tries []calls.Try, standing *calls.Standing, ready bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		err = errors.Join(errors.New("the steady calls have ended"), s.err)
	default:
	}
	return slices.Clone(s.tries), s.standing, s.ready, err
}

// troubled is the last thing that the caller could not do, or nil.
func (s *steadyCalls) troubled() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == "" {
		return nil
	}
	return errors.New(s.trouble)
}

// failed has a line for each call that failed, for the log.
func failed(tries []calls.Try) (lines []string) {
	for _, t := range tries {
		if !t.OK() {
			lines = append(lines, fmt.Sprintf("%s %s: %s", t.At.UTC().Format(time.TimeOnly), t.Way, t.Why))
		}
	}
	return lines
}

// inARow is how many calls in a row have to be answered until calls count as succeeding again.
const inARow = 8

// service is what callers of one way noticed from a time on.
type service struct {
	Way string `json:"way"`
	// Again is how long after that time the first of inARow calls in a row was answered, in seconds; below 0 there are none.
	Again float64 `json:"secondsUntilCallsSucceed"`
	// Tried and Failed are the calls that began since, Later those of them that failed after Again. Slowest is the longest time from a
	// call's begin to its answer, in seconds.
	Tried   int     `json:"tried"`
	Failed  int     `json:"failed"`
	Later   int     `json:"failedLater"`
	Slowest float64 `json:"slowestAnswerSeconds"`
	// Why is why the last one failed.
	Why string `json:"lastFailure,omitempty"`
}

// serviceOf looks at the calls of a way that began from one time on and before another. A call that began just before and failed counts
// as well: what it met is the same.
func serviceOf(tries []calls.Try, way string, from, to time.Time) service {
	s := service{Way: way, Again: -1}
	var mine []calls.Try
	for _, t := range tries {
		if t.Way == way && t.At.Before(to) && (!t.At.Before(from) || !t.OK() && from.Sub(t.At) < 5*time.Second) {
			mine = append(mine, t)
		}
	}
	slices.SortFunc(mine, func(a, b calls.Try) int { return a.At.Compare(b.At) })
	s.Tried = len(mine)
	row := 0
	for i, t := range mine {
		if !t.OK() {
			row, s.Failed, s.Why = 0, s.Failed+1, t.Why
			if s.Again >= 0 {
				s.Later++
			}
			continue
		}
		s.Slowest = max(s.Slowest, t.Answered.Sub(t.At).Seconds())
		if row++; row == inARow && s.Again < 0 {
			s.Again = mine[i-inARow+1].Answered.Sub(from).Seconds()
		}
	}
	return s
}

// services are those of all ways.
func services(tries []calls.Try, from, to time.Time) []service {
	var all []service
	for _, way := range calls.Ways() {
		all = append(all, serviceOf(tries, way, from, to))
	}
	return all
}

// String is "to a phone after 12.0s (4 of 900 failed, the slowest took 8.1s)", and how many failed after that, where any did.
func (s service) String() string {
	when := "not again"
	if s.Again >= 0 {
		when = "after " + progress.Short(time.Duration(s.Again*float64(time.Second)))
	}
	text := fmt.Sprintf("%s %s (%d of %d failed, the slowest took %s", s.Way, when, s.Failed, s.Tried, progress.Short(time.Duration(s.Slowest*float64(time.Second))))
	if s.Later > 0 {
		text += fmt.Sprintf("; %d of them after that", s.Later)
	}
	text += ")"
	if (s.Again < 0 || s.Later > 0) && s.Why != "" {
		text += ": " + s.Why
	}
	return text
}

// answered counts the calls that the Routers have to have a record of with a carrier's number.
func answered(tries []calls.Try) int {
	n := 0
	for _, t := range tries {
		if t.OK() && t.Way != calls.WayOut {
			n++
		}
	}
	return n
}
