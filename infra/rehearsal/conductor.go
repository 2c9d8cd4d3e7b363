package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/doubles"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/stacks"
)

// Run conducts a rehearsal from nothing to nothing: whatever happens, it removes all that it made. The report is never
// nil once the options are valid; the error says why the rehearsal failed.
func Run(ctx context.Context, o Options) (*Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	r := &Report{Stack: o.Stack, Started: begin.UTC(), Host: host(), Leftover: []string{}, Checks: []Check{}}

	lock, err := acquire(o.Stack)
	if err != nil {
		return nil, err
	}
	defer lock.release()

	err = perform(ctx, o, r)
	r.Result = Passed
	if err != nil {
		r.Result, r.Error = Failed, err.Error()
		if ctx.Err() != nil {
			r.Result = Interrupted
			err = cli.WithCode(cli.ExitInterrupted, err)
		}
	}
	r.Seconds = round(time.Since(begin))
	r.Steps = steps(o.Progress.Spans(), begin)
	return r, errors.Join(err, r.Write(ReportDir(o.Repo, o.Stack)))
}

// ReportDir is where a stack's last report lies.
func ReportDir(repo, stack string) string {
	return filepath.Join(repo, ".calldata", stack, "rehearsal")
}

// perform runs the steps. Its deferred removal runs after Ctrl-C too, on a context of its own.
func perform(ctx context.Context, o Options, r *Report) (err error) {
	if left, err := Remove(ctx, o.Stack); err != nil || len(left) > 0 {
		return fmt.Errorf("an earlier rehearsal left what cannot be removed: %s: %w", strings.Join(left, ", "), err)
	}
	tools, err := inStep(o.Progress, "set up", func(s progress.Step) (*Tools, error) {
		return Prepare(ctx, o.Repo, o.CacheDir, s)
	})
	if err != nil {
		return err
	}

	var w *world
	defer func() {
		keepLogs(o, w)
		step := o.Progress.Step("remove everything")
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		if w != nil {
			w.close()
		}
		left, removeErr := Remove(tidy, o.Stack)
		r.Leftover = append(r.Leftover, left...)
		if removeErr == nil && len(left) > 0 {
			removeErr = fmt.Errorf("left behind: %s", strings.Join(left, ", "))
		}
		step.Done(removeErr)
		err = errors.Join(err, removeErr)
	}()
	w, err = inStep(o.Progress, "build the world", func(s progress.Step) (*world, error) {
		return build(ctx, o, tools, s)
	})
	if err != nil {
		return err
	}
	r.Parts = parts(tools)
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	go w.scanner.processes(watching)
	used := newMeter(watching)
	err = deploy(ctx, o, w, tools, r)
	r.MemoryGiB = used.GiB()
	return err
}

// deploy takes the stack up, proves it and takes it down again.
func deploy(ctx context.Context, o Options, w *world, tools *Tools, r *Report) error {
	d := &deployment{file: filepath.Join(w.dir, "outputs.json")}
	_, err := inStep(o.Progress, "up", func(s progress.Step) (_ struct{}, err error) {
		if err = SetScene(ctx, w.emulator.AWSConfig(), o.kind); err != nil {
			return
		}
		if err = Workspace(w.work(), o.Repo, o.Stack, tools.Program, w.settings(o)); err != nil {
			return
		}
		if d.stack, err = openStack(ctx, w.pulumiRoot(), w.network.Name(), w.work(), o.Stack, w.env, w.log); err != nil {
			return
		}
		changes, err := d.stack.up(ctx, s, tools.Policies)
		r.Checks = append(r.Checks, policies(d.stack.judged, err))
		if err == nil {
			err = d.read(ctx, o.kind)
		}
		if err != nil {
			return
		}
		r.Checks = append(r.Checks, Check{Name: "pulumi up", OK: true, Detail: automation.Describe(changes)})
		return
	})
	if err != nil {
		return errors.Join(err, w.watcher.Err(), w.database.Err())
	}
	checks, err := inStep(o.Progress, "verify", func(s progress.Step) ([]Check, error) {
		return w.verify(ctx, o, d, s)
	})
	r.Calls = outcomes(checks)
	r.Checks = append(r.Checks, checks...)
	if o.Keep && o.Hold != nil && ctx.Err() == nil {
		o.Hold(w.access(o, d.outputs))
		// The end of a kept platform is asked for by a signal; what follows is not cut short by it.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
	}
	if err != nil {
		return err
	}

	_, err = inStep(o.Progress, "destroy", func(s progress.Step) (_ struct{}, err error) {
		scan := w.scan(ctx, o, d.stack, r)
		r.Checks = append(r.Checks, scan)
		changes, err := d.stack.release(ctx, s)
		if err == nil {
			changes, err = d.stack.destroy(ctx, s)
		}
		if err == nil {
			var left automation.State
			left, err = d.stack.State(ctx)
			r.Checks = append(r.Checks, Check{Name: "pulumi destroy", OK: err == nil && len(left.Resources) == 0,
				Detail: fmt.Sprintf("%s, %d left in the state", automation.Describe(changes), len(left.Resources))})
		}
		if err == nil {
			err = w.watcher.WaitIdle(ctx)
		}
		return
	})
	return errors.Join(err, failures(r.Checks))
}

// deployment is a stack that is up.
type deployment struct {
	stack *pulumiStack
	// outputs are what it tells, file is where commands find that.
	outputs stacks.Outputs
	file    string
}

// read asks the stack for its outputs.
func (d *deployment) read(ctx context.Context, kind stacks.Kind) error {
	outputs, raw, err := d.stack.outputs(ctx, kind)
	if err != nil {
		return err
	}
	d.outputs = outputs
	return os.WriteFile(d.file, raw, 0o600)
}

// verify runs the checks that the stage allows.
func (w *world) verify(ctx context.Context, o Options, d *deployment, s progress.Step) ([]Check, error) {
	var checks []Check
	if o.kind != stacks.KindAccount {
		checks = append(checks, w.booted(ctx, s))
		if o.StopAfter == "" {
			checks = append(checks, w.proven(ctx, o, d, s)...)
		}
	}
	if o.Training && len(failing(checks)) == 0 {
		checks = append(checks, w.trained(ctx, o, s))
	}
	if o.Restore && len(failing(checks)) == 0 {
		checks = append(checks, w.restored(ctx, o, d, s)...)
	}
	if o.Zone && len(failing(checks)) == 0 {
		checks = append(checks, w.zoneLost(ctx, o, d, s)...)
	}
	if o.Drill && len(failing(checks)) == 0 {
		checks = append(checks, w.drilled(ctx, o, d, s)...)
	}
	if o.Twice && len(failing(checks)) == 0 {
		checks = append(checks, w.unchanged(ctx, o, d, s)...)
	}
	// The last of all: an operator's deployment comes by sessions, and closes SSH to whoever comes straight.
	if o.Release && len(failing(checks)) == 0 {
		checks = append(checks, w.released(ctx, o, d, s)...)
	}
	if o.Rollback && len(failing(checks)) == 0 {
		checks = append(checks, w.rolledBack(ctx, o, d, s)...)
	}
	return checks, errors.Join(ctx.Err(), failures(checks))
}

// proven are the checks of a configured stack: of its machines, of who reaches them, of the calls that go through them, and of what
// is known of these.
func (w *world) proven(ctx context.Context, o Options, d *deployment, s progress.Step) []Check {
	checks := []Check{w.health(ctx, o, s), w.ports(ctx, o, d.outputs, s)}
	switch {
	case o.kind == stacks.KindDev:
		checks = append(checks, w.smoke(ctx, o, d, s))
	case checks[0].OK:
		gauges, err := w.gauges(ctx)
		begin, chosen := time.Now(), chosenCalls(o)
		if o.Calls != CallsNone {
			checks = append(checks, w.calls(ctx, o, d, chosen, s)...)
		}
		checks = append(checks, w.measured(ctx, gauges, err, s))
		if o.Calls != CallsNone {
			checks = append(checks, w.quiet(ctx, o, d.outputs, begin, chosen.groups, s))
		}
	}
	if len(failing(checks)) == 0 {
		checks = append(checks, w.operated(ctx, o, d.outputs, s))
	}
	return checks
}

func failing(checks []Check) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.OK })
}

func failures(checks []Check) error {
	var errs []error
	for _, c := range checks {
		if !c.OK {
			errs = append(errs, fmt.Errorf("%s: %s", c.Name, c.Detail))
		}
	}
	return errors.Join(errs...)
}

// close ends what runs, the gentle way; Remove deals with whatever resists.
func (w *world) close() {
	if w.database != nil {
		w.database.Stop()
	}
	if w.watcher != nil {
		w.watcher.Stop()
	}
	if w.front != nil {
		w.front.Stop()
	}
	if w.emulator != nil {
		w.emulator.Stop()
	}
	if w.log != nil {
		_ = w.log.Close()
	}
}

func (w *world) access(o Options, outputs stacks.Outputs) Access {
	a := Access{
		Shell: w.shell(),
		Stop:  fmt.Sprintf("calldata rehearse %s --stop", o.Stack),
		Web:   outputs.Endpoints.Web,
	}
	for _, n := range outputs.Nodes {
		a.SSH = append(a.SSH, fmt.Sprintf("nsenter --net=/run/netns/%s ssh -i %s -o UserKnownHostsFile=%s %s@%s",
			w.network.Name(), w.secrets.key, w.env["CALLDATA_KNOWN_HOSTS"], n.User, n.Address()))
	}
	return a
}

// parts says what was real.
func parts(t *Tools) []Part {
	var out []Part
	for _, p := range t.Engine.Parts {
		part := Part{Name: p.Name, Kind: Real, Detail: p.Version + ", " + p.Origin}
		if p.Name == engine.CommandPlugin && p.Origin == engine.OriginBuilt {
			part.Kind, part.Detail = Double, "stands for Pulumi's command provider "+p.Version+"; ours, to the same documented behaviour"
		}
		out = append(out, part)
	}
	if t.Engine.FastWait {
		out = append(out, Part{Name: "provider waits", Kind: Double, Detail: "the provider's fixed delays are cut: AWS needs them, the emulator does not"})
	}
	out = append(out,
		Part{Name: "Ansible", Kind: Real, Detail: "over SSH, through the stack's configuration stage"},
		Part{Name: "EC2 machines", Kind: Real, Detail: "Debian 12 in systemd-nspawn: own systemd, cloud-init, network and disk; the kernel is this machine's"},
		Part{Name: "RDS", Kind: Double, Detail: "PostgreSQL 15 on a Debian machine under the endpoint's name, with TLS and the managed password; one machine also for Multi-AZ: its standby is the same disk at another zone's address, after the 90 s that RDS takes"},
		Part{Name: "AWS API", Kind: Emulated, Detail: "moto with our extension; security groups and routes are records, they filter nothing"},
		Part{Name: "Pulumi backend", Kind: Emulated, Detail: "S3 bucket in the emulator, secrets by passphrase"},
		Part{Name: "instance metadata", Kind: Emulated, Detail: "IMDSv2 at its own address, with what the emulator knows of the instance; user data and keys reach cloud-init by its NoCloud source"},
		Part{Name: "AWS's names", Kind: Emulated, Detail: "machines find the emulator under AWS's host names, by HTTPS with an authority of this rehearsal, which Debian's own list trusts"},
	)
	for _, d := range doubles.List() {
		out = append(out, Part{Name: d.Name, Kind: Double, Detail: "stands for " + d.StandsFor + "; " + d.Differs})
	}
	return out
}

func inStep[T any](report *progress.Recorder, name string, work func(progress.Step) (T, error)) (T, error) {
	s := report.Step(name)
	v, err := work(s)
	s.Done(err)
	return v, err
}

// keepLogs copies the logs into the repository's own directory, where a person looks after a failure.
func keepLogs(o Options, w *world) {
	if w == nil {
		return
	}
	to := filepath.Join(ReportDir(o.Repo, o.Stack), "logs")
	_ = os.RemoveAll(to)
	for _, from := range []string{w.logs(), filepath.Join(w.dir, "console")} {
		_ = os.CopyFS(filepath.Join(to, filepath.Base(from)), os.DirFS(from))
	}
}

// host describes this machine for the report.
func host() Host {
	h := Host{CPUs: runtime.NumCPU()}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		h.MemoryGiB = int((info.Totalram*uint64(info.Unit) + 1<<29) >> 30)
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if data, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				h.System = strings.Trim(v, `"`)
			}
		}
	}
	return h
}
