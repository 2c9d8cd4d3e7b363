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
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// calldata runs the operator's command inside the rehearsal's network, as an operator would, and answers its standard
// output.
func (w *world) calldata(ctx context.Context, o Options, stdin []byte, args ...string) ([]byte, error) {
	return w.told(ctx, o, io.Discard, stdin, args...)
}

// told is calldata with somebody who hears of its progress.
func (w *world) told(ctx context.Context, o Options, progress io.Writer, stdin []byte, args ...string) ([]byte, error) {
	cmd := w.network.Command(ctx, o.Calldata, args...)
	cmd.Dir = o.Repo
	cmd.Env = append(os.Environ(), environ(w.env)...)
	return w.run(cmd, progress, stdin, args)
}

// run runs a calldata with these arguments, and answers its standard output. An error has calldata's own exit code.
func (w *world) run(cmd *exec.Cmd, progress io.Writer, stdin []byte, args []string) ([]byte, error) {
	cmd.Stdin = bytes.NewReader(stdin)
	// A group of its own: Ctrl-C reaches the conductor, which then ends its children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	var out, diagnostics bytes.Buffer
	cmd.Stdout = &out
	cmd.Stderr = io.MultiWriter(&diagnostics, progress)
	err := cmd.Run()
	_, _ = fmt.Fprintf(w.log, "$ calldata %q\n%s%s", args, diagnostics.Bytes(), out.Bytes())
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = cli.WithCode(exit.ExitCode(), fmt.Errorf("calldata %s ended with code %d: %s", args[0], exit.ExitCode(), tail(diagnostics.Bytes(), 12)))
	}
	return out.Bytes(), err
}

// configure runs `calldata configure` over the machines that the stack has now.
func (w *world) configure(ctx context.Context, o Options, d *deployment, args ...string) ([]byte, error) {
	return w.calldata(ctx, o, []byte(d.outputs.Inventory), append([]string{"configure", "--stack", o.Stack, "--inventory", "-"}, args...)...)
}

// asRoot runs a script of bash on a machine and answers what it printed.
func (w *world) asRoot(ctx context.Context, m calls.Machine, script string) ([]byte, error) {
	line := w.ssh().Command(ctx, m).Args
	cmd := w.network.Command(ctx, line[0], line[1:]...)
	cmd.Stdin = strings.NewReader(script)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("on %s: %w: %s", m.Private, err, tail(diagnostics.Bytes(), 3))
	}
	return out.Bytes(), err
}

// ssh is the way into the machines.
func (w *world) ssh() calls.SSH {
	return calls.SSH{User: "admin", KeyFile: w.secrets.key, KnownHosts: w.env["CALLDATA_KNOWN_HOSTS"]}
}

// smoke is the call of a stack whose phones reach the engine itself.
func (w *world) smoke(ctx context.Context, o Options, d *deployment, step progress.Step) Check {
	s := step.Step("smoke")
	out, err := w.calldata(ctx, o, nil, "smoke", "--outputs", d.file, "--json")
	c := Check{Name: "smoke", OK: err == nil, Detail: summary(out)}
	if json.Valid(out) {
		c.Raw = out
	}
	if err != nil {
		c.Detail = joinNonEmpty(c.Detail, err.Error())
	}
	s.Done(err)
	return c
}

// health is the command as an operator runs it: machines of fleets let nobody else in.
func (w *world) health(ctx context.Context, o Options, step progress.Step) Check {
	c := w.operate(ctx, "health", step, "health", "--stack", o.Stack, "--json")
	if c.OK {
		c.Detail = summary(c.Raw)
	}
	return c
}

// summary counts the statuses in the JSON of `calldata health` and `calldata smoke`.
func summary(out []byte) string {
	var result struct {
		Checks []struct{ Name, Status, Detail string } `json:"checks"`
		Steps  []struct{ Name, Status, Detail string } `json:"steps"`
	}
	if json.Unmarshal(out, &result) != nil {
		return ""
	}
	count := map[string]int{}
	text := ""
	for _, c := range append(result.Checks, result.Steps...) {
		count[c.Status]++
		if c.Status == "fail" {
			text += fmt.Sprintf("; %s: %s", c.Name, c.Detail)
		}
	}
	return fmt.Sprintf("%d ok, %d warnings, %d skipped, %d failed", count["ok"], count["warn"], count["skip"], count["fail"]) + text
}

func joinNonEmpty(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// unchanged runs a second up and a second configuration: neither may change anything.
func (w *world) unchanged(ctx context.Context, o Options, d *deployment, step progress.Step) []Check {
	second := step.Step("second up")
	changes, err := d.stack.up(ctx, second)
	up := Check{Name: "second up changes nothing", OK: err == nil && onlySame(changes), Detail: automation.Describe(changes)}
	if err != nil {
		up.Detail = joinNonEmpty(up.Detail, err.Error())
	} else if !up.OK {
		err = errors.New(up.Detail)
	}
	second.Done(err)
	checks := []Check{up}
	if o.StopAfter == StageProvision || o.kind == stacks.KindAccount {
		return checks
	}

	return append(checks,
		w.configured(ctx, o, d, "second configuration", step),
		w.configured(ctx, o, d, "check of the configuration", step, "--check"))
}

// configured runs the configuration stage once more, on machines that have nothing left to change.
func (w *world) configured(ctx context.Context, o Options, d *deployment, name string, step progress.Step, flags ...string) Check {
	again := step.Step(name)
	out, err := w.configure(ctx, o, d, append(flags, "--json")...)
	c := Check{Name: name + " changes nothing"}
	var run struct {
		Result struct {
			Hosts []ansible.HostRecap `json:"hosts"`
		} `json:"result"`
	}
	if err == nil {
		err = json.Unmarshal(out, &run)
	}
	if err != nil {
		c.Detail = err.Error()
	} else {
		c.OK, c.Raw = len(run.Result.Hosts) > 0, out
		for _, h := range run.Result.Hosts {
			c.Detail = joinNonEmpty(c.Detail, fmt.Sprintf("%s: %d ok, %d changed", h.Host, h.OK, h.Changed))
			c.OK = c.OK && h.Changed == 0 && h.Failed == 0 && h.Unreachable == 0
		}
		if !c.OK {
			err = errors.New("it is not without changes: " + c.Detail)
		}
	}
	again.Done(err)
	return c
}

func onlySame(changes map[string]int) bool {
	for op, n := range changes {
		if op != "same" && n > 0 {
			return false
		}
	}
	return true
}

// scan searches state, logs, consoles and what the checks printed for the rehearsal's secrets. Process lists were
// searched all along.
func (w *world) scan(ctx context.Context, o Options, p *pulumiStack, r *Report) Check {
	state, err := p.State(ctx)
	if err == nil {
		w.scanner.look("the stack's state", state.Raw)
		err = w.emulator.Objects(ctx, stateBucket, func(key string, data []byte) { w.scanner.look("object "+key+" of the state bucket", data) })
	}
	err = errors.Join(err,
		w.scanner.tree(w.logs()),
		w.scanner.tree(filepath.Join(w.dir, "console")),
		w.scanner.tree(filepath.Join(w.dir, "emulator")),
		w.scanner.tree(filepath.Join(w.dir, "work")),
		w.scanner.tree(filepath.Join(o.Repo, ".calldata", o.Stack)))
	if data, jsonErr := json.Marshal(r); jsonErr == nil {
		w.scanner.look("the report", data)
	}
	result := w.scanner.result()
	c := Check{Name: "no secret leaked", OK: err == nil && len(result.Findings) == 0}
	c.Detail = fmt.Sprintf("%d secrets searched for in %d places, %d found", result.Secrets, result.Places, len(result.Findings))
	for _, f := range result.Findings {
		c.Detail += "; " + f
	}
	if err != nil {
		c.Detail = joinNonEmpty(c.Detail, err.Error())
	}
	c.Raw, _ = json.Marshal(result)
	return c
}

// tail is the end of a text, for an error that has room for a few lines.
func tail(b []byte, lines int) string {
	all := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
