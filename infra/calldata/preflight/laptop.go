package preflight

import (
	"context"
	"sync"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// Laptop runs the checks that are about this machine and not about what a stack needs: Pulumi, Ansible, the way to machines
// without an open port, credentials, and the bucket of the state. File tells the region and the state's place; profile is the
// AWS profile, empty is the environment's; timeout bounds each check, 0 is 30 s.
func Laptop(ctx context.Context, streams *cli.IO, file *stackfile.File, profile string, timeout time.Duration) []Result {
	o := &Options{IO: streams, Profile: profile, Timeout: timeout, connect: connect, tools: system(streams.Getenv)}
	return o.laptop(ctx, file)
}

func (o *Options) laptop(ctx context.Context, file *stackfile.File) []Result {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	i := &inspector{Options: o, file: file, work: progress.Discard.Step("")}
	if i.region, _ = file.Get("aws:region"); i.region == "" {
		i.region = home
	}
	var all sync.WaitGroup
	for name, run := range map[string]func(context.Context) found{
		CheckPulumi: i.pulumi, CheckAnsible: i.ansibleTools, CheckSession: func(context.Context) found { return i.sessionTools() },
	} {
		all.Go(func() { i.check(ctx, name, run) })
	}
	all.Go(func() {
		if f := i.check(ctx, CheckCredentials, i.credentials); f.status == verdict.OK {
			i.stateBucket(ctx)
			return
		}
		i.record(CheckState, skip("no credentials"), 0)
	})
	all.Wait()
	i.report.sort(order)
	return i.report.Checks
}
