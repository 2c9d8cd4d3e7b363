package dr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/promise"
)

// Plan is what `calldata dr plan` prints.
type Plan struct {
	// Stack is the stack's name, Time when it was asked, in UTC.
	Stack string    `json:"stack"`
	Time  time.Time `json:"time"`
	// Losses are what it can lose, the small first.
	Losses []Loss `json:"losses"`
}

func runPlan(ctx context.Context, o *Options) error {
	if o.Timeout <= 0 {
		return cli.UsageErrorf("--timeout is %s, want more than 0", o.Timeout)
	}
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	found := o.gather(limited, stack)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := o.now().UTC()
	plan := Plan{Stack: stack.Stack, Time: now.Truncate(time.Second), Losses: losses(stack, found, now)}
	return errors.Join(plan.err(limited), o.IO.Print(o.JSON, plan, plan.write))
}

// err says which promises are not kept and what could not be asked.
func (p Plan) err(ctx context.Context) error {
	var broken, unasked []error
	for _, l := range p.Losses {
		switch {
		case l.err != nil:
			unasked = append(unasked, fmt.Errorf("%s: %w", l.What, l.err))
		case l.Status == verdict.Fail:
			broken = append(broken, fmt.Errorf("%s: %s: the promise is not kept", l.What, l.Detail))
		}
	}
	switch all := errors.Join(append(broken, unasked...)...); {
	case len(broken) > 0:
		return cli.WithCode(cli.ExitUnhealthy, all)
	case ctx.Err() != nil:
		return cli.WithCode(cli.ExitTimeout, all)
	case len(unasked) > 0:
		return cli.WithCode(cli.ExitUnreachable, all)
	}
	return nil
}

func (p Plan) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "LOST\tSTATUS\tLOST NOW\tRPO\tRTO\tDETAIL") // tabwriter keeps errors until Flush
	for _, l := range p.Losses {
		age, rpo, rto := "-", "-", "-"
		if l.Age != nil {
			age = "nothing"
			if *l.Age > 0 {
				age = progress.Short(time.Duration(*l.Age * float64(time.Second)))
			}
		}
		if l.RPO != nil {
			rpo, rto = promise.Span(l.promise.RPO), promise.Span(l.promise.RTO)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", l.What, l.Status, age, rpo, rto, l.Detail)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, l := range p.Losses {
		if _, err := fmt.Fprintf(w, "\n%s is lost:\n", l.What); err != nil {
			return err
		}
		for i, step := range l.Steps {
			if _, err := fmt.Fprintf(w, "  %d. %s\n", i+1, step); err != nil {
				return err
			}
		}
	}
	return nil
}
