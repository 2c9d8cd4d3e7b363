package ansible

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// event is one line of plugins/callback/calldata_events.py.
type event struct {
	Event   string               `json:"event"`
	Name    string               `json:"name"`
	Handler bool                 `json:"handler"`
	Host    string               `json:"host"`
	Task    string               `json:"task"`
	Status  string               `json:"status"`
	Seconds float64              `json:"seconds"`
	Message string               `json:"message"`
	Said    string               `json:"said"`
	Hosts   map[string]HostRecap `json:"hosts"`
}

// recorder builds a Result from events and tells a reporter of them. One goroutine uses it.
type recorder struct {
	masker   *Masker
	reporter progress.Reporter

	result Result
	ran    bool
	play   string
	step   progress.Step
	// tasks counts the task starts of the current play; failed tells that one of its hosts failed.
	tasks  int64
	failed error
	index  map[[2]string]int
}

func newRecorder(m *Masker, r progress.Reporter, playbook string) *recorder {
	return &recorder{
		masker: m, reporter: r, index: map[[2]string]int{},
		result: Result{Playbook: playbook, Start: time.Now(), Exit: Exit{Code: -1}},
	}
}

// read takes events from r to its end. Lines may be of any length. A line that is no event is an error, which does not stop
// the reading: a writer that nobody reads from would stand still.
func (rec *recorder) read(r io.Reader) error {
	var errs []error
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if bad := json.Unmarshal(line, &e); bad != nil {
				errs = append(errs, fmt.Errorf("event stream of Ansible: %w", bad))
			} else {
				rec.handle(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return errors.Join(errs...)
		}
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("event stream of Ansible: %w", err))...)
		}
	}
}

func (rec *recorder) handle(e event) {
	mask := rec.masker.String
	switch e.Event {
	case "play":
		rec.closePlay()
		rec.play = mask(e.Name)
		rec.step = rec.reporter.Step(rec.play)
	case "task":
		rec.tasks++
		name := mask(e.Name)
		if e.Handler {
			name = "handler: " + name
		}
		if rec.step != nil {
			rec.step.Progress(rec.tasks, 0, name)
		}
		rec.task(mask(e.Name))
	case "host":
		rec.host(e)
	case "stats":
		rec.closePlay()
		rec.ran = true
		for _, name := range sortedKeys(e.Hosts) {
			h := e.Hosts[name]
			h.Host = name
			rec.result.Hosts = append(rec.result.Hosts, h)
		}
	}
}

// task finds the entry of the current play's task, and makes it at its first start.
func (rec *recorder) task(name string) *TaskTime {
	key := [2]string{rec.play, name}
	i, ok := rec.index[key]
	if !ok {
		i = len(rec.result.Tasks)
		rec.index[key] = i
		rec.result.Tasks = append(rec.result.Tasks, TaskTime{Play: rec.play, Name: name})
	}
	return &rec.result.Tasks[i]
}

func (rec *recorder) host(e event) {
	mask := rec.masker.String
	t := rec.task(mask(e.Task))
	t.Hosts++
	t.Elapsed += time.Duration(e.Seconds * float64(time.Second))
	say := rec.reporter
	if rec.step != nil {
		say = rec.step
	}
	switch e.Status {
	case "failed", "unreachable":
		f := Failure{
			Host: e.Host, Play: rec.play, Task: mask(e.Task), Unreachable: e.Status == "unreachable", Message: mask(e.Message),
		}
		rec.result.Failures = append(rec.result.Failures, f)
		if rec.failed == nil {
			rec.failed = errors.New(f.String())
		}
		say.Logf("%s", f)
	case "ignored":
		say.Logf("%s: failed at %q, ignored: %s", e.Host, mask(e.Task), mask(e.Message))
	case "ok":
		if e.Said != "" {
			say.Logf("%s: %s", e.Host, mask(e.Said))
		}
	}
}

// closePlay ends the step of the play in hand.
func (rec *recorder) closePlay() {
	if rec.step != nil {
		if rec.failed == nil && rec.tasks == 0 {
			rec.failed = fmt.Errorf("%w: no host needs it", progress.ErrSkipped)
		}
		rec.step.Done(rec.failed)
	}
	rec.step, rec.tasks, rec.failed = nil, 0, nil
}

// finish closes what is open after the process has ended.
func (rec *recorder) finish(exit Exit, cause error) Result {
	if rec.step != nil && rec.failed == nil && (cause != nil || !exit.OK()) {
		rec.failed = cause
		if cause == nil {
			rec.failed = errors.New(exit.String())
		}
	}
	rec.closePlay()
	exit.Ran = rec.ran
	rec.result.Exit = exit
	rec.result.Elapsed = time.Since(rec.result.Start)
	return rec.result
}
