package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/stacks"
)

// reader reads the logs of machines side by side.
type reader struct {
	*Options
	stack stacks.Outputs
}

func (o *Options) reader(stack stacks.Outputs) *reader { return &reader{Options: o, stack: stack} }

// Request says what another command wants collected.
type Request struct {
	// IO is where complaints go, and the environment.
	IO *cli.IO
	// Stack are the outputs, Nodes the machines.
	Stack stacks.Outputs
	Nodes []stacks.Node
	// Since is how far back to begin, Lines how many of each machine's lines to take at most, the newest; 0 takes all.
	Since time.Duration
	Lines int
	// Port is that of the machines' SSH servers, 0 is 22.
	Port int
}

// Collect answers what machines have logged, in the order of time: their journals, and what they have shipped where nobody can
// log in. Lines that could be had are answered with the error, too.
func Collect(ctx context.Context, r Request) ([]Line, error) {
	o := &Options{IO: r.IO, Since: r.Since, Lines: r.Lines, From: Auto, connect: connect, poll: poll, port: r.Port}
	return o.reader(r.Stack).collect(ctx, r.Nodes)
}

// choose answers the machines. CloudWatch has logs of machines that are gone: any of a fleet may be meant by its id.
func (o *Options) choose(ctx context.Context, stack stacks.Outputs) ([]stacks.Node, error) {
	nodes, err := fleet.Choose(ctx, stack, o.Who, o.members)
	if err == nil || o.From != CloudWatch || !strings.HasPrefix(o.Who, "i-") || len(stack.Fleets) == 0 {
		return nodes, err
	}
	gone := stacks.Node{Name: o.Who, InstanceID: o.Who}
	for _, f := range stack.Fleets {
		gone.Roles = append(gone.Roles, f.Role)
	}
	return []stacks.Node{gone}, nil
}

// read passes on the lines of all machines, in any order.
func (r *reader) read(ctx context.Context, nodes []stacks.Node, emit func(Line)) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = r.machine(ctx, n, emit) })
	}
	all.Wait()
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	for _, e := range errs {
		if code := cli.Code(e); e != nil && code != cli.ExitError {
			return cli.WithCode(code, err)
		}
	}
	return cli.WithCode(cli.ExitUnreachable, err)
}

// collect is read to its end, in the order of time.
func (r *reader) collect(ctx context.Context, nodes []stacks.Node) ([]Line, error) {
	var mu sync.Mutex
	var lines []Line
	err := r.read(ctx, nodes, func(l Line) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, l)
	})
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Node, b.Node)) })
	return lines, err
}

func (r *reader) machine(ctx context.Context, n stacks.Node, emit func(Line)) error {
	if r.From == CloudWatch {
		return r.shipped(ctx, n, emit)
	}
	began, err := r.journal(ctx, n, emit)
	if err == nil || began || r.From == Journal || ctx.Err() != nil {
		return err
	}
	_, _ = fmt.Fprintf(r.IO.Err, "%v: reading CloudWatch instead\n", err)
	if other := r.shipped(ctx, n, emit); other != nil {
		return errors.Join(err, other)
	}
	return nil
}
