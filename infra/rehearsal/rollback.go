package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	// rollbackTime is how long all of the drill may take.
	rollbackTime = 40 * time.Minute
	// tryTime is how long one call may take, its phone's registration included.
	tryTime = 15 * time.Second
	// callsAgain is how long calls may fail after a rollback that says it is done.
	callsAgain = time.Minute
	// badWait is how long a stack may take to be well after the bad deployment, which it is not going to be.
	badWait = "30s"
)

// The bad deployment: somebody means to add a scanner to the SBC's list, and leaves a bar at its end. The last alternative is then
// empty and matches whatever calls. It is a valid value, Ansible is content with it, and Kamailio starts.
const (
	badFile    = "c4_sbc/scanners.yml"
	badSetting = "---\n# One more that was seen last night.\n" + `c4_sbc_scanners: "friendly-scanner|sipvicious|sundayddr|sipsak|sipcli|pplsip|"` + "\n"
	badSubject = "SBC: one more scanner"
	// goodSubject is the first commit's.
	goodSubject = "What is deployed"
)

// rolledBack is the rollback drill: a commit that breaks the SBC is deployed, noticed, and rolled back while somebody keeps calling;
// then the stack's state is damaged, and repaired from its history. Every command is run as an operator runs it.
func (w *world) rolledBack(ctx context.Context, o Options, d *deployment, step progress.Step) []Check {
	s := step.Step("rollback")
	ctx, cancel := context.WithTimeout(ctx, rollbackTime)
	defer cancel()
	r := &goingBack{w: w, o: o, d: d}
	checks := inOrder(ctx, s, []deed{
		{"commit deployed", r.deployGood}, {"bad deployment noticed", r.deployBad}, {"rollback brings calls back", r.back},
		{"commands refuse a damaged state", r.damage}, {"damaged state repaired", r.repair},
	})
	s.Done(failures(checks))
	return checks
}

// deed is a part of a drill. It answers what came of it.
type deed struct {
	name string
	do   func(context.Context) (string, error)
}

// inOrder does deeds, each of them a check, until one fails.
func inOrder(ctx context.Context, s progress.Step, deeds []deed) []Check {
	var checks []Check
	for _, next := range deeds {
		step := s.Step(next.name)
		detail, err := next.do(ctx)
		step.Done(err)
		c := Check{Name: next.name, OK: err == nil, Detail: detail}
		if err != nil {
			c.Detail = joinNonEmpty(c.Detail, err.Error())
		}
		checks = append(checks, c)
		if !c.OK {
			break
		}
	}
	return checks
}

// goingBack is what a rollback drill knows on its way.
type goingBack struct {
	w     *world
	o     Options
	d     *deployment
	clone clone
	// good is the commit that is gone back to.
	good string
	// known are the resources before the state is damaged.
	known []string
}

// reported is what of the JSON of `calldata deploy` and `calldata rollback` the drill looks at.
type reported struct {
	Result string `json:"result"`
	Steps  []struct {
		Name    string         `json:"name"`
		Status  verdict.Status `json:"status"`
		Detail  string         `json:"detail"`
		Seconds float64        `json:"seconds"`
	} `json:"steps"`
	// Deployment is that of a rollback, Kept the damaged state that a repair has put aside.
	Deployment *reported `json:"deployment"`
	Kept       string    `json:"kept"`
}

// read runs a calldata command that answers JSON, as an operator does.
func (r *goingBack) read(ctx context.Context, args ...string) (reported, error) {
	out, err := r.w.operator(ctx, append(args, "--json")...)
	var report reported
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil && err == nil {
		err = fmt.Errorf("calldata %s: its output is not JSON: %w", args[0], jsonErr)
	}
	return report, err
}

// deployGood gives the workspace a history and deploys its first commit: nothing is left to change, and the stack's history has it.
func (r *goingBack) deployGood(ctx context.Context) (string, error) {
	err := unlink(r.w.work(), r.o.Repo, r.o.Stack)
	if err == nil {
		r.clone, err = newClone(ctx, r.w.work())
	}
	if err == nil {
		r.good, err = r.clone.commit(ctx, goodSubject)
	}
	if err != nil {
		return "", err
	}
	begin := time.Now()
	report, err := r.read(ctx, "deploy", r.o.Stack, "--yes")
	switch {
	case err != nil:
		return "", err
	case report.Result != "unchanged":
		return "", fmt.Errorf("the deployment of what is deployed ended as %s, want unchanged", report.Result)
	}
	return "unchanged, in " + progress.Short(time.Since(begin)), r.call(ctx)
}

// deployBad deploys the bad commit. Health has to fail, and a call as well, or it would fail for nothing.
func (r *goingBack) deployBad(ctx context.Context) (string, error) {
	file := filepath.Join(r.w.work(), "ansible", "inventories", r.o.Stack, "group_vars", filepath.FromSlash(badFile))
	err := os.MkdirAll(filepath.Dir(file), 0o750)
	if err == nil {
		err = os.WriteFile(file, []byte(badSetting), 0o600)
	}
	if err == nil {
		_, err = r.clone.commit(ctx, badSubject)
	}
	if err != nil {
		return "", err
	}
	begin := time.Now()
	report, err := r.read(ctx, "deploy", r.o.Stack, "--yes", "--wait", badWait)
	why, err := noticed(report, err)
	if err != nil {
		return "", err
	}
	detail := fmt.Sprintf("exit code %d after %s: %s", cli.ExitUnhealthy, progress.Short(time.Since(begin)), why)
	if err := r.call(ctx); err == nil {
		return detail, errors.New("but a call still works: it is not broken")
	}
	return detail + "; a call fails", nil
}

// noticed answers what health said of the bad deployment, or why it is not what was wanted.
func noticed(report reported, err error) (string, error) {
	if code := cli.Code(err); code != cli.ExitUnhealthy {
		return "", errors.Join(fmt.Errorf("the bad deployment ended with code %d, want %d: a check failed", code, cli.ExitUnhealthy), err)
	}
	for _, s := range report.Steps {
		if s.Status == verdict.Fail {
			if s.Name != "health" {
				return "", fmt.Errorf("the bad deployment failed in the step %s, want health: %s", s.Name, s.Detail)
			}
			return s.Detail, nil
		}
	}
	return "", errors.New("the bad deployment failed in no step")
}

// back goes back to the first commit while somebody keeps calling, and measures from the command's start.
func (r *goingBack) back(ctx context.Context) (string, error) {
	calling, stop := context.WithCancel(ctx)
	defer stop()
	begin := time.Now()
	works := make(chan error, 1)
	var again time.Duration
	go func() {
		err := r.untilCall(calling)
		again = time.Since(begin)
		works <- err
	}()
	report, err := r.read(ctx, "rollback", r.o.Stack, "--to", r.good, "--yes")
	done := time.Since(begin)
	if err != nil {
		stop()
		<-works
		return "", err
	}
	defer time.AfterFunc(callsAgain, stop).Stop()
	if err := <-works; err != nil {
		return "", fmt.Errorf("no call works %s after the rollback was done: %w", progress.Short(callsAgain), err)
	}
	if report.Deployment == nil || report.Deployment.Result != "deployed" {
		return "", errors.New("the rollback deployed nothing")
	}
	if _, err := r.clone.git(ctx, "revert", "--no-edit", "HEAD"); err != nil {
		return "", err
	}
	return fmt.Sprintf("calls after %s, done after %s (%s)", progress.Short(again), progress.Short(done), stepTimes(*report.Deployment)), r.unchanged(ctx)
}

// stepTimes are the steps of a deployment that took a while.
func stepTimes(d reported) string {
	var all []string
	for _, s := range d.Steps {
		if took := time.Duration(s.Seconds * float64(time.Second)); took >= time.Second {
			all = append(all, s.Name+" "+progress.Short(took))
		}
	}
	return strings.Join(all, ", ")
}

// untilCall calls until one call works.
func (r *goingBack) untilCall(ctx context.Context) error {
	for {
		err := r.call(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// call is one call from a carrier through SBC, Router and engine to a phone.
func (r *goingBack) call(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	out, err := r.w.calldata(ctx, r.o, nil, "calls", "--plan", callPlanFile(r.w.dir), "--groups", calls.GroupCalls, "--only", calls.BothEndsTalk, "--json")
	var result calls.Result
	if err == nil {
		err = json.Unmarshal(out, &result)
	}
	if err == nil && result.Counts()[verdict.OK] != 1 {
		err = errors.New("the call tester has not called")
	}
	return err
}

// unchanged asks whether the clone is what is deployed.
func (r *goingBack) unchanged(ctx context.Context) error {
	_, err := r.w.operator(ctx, "preview", r.o.Stack, "--expect-no-changes")
	return err
}

// stateKey is where Pulumi's backend keeps a stack's state.
// Source: pulumi/pulumi v3.259.0, pkg/backend/diy.
func stateKey(stack string) string { return ".pulumi/stacks/" + stacks.Project + "/" + stack + ".json" }

// half cuts a file off, as a write that was interrupted would.
func half(data []byte) []byte { return data[:len(data)/2] }

// damage cuts the state in half. What then works with it has to end, and to leave it as it is.
func (r *goingBack) damage(ctx context.Context) (string, error) {
	state, err := r.d.stack.State(ctx)
	if err != nil {
		return "", err
	}
	r.known = resources(state)
	var before, after []byte
	err = r.w.emulator.Change(ctx, stateBucket, stateKey(r.o.Stack), func(data []byte) []byte {
		before = half(data)
		return before
	})
	if err != nil {
		return "", err
	}
	var codes []string
	for _, args := range [][]string{{"preview", r.o.Stack}, {"deploy", r.o.Stack, "--yes"}} {
		_, err := r.w.operator(ctx, args...)
		if err == nil {
			return "", fmt.Errorf("calldata %s works on half a state", args[0])
		}
		codes = append(codes, fmt.Sprintf("%s ends with code %d", args[0], cli.Code(err)))
	}
	err = r.w.emulator.Change(ctx, stateBucket, stateKey(r.o.Stack), func(data []byte) []byte {
		after = data
		return data
	})
	if err == nil && !bytes.Equal(before, after) {
		err = errors.New("the damaged state is no longer what it was")
	}
	return fmt.Sprintf("%d resources, state cut to %d bytes; %s", len(r.known), len(before), strings.Join(codes, ", ")), err
}

// repair brings the state back from the backend's history. No resource may be missing, none new, and nothing be left to change.
func (r *goingBack) repair(ctx context.Context) (string, error) {
	begin := time.Now()
	report, err := r.read(ctx, "rollback", r.o.Stack, "--state", "--yes")
	took := time.Since(begin)
	if err != nil {
		return "", err
	}
	if report.Result != "repaired" || report.Kept == "" {
		return "", fmt.Errorf("the repair ended as %q and kept %q, want repaired, and the damaged state kept", report.Result, report.Kept)
	}
	state, err := r.d.stack.State(ctx)
	if err != nil {
		return "", err
	}
	now := resources(state)
	if !slices.Equal(r.known, now) {
		return "", fmt.Errorf("the state had %d resources and has %d, not the same", len(r.known), len(now))
	}
	return fmt.Sprintf("in %s, %d of %d resources, a preview has no changes", progress.Short(took), len(now), len(r.known)), r.unchanged(ctx)
}

// resources names what a state knows, in order.
func resources(s automation.State) []string {
	var all []string
	for _, r := range s.Resources {
		all = append(all, string(r.URN)+" "+string(r.ID))
	}
	slices.Sort(all)
	return all
}
