package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// releaseTime is how long a release may take: four machines configure themselves, and those that get an address do it once more.
const releaseTime = 80 * time.Minute

// released releases the other colour while calls are up, finishes the release, and calls by what is there then.
func (w *world) released(ctx context.Context, o Options, d *deployment, step progress.Step) []Check {
	s := step.Step("release")
	checks := w.releaseUnderCalls(ctx, o, s)
	for _, next := range []func() []Check{
		// The engines' trunk names Routers by address: it is told of the new ones before the old ones go.
		func() []Check {
			plan, err := w.callPlan(ctx, d.outputs)
			if err != nil {
				return []Check{{Name: "tenant applied", Detail: err.Error()}}
			}
			return []Check{w.applyTenant(ctx, o, plan, d.file, s)}
		},
		func() []Check {
			return []Check{w.operate(ctx, "release finished", s, releaseArgs(o.Stack, "--finish")...)}
		},
		func() []Check { return []Check{w.check(ctx, o, s, "health after the release", d.file, "health")} },
		func() []Check {
			return w.calls(ctx, o, d, calling{groups: []string{calls.GroupCalls, calls.GroupFailover, calls.GroupRecords}}, s)
		},
	} {
		if len(failing(checks)) > 0 {
			break
		}
		checks = append(checks, next()...)
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
	release := w.operate(ctx, "release", step, releaseArgs(o.Stack, "--domain", tenantDomain(o.Stack))...)
	if err := os.WriteFile(releaseOver(w.dir), nil, 0o600); err != nil {
		cancel() // nobody would end the calls
	}
	return []Check{release, <-calling}
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
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return "", err
	}
	return file, os.WriteFile(file, data, 0o600)
}

// operate runs a command as an operator does in the shell of a kept platform, and keeps its JSON for the report.
func (w *world) operate(ctx context.Context, name string, step progress.Step, args ...string) Check {
	s := step.Step(name)
	out, err := w.operator(ctx, args...)
	s.Done(err)
	c := Check{Name: name, OK: err == nil, Detail: "calldata " + strings.Join(args[:3], " ")}
	if json.Valid(out) {
		c.Raw = out
	}
	if err != nil {
		c.Detail = err.Error()
	}
	return c
}
