package preview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// Report is what a deployment would do.
type Report struct {
	// Stack is the stack's name.
	Stack string `json:"stack"`
	// Counts is how many resources there are by what would happen to them, as the engine counts: "create", "update", "replace",
	// "delete", "same".
	Counts map[string]int `json:"counts"`
	// Changes are the resources that something would happen to.
	Changes []automation.Change `json:"changes"`
	// Policies is what the policies say of it.
	Policies Policies `json:"policies"`
	// Plan is the file that the plan was saved in.
	Plan string `json:"plan,omitempty"`
	// Log is the engine's log, relative to the repository.
	Log string `json:"log,omitempty"`

	diff string
}

// Policies are what policies found, each in a line.
type Policies struct {
	// Mandatory violations stop a deployment, advice does not.
	Mandatory []string `json:"mandatory"`
	Advice    []string `json:"advice"`
}

// Engine is what previews.
type Engine interface {
	Preview(context.Context, progress.Step, automation.PreviewOptions) (automation.Result, error)
}

// Run asks the engine. A report comes with the error, of the code cli.ExitUnhealthy, that a mandatory policy is broken, and with no
// other.
func Run(ctx context.Context, engine Engine, stack string, o automation.PreviewOptions, step progress.Step) (*Report, error) {
	result, err := engine.Preview(ctx, step, o)
	r := &Report{Stack: stack, Counts: result.Counts, Changes: append([]automation.Change{}, result.Changes...), Policies: judge(result.Judged), Plan: o.Plan}
	if o.Diff {
		r.diff = result.Text
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("preview: %w", ctx.Err())
	case len(r.Policies.Mandatory) > 0:
		r.Plan = ""
		return r, r.Policies.Err(stack)
	case err != nil:
		return nil, fmt.Errorf("preview of stack %s: %w", stack, err)
	}
	return r, nil
}

func judge(events []apitype.PolicyEvent) Policies {
	p := Policies{Mandatory: []string{}, Advice: []string{}}
	for _, e := range events {
		list := &p.Advice
		if e.EnforcementLevel == automation.Mandatory {
			list = &p.Mandatory
		}
		if text := automation.Violation(e); !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	return p
}

// Err is nil unless a mandatory policy would be broken.
func (p Policies) Err(stack string) error {
	if len(p.Mandatory) == 0 {
		return nil
	}
	return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("stack %s would break %d mandatory policies:\n%s", stack, len(p.Mandatory), strings.Join(p.Mandatory, "\n")))
}

// Destroys are the changes by which something that is there now goes away.
func (r *Report) Destroys() []automation.Change {
	return slices.DeleteFunc(slices.Clone(r.Changes), func(c automation.Change) bool { return !c.Destroys() || c.Component })
}

// Summary is the counts in words.
func (r *Report) Summary() string {
	return cmp.Or(automation.Describe(r.Counts), "no resources")
}

// unexpected is the error of changes where none were expected.
func (r *Report) unexpected() error {
	if len(r.Changes) == 0 {
		return nil
	}
	return cli.WithCode(cli.ExitChanges, fmt.Errorf("stack %s would change, and no change was expected: %s", r.Stack, r.Summary()))
}

// WriteTable lists changes, most dangerous first, then what policies say, then the counts.
func (r *Report) WriteTable(w io.Writer) error {
	if r.diff != "" {
		if _, err := fmt.Fprintln(w, strings.TrimRight(r.diff, "\n")); err != nil {
			return err
		}
	} else if err := WriteChanges(w, r.Changes); err != nil {
		return err
	}
	var errs []error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	for _, v := range r.Policies.Mandatory {
		line("mandatory policy  %s", v)
	}
	for _, a := range r.Policies.Advice {
		line("advice  %s", a)
	}
	if r.Plan != "" {
		line("saved: calldata deploy %s --plan %s", r.Stack, r.Plan)
	}
	line("%s: %s", r.Stack, r.Summary())
	return errors.Join(errs...)
}

// dangerous is the order of changes in a table.
var dangerous = []apitype.OpType{apitype.OpDelete, apitype.OpReplace, apitype.OpUpdate, apitype.OpImport, apitype.OpCreate}

// named is how many resources of a type are named in a row; the others are counted.
const named = 4

// WriteChanges writes a table of changes: a row for each, but one for all new resources, and one for all deleted ones, of a type.
func WriteChanges(w io.Writer, changes []automation.Change) error {
	rows := slices.DeleteFunc(slices.Clone(changes), func(c automation.Change) bool { return c.Component })
	if len(rows) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b automation.Change) int {
		return cmp.Or(cmp.Compare(slices.Index(dangerous, apitype.OpType(a.Op)), slices.Index(dangerous, apitype.OpType(b.Op))), cmp.Compare(a.Type, b.Type))
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "CHANGE\tTYPE\tNAME\tWHAT") // tabwriter keeps errors until Flush
	for len(rows) > 0 {
		first, n := rows[0], 1
		if first.Op == string(apitype.OpCreate) || first.Op == string(apitype.OpDelete) {
			for n < len(rows) && rows[n].Op == first.Op && rows[n].Type == first.Type {
				n++
			}
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", first.Op, first.Type, names(rows[:n]), cmp.Or(strings.Join(first.Properties, ", "), "-"))
		rows = rows[n:]
	}
	return table.Flush()
}

func names(changes []automation.Change) string {
	var list []string
	for _, c := range changes[:min(named, len(changes))] {
		list = append(list, c.Name)
	}
	text := strings.Join(list, ", ")
	if more := len(changes) - named; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
