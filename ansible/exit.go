package ansible

import (
	"fmt"
	"strings"
	"syscall"
)

// Bits of ansible-playbook's exit code when plays ran: class TaskQueueManager in lib/ansible/executor/task_queue_manager.py of
// ansible-core 2.16. Several may be set.
const (
	bitError       = 1
	bitFailed      = 2
	bitUnreachable = 4
	bitBrokenOff   = 8
)

// Exit codes of ansible-playbook that are no bit masks: method cli_executor in lib/ansible/cli/__init__.py of ansible-core
// 2.16. Code 4 is a parser error there, and unreachable hosts above: whether a recap came tells them apart.
const (
	codeUsage       = 2
	codeParser      = 4
	codeOptions     = 5
	codeInterrupted = 99
	codeUnexpected  = 250
	codeUnknown     = 255
)

// Exit is how ansible-playbook ended.
type Exit struct {
	// Code is the process's exit code, -1 if a signal ended it or if it never started.
	Code int
	// Signal is the signal that ended it, 0 if none did.
	Signal syscall.Signal
	// Ran tells that a recap came: plays ran, and Code is a bit mask.
	Ran bool
}

// OK tells that everything was done.
func (e Exit) OK() bool { return e.Code == 0 && e.Ran }

func (e Exit) has(bit int) bool {
	return e.Ran && e.Code > 0 && e.Code < 16 && e.Code&bit != 0
}

// FailedHosts tells that a task failed on a host.
func (e Exit) FailedHosts() bool { return e.has(bitFailed) || e.has(bitBrokenOff) }

// UnreachableHosts tells that a host could not be reached.
func (e Exit) UnreachableHosts() bool { return e.has(bitUnreachable) }

// BadInput tells that Ansible refused its options, an inventory or the content before any play ran.
func (e Exit) BadInput() bool {
	return !e.Ran && (e.Code == codeUsage || e.Code == codeParser || e.Code == codeOptions)
}

// String is what the code means.
func (e Exit) String() string {
	if e.Signal != 0 {
		return "ended by signal " + e.Signal.String()
	}
	if !e.Ran {
		switch e.Code {
		case 0:
			return "no recap"
		case bitError:
			return "error before any play"
		case codeUsage, codeOptions:
			return "wrong options"
		case codeParser:
			return "content or inventory cannot be parsed"
		}
	}
	switch e.Code {
	case -1:
		return "not started"
	case 0:
		return "ok"
	case codeInterrupted:
		return "interrupted"
	case codeUnexpected:
		return "unexpected error in Ansible"
	case codeUnknown:
		return "unknown error in Ansible"
	}
	var names []string
	for _, b := range []struct {
		bit  int
		name string
	}{{bitError, "error"}, {bitFailed, "failed hosts"}, {bitUnreachable, "unreachable hosts"}, {bitBrokenOff, "play broken off"}} {
		if e.has(b.bit) {
			names = append(names, b.name)
		}
	}
	if len(names) == 0 {
		return fmt.Sprintf("unknown exit code %d", e.Code)
	}
	return strings.Join(names, ", ")
}

// RunError says why a run did not reach its end in peace. Its text holds no known secret.
type RunError struct {
	// Result is what is known of the run.
	Result Result
	// Output is the end of what Ansible printed on standard error, and on standard output if no play ran.
	Output string
	// Err is what stopped the run from here: the context's error, or what the system said. It may be nil.
	Err error
}

// maxShown is how many failures an error's text names. The log has all.
const maxShown = 5

// Error names the playbook, how it ended, and the first failures.
func (e *RunError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "ansible-playbook %s: ", e.Result.Playbook)
	switch {
	case e.Err != nil:
		fmt.Fprintf(&b, "%v", e.Err)
	case e.Result.Exit.Code > 0:
		fmt.Fprintf(&b, "exit code %d, %s", e.Result.Exit.Code, e.Result.Exit)
	default:
		b.WriteString(e.Result.Exit.String())
	}
	for i, f := range e.Result.Failures {
		if i == maxShown {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Result.Failures)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %s", indent(f.String()))
	}
	if len(e.Result.Failures) == 0 && e.Err == nil && e.Output != "" {
		fmt.Fprintf(&b, "\n  %s", indent(e.Output))
	}
	return b.String()
}

// Unwrap gives what stopped the run, for errors.Is(err, context.Canceled).
func (e *RunError) Unwrap() error { return e.Err }

func indent(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") }
