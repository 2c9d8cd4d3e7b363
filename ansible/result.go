package ansible

import (
	"encoding/json"
	"fmt"
	"time"
)

// Result is the recap of a run.
type Result struct {
	// Playbook is what was run, relative to the directory of the content.
	Playbook string
	// Start is when it began, Elapsed how long it took.
	Start   time.Time
	Elapsed time.Duration
	// Hosts has one recap per host, in the order of their names. It is empty if the run broke off before its end.
	Hosts []HostRecap
	// Tasks are the tasks in the order of their first start, with the time that all hosts together spent in them.
	Tasks []TaskTime
	// Failures are the results that failed or were unreachable, in the order they came. Ignored ones are not among them.
	Failures []Failure
	// Exit is the exit code of ansible-playbook, and what it means.
	Exit Exit
}

// HostRecap counts a host's task results, as Ansible's own recap does.
type HostRecap struct {
	Host        string `json:"host"`
	OK          int    `json:"ok"`
	Changed     int    `json:"changed"`
	Unreachable int    `json:"unreachable"`
	Failed      int    `json:"failed"`
	Skipped     int    `json:"skipped"`
	Rescued     int    `json:"rescued"`
	Ignored     int    `json:"ignored"`
}

// TaskTime is how long a task took.
type TaskTime struct {
	Play string
	Name string
	// Hosts counts results, Elapsed adds up their times.
	Hosts   int
	Elapsed time.Duration
}

// Failure is one failed result.
type Failure struct {
	Host        string `json:"host"`
	Play        string `json:"play"`
	Task        string `json:"task"`
	Unreachable bool   `json:"unreachable"`
	// Message is without secrets. A task with no_log has none.
	Message string `json:"message"`
}

// String is one line, or more if the message has more.
func (f Failure) String() string {
	what := "failed"
	if f.Unreachable {
		what = "unreachable"
	}
	return fmt.Sprintf("%s: %s at %q: %s", f.Host, what, f.Task, f.Message)
}

// Changed is how many results changed something, on all hosts together.
func (r Result) Changed() int {
	n := 0
	for _, h := range r.Hosts {
		n += h.Changed
	}
	return n
}

// MarshalJSON has durations in seconds and the exit code with its name. Its fields are stable.
func (r Result) MarshalJSON() ([]byte, error) {
	type task struct {
		Play    string  `json:"play"`
		Name    string  `json:"name"`
		Hosts   int     `json:"hosts"`
		Seconds float64 `json:"seconds"`
	}
	tasks := make([]task, 0, len(r.Tasks))
	for _, t := range r.Tasks {
		tasks = append(tasks, task{t.Play, t.Name, t.Hosts, seconds(t.Elapsed)})
	}
	return json.Marshal(struct {
		Playbook string      `json:"playbook"`
		Start    time.Time   `json:"start"`
		Seconds  float64     `json:"seconds"`
		ExitCode int         `json:"exitCode"`
		Outcome  string      `json:"outcome"`
		Changed  int         `json:"changed"`
		Hosts    []HostRecap `json:"hosts"`
		Failures []Failure   `json:"failures"`
		Tasks    []task      `json:"tasks"`
	}{
		r.Playbook, r.Start.UTC(), seconds(r.Elapsed), r.Exit.Code, r.Exit.String(), r.Changed(),
		append([]HostRecap{}, r.Hosts...), append([]Failure{}, r.Failures...), tasks,
	})
}

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
