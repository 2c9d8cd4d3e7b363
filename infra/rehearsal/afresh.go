package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/promise"
)

const (
	// afreshTime is how long a drill may take: a second stack is deployed and configured, called, and taken down.
	afreshTime = 75 * time.Minute
	// goneTime is how long machines may take to go after their instances.
	goneTime = 2 * time.Minute
	// drillCommand is the name of the check that has the command's report.
	drillCommand = "drill"
)

// drillNetwork is the network of a drill's stack. The live one's would do on AWS; here all machines are on one bridge.
var drillNetwork = netip.MustParsePrefix("10.31.0.0/16")

// drillStack is the name that `calldata dr drill` gives a stack.
func drillStack(stack string) string { return stack + "-drill" }

// drilled is the drill for a lost region: what is saved now is made a second stack by `calldata dr drill`, beside the live one, which has to be
// as it was afterwards.
func (w *world) drilled(ctx context.Context, o Options, d *deployment, step progress.Step) []Check {
	s := step.Step("drill")
	a := &afresh{w: w, o: o, d: d, step: s}
	bounded, cancel := context.WithTimeout(ctx, afreshTime)
	defer cancel()
	checks := inOrder(bounded, s, []deed{
		{"saved for the drill", a.save}, {drillCommand, a.drill}, {"nothing left of the drill", a.gone}, {"live stack untouched", a.untouched},
	})
	for i := range checks {
		if checks[i].Name == drillCommand && json.Valid(a.report) {
			checks[i].Raw = a.report
		}
	}
	if len(failing(checks)) == 0 {
		checks = append(checks, w.again(ctx, o, d, "after the drill", s)...)
	}
	s.Done(failures(checks))
	return checks
}

// afresh is what the drill knows on its way.
type afresh struct {
	w    *world
	o    Options
	d    *deployment
	step progress.Step
	// live looks at the live stack, whose digests it has; machines are all that there are.
	live     *drill
	machines []string
	// began is when the first thing was saved.
	began time.Time
	// report is what the command printed.
	report []byte
}

// save makes the backups and the snapshot that a night makes.
func (a *afresh) save(ctx context.Context) (string, error) {
	a.began, a.machines = time.Now(), a.w.machines()
	topology, err := a.w.topology(a.o)
	if err != nil {
		return "", err
	}
	if a.live, err = a.w.newDrill(ctx, a.o, a.d); err != nil {
		return "", err
	}
	if err := a.live.backUp(ctx, a.step); err != nil {
		return "", err
	}
	name := topology.Database.Name
	_, err = rds.NewFromConfig(a.w.emulator.AWSConfig()).CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
		DBInstanceIdentifier: aws.String(name), DBSnapshotIdentifier: aws.String(name + "-night"),
	})
	if err != nil {
		return "", fmt.Errorf("make a snapshot of %s: %w", name, err)
	}
	return fmt.Sprintf("engine and a snapshot of %s, in %s", name, progress.Short(time.Since(a.began))), nil
}

// drill runs the command, as an operator whose repository has the documents of routing and tenant.
func (a *afresh) drill(ctx context.Context) (string, error) {
	plan, remove, err := a.documents(ctx)
	defer remove()
	if err != nil {
		return "", err
	}
	begin := time.Now()
	a.report, err = a.w.operatorTold(ctx, progressLines{a.step}, "dr", "drill", a.o.Stack, "--yes", "--json", "--skip", "preflight",
		"--set", "vpcCidr="+drillNetwork.String(), "--identity", a.w.secrets.backup, "--calls", plan)
	var report drillReport
	if jsonErr := json.Unmarshal(a.report, &report); jsonErr != nil {
		err = cmp.Or(err, fmt.Errorf("the report of the drill is not JSON: %w", jsonErr))
	} else {
		err = errors.Join(err, report.judge(begin.Sub(a.began)))
	}
	if err != nil { // a machine that did not boot may be why
		return stepTimes(report.reported), errors.Join(err, a.w.watcher.Err(), a.w.database.Err())
	}
	return fmt.Sprintf("%s; the data was %s old, the stack well after %s, of %s promised (%s)", progress.Short(time.Since(begin)), seconds(report.RPO), seconds(report.RTO),
		promise.Span(promise.Of(promise.Region).RTO), stepTimes(report.reported)), nil
}

func seconds(n float64) string { return progress.Short(time.Duration(n * float64(time.Second))) }

// documents makes the workspace an operator's repository: with a copy of Ansible's content, with the documents of routing and tenant, and with
// a place for the new stack's logs that outlives it. It answers the plan of the calls, and a function that takes the documents away: the live
// stack was deployed without them.
func (a *afresh) documents(ctx context.Context) (file string, remove func(), err error) {
	inventory := filepath.Join(a.w.work(), "ansible", "inventories", a.o.Stack)
	routing, tenant := filepath.Join(inventory, "routing.yml"), filepath.Join(inventory, "tenant.yml")
	remove = func() {
		_ = os.Remove(routing) // the workspace goes with the rehearsal
		_ = os.Remove(tenant)
	}
	plan, err := a.w.callPlan(ctx, a.d.outputs)
	if err != nil {
		return "", remove, err
	}
	topology, err := a.w.topology(a.o)
	if err != nil {
		return "", remove, err
	}
	logs := filepath.Join(a.w.logs(), drillStack(a.o.Stack))
	file = filepath.Join(a.w.dir, "drill.json")
	if err := errors.Join(unlink(a.w.work(), a.o.Repo, a.o.Stack), os.MkdirAll(logs, 0o700),
		os.Symlink(logs, filepath.Join(a.w.work(), stateDir, drillStack(a.o.Stack))), writePlan(file, plan)); err != nil {
		return "", remove, err
	}
	networks := append(routerNetworks(*topology.Network, plan.Routers), drillNetwork)
	ofAnyStack := plan
	ofAnyStack.Routers = nil // the trunk leads to the stack's own
	return file, remove, errors.Join(os.WriteFile(routing, []byte(sceneRouting(plan)), 0o600), os.WriteFile(tenant, []byte(sceneTenant(ofAnyStack, networks)), 0o600))
}

// drillReport is what of the JSON of `calldata dr drill` is judged.
type drillReport struct {
	reported
	RPO   float64 `json:"rpoSeconds"`
	RTO   float64 `json:"rtoSeconds"`
	Error string  `json:"error"`
}

// judge reports what is not as it has to be: everything works and is measured, and nothing was left out. Nothing changes meanwhile, so that
// every table comes back. Oldest is the age of the oldest thing that was saved, when the command began.
func (r drillReport) judge(oldest time.Duration) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Result != "drilled" {
		bad("the drill ended as %q, want drilled: %s", r.Result, r.Error)
	}
	compared := false
	for _, s := range r.Steps {
		if s.Status != verdict.OK {
			bad("%s: %s: %s", s.Name, s.Status, s.Detail)
		}
		if s.Name == "compare" && s.Status == verdict.OK {
			compared = true
			if strings.Contains(s.Detail, "changed since") {
				bad("nothing has changed, and yet: %s", s.Detail)
			}
		}
	}
	if !compared {
		bad("the databases were not compared")
	}
	const asked = 60 // seconds until the command looks at how old things are
	if r.RPO > oldest.Seconds()+asked {
		bad("the data was %.0f s old, and it was saved %.0f s before", r.RPO, oldest.Seconds())
	}
	if r.RTO <= 0 {
		bad("it was not measured until when the stack was well")
	}
	return errors.Join(errs...)
}

// gone proves that nothing is left of the stack: machines, network, state, and what it had in the repository.
func (a *afresh) gone(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, goneTime)
	defer cancel()
	if err := a.w.watcher.WaitIdle(ctx); err != nil {
		return "", err
	}
	for now := a.w.machines(); !slices.Equal(now, a.machines); now = a.w.machines() {
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the machines before were %s, and are %s", strings.Join(a.machines, ", "), strings.Join(now, ", "))
		case <-time.After(time.Second):
		}
	}
	var left []string
	vpcs, err := ec2.NewFromConfig(a.w.emulator.AWSConfig()).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{
		Filters: []types.Filter{{Name: aws.String("cidr"), Values: []string{drillNetwork.String()}}},
	})
	if err != nil {
		return "", err
	}
	for _, v := range vpcs.Vpcs {
		left = append(left, aws.ToString(v.VpcId))
	}
	stack := drillStack(a.o.Stack)
	err = a.w.emulator.Objects(ctx, stateBucket, func(key string, _ []byte) {
		if key == stateKey(stack) {
			left = append(left, "its state")
		}
	})
	if err != nil {
		return "", err
	}
	for _, name := range []string{"Pulumi." + stack + ".yaml", "ansible/inventories/" + stack, "ansible/inventories/" + stack + ".sh", ".calldata/" + stack + "/afresh.json"} {
		if _, err := os.Lstat(filepath.Join(a.w.work(), name)); !errors.Is(err, fs.ErrNotExist) {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		return "", fmt.Errorf("left are %s", strings.Join(left, ", "))
	}
	return fmt.Sprintf("the %d machines that there were", len(a.machines)), nil
}

// untouched compares the live stack with what it was.
func (a *afresh) untouched(ctx context.Context) (string, error) {
	now, err := a.live.look(ctx)
	if err != nil {
		return "", err
	}
	same := a.live.before.same(now)
	if len(same) < len(a.live.before) {
		return "", fmt.Errorf("not as before: %s", strings.Join(a.live.before.without(same), ", "))
	}
	return fmt.Sprintf("%d digests as before", len(same)), nil
}

// machines are the names of all that there are, in order.
func (w *world) machines() []string { return slices.Sorted(slices.Values(w.watcher.Machines.IDs())) }
