package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// releaseTime is how long both tries of a release may take: four machines configure themselves, and those that get an address do it once
// more, with each try.
const releaseTime = 110 * time.Minute

// released releases the other colour while calls are up: a first try goes back by itself, the second one moves the calls. Then it finishes
// the release, and calls by what is there.
func (w *world) released(ctx context.Context, o Options, d *deployment, step progress.Step) []Check {
	s := step.Step("release")
	checks := w.releaseUnderCalls(ctx, o, s)
	var plan calls.Plan
	for _, next := range []func() Check{
		// The engines' trunk names Routers by address: it is told of the new ones before the old ones go.
		func() Check {
			var file string
			var err error
			if plan, err = w.callPlan(ctx, d.outputs); err == nil {
				file, err = w.tenantFile(o, plan)
			}
			if err != nil {
				return Check{Name: "tenant applied", Detail: err.Error()}
			}
			return w.operate(ctx, "tenant applied", s, "setup", o.Stack, "--file", file, "--yes", "--json")
		},
		func() Check { return w.operate(ctx, "release finished", s, releaseArgs(o.Stack, "--finish")...) },
		func() Check {
			c := w.health(ctx, o, s)
			c.Name += " after the release"
			return c
		},
		func() Check {
			var err error
			if plan, err = w.callPlan(ctx, d.outputs); err != nil { // without the machines that have gone
				return Check{Name: checkCalls, Detail: err.Error()}
			}
			return w.runCalls(ctx, o, plan, calling{groups: []string{calls.GroupCalls, calls.GroupFailover, calls.GroupRecords}}, s)
		},
	} {
		if len(failing(checks)) > 0 {
			break
		}
		checks = append(checks, next())
	}
	s.Done(failures(checks))
	return checks
}

func releaseArgs(stack string, more ...string) []string {
	return append([]string{"release", stack, "blue-green", "--yes", "--json", "--skip", "preflight", "--soak", "30s", "--wait", "20m"}, more...)
}

// releaseUnderCalls releases while callers call, and waits for their last calls.
func (w *world) releaseUnderCalls(ctx context.Context, o Options, step progress.Step) []Check {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	file, err := w.releasePlan(ctx, o)
	if err != nil {
		return []Check{{Name: "release", Detail: err.Error()}}
	}
	calling := make(chan Check, 1)
	go func() {
		s := step.Step("calls through the release")
		out, err := w.told(ctx, o, progressLines{s}, nil, "calls", "--plan", file, "--groups", calls.GroupRelease, "--json")
		c := Check{Name: "calls through the release", OK: err == nil}
		var result calls.Result
		if json.Unmarshal(out, &result) == nil {
			c.Raw, c.Detail = out, callsSummary(result)
			for _, scenario := range result.Scenarios {
				c.Detail = joinNonEmpty(c.Detail, scenario.Told())
			}
		} else if err != nil {
			c.Detail = err.Error()
		}
		s.Done(err)
		calling <- c
	}()
	args := releaseArgs(o.Stack, "--domain", tenantDomain(o.Stack))
	checks := []Check{w.spoilt(ctx, o.Stack, step, args)}
	if checks[0].OK {
		checks = append(checks, w.operate(ctx, "release", step, args...))
	}
	if err := os.WriteFile(releaseOver(w.dir), nil, 0o600); err != nil {
		cancel() // nobody would end the calls
	}
	return append(checks, <-calling)
}

// spoilt is a release during which an alarm comes on once calls go to both colours: it has to notice, and to take the calls back by itself.
func (w *world) spoilt(ctx context.Context, stack string, step progress.Step, args []string) Check {
	s := step.Step("release that goes back")
	watching, stop := context.WithCancel(ctx)
	defer stop()
	rung := make(chan error, 1)
	alarm := stack + "-rehearsal"
	go func() { rung <- w.ring(watching, stack, alarm) }()
	out, err := w.operator(ctx, args...)
	stop()
	var report reported
	_ = json.Unmarshal(out, &report) // an empty one is not what is wanted
	detail, err := wentBack(report, err, alarm)
	if ringing := <-rung; ringing != nil {
		err = errors.Join(ringing, err)
	}
	_, quiet := cloudwatch.NewFromConfig(w.emulator.AWSConfig()).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{alarm}})
	err = errors.Join(err, quiet)
	s.Done(err)
	c := Check{Name: "release that goes back", OK: err == nil, Detail: detail}
	if json.Valid(out) {
		c.Raw = out
	}
	if err != nil {
		c.Detail = err.Error()
	}
	return c
}

// ring has an alarm come on once the load balancer has the SBCs of the new colour.
func (w *world) ring(ctx context.Context, stack, alarm string) error {
	config := w.emulator.AWSConfig()
	groups, bell := autoscaling.NewFromConfig(config), cloudwatch.NewFromConfig(config)
	name := stacks.FleetName(stack, stacks.RoleC4SBC, stacks.Green)
	for {
		found, err := groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
		if err == nil && len(found.AutoScalingGroups) > 0 && len(found.AutoScalingGroups[0].TargetGroupARNs) > 0 {
			break
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("no calls came to %s, so that the alarm %s was not rung: %w", name, alarm, ctx.Err()), err)
		case <-time.After(time.Second):
		}
	}
	_, err := bell.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String(alarm), Namespace: aws.String("Rehearsal"), MetricName: aws.String("Faults"), Statistic: cwtypes.StatisticSum, Period: aws.Int32(60),
		EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold,
	})
	if err == nil {
		_, err = bell.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String(alarm), StateValue: cwtypes.StateValueAlarm, StateReason: aws.String("rehearsal")})
	}
	return err
}

// resultWentBack is what the JSON of calldata release says where the calls are back.
const resultWentBack = "went back"

// wentBack answers what the release says of the alarm, or why it is not what was wanted.
func wentBack(report reported, err error, alarm string) (string, error) {
	if code := cli.Code(err); code != cli.ExitUnhealthy || report.Result != resultWentBack {
		return "", errors.Join(fmt.Errorf("the release ended with code %d and the result %q, want %d and %q", code, report.Result, cli.ExitUnhealthy, resultWentBack), err)
	}
	for _, s := range report.Steps {
		if s.Status == verdict.Fail {
			if !strings.Contains(s.Detail, alarm) {
				return "", fmt.Errorf("the release went back for another reason than the alarm %s: %s: %s", alarm, s.Name, s.Detail)
			}
			return fmt.Sprintf("exit code %d: %s: %s", cli.ExitUnhealthy, s.Name, s.Detail), nil
		}
	}
	return "", errors.New("the release went back, and no step had failed")
}

// releaseOver is the file whose appearance ends the calls.
func releaseOver(dir string) string { return filepath.Join(dir, "release-over") }

// releasePlan writes the callers' plan: they know the addresses of the pool.
func (w *world) releasePlan(ctx context.Context, o Options) (string, error) {
	roles, err := w.machinesByRole(ctx)
	if err != nil {
		return "", err
	}
	plan := scenePlan(o.Stack, roles)
	plan.Until = releaseOver(w.dir)
	found, err := ec2.NewFromConfig(w.emulator.AWSConfig()).DescribeAddresses(ctx, &ec2.DescribeAddressesInput{
		Filters: []types.Filter{{Name: aws.String("tag:Pool"), Values: []string{stacks.AddressPool(o.Stack)}}},
	})
	if err != nil {
		return "", fmt.Errorf("ask for the pool: %w", err)
	}
	for _, a := range found.Addresses {
		ip, err := netip.ParseAddr(aws.ToString(a.PublicIp))
		if err != nil {
			return "", err
		}
		plan.Pool = append(plan.Pool, ip)
	}
	file := filepath.Join(w.dir, "release.json")
	return file, writePlan(file, plan)
}

// operate runs a command as an operator does in the shell of a kept platform, and keeps its JSON for the report.
func (w *world) operate(ctx context.Context, name string, step progress.Step, args ...string) Check {
	s := step.Step(name)
	out, err := w.operator(ctx, args...)
	s.Done(err)
	c := Check{Name: name, OK: err == nil, Detail: "calldata " + args[0]}
	if json.Valid(out) {
		c.Raw = out
	}
	if err != nil {
		c.Detail = err.Error()
	}
	return c
}
