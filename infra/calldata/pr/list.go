package pr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

func newCmdList(base *Options) *cobra.Command {
	o := *base
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the stacks of pull requests, and which are to go",
		Long: `List the stacks of pull requests that Pulumi's backend has, with how many resources each has and when it was deployed last.

It says which are to go, and why: nothing was deployed in it in three hours; with --wanted, the pull request is none of those; with --hours,
the last deployment is older than that many hours. It asks GitHub nothing, and AWS for the backend's files alone.

Exit codes: 0 done, 2 wrong input or settings, 4 the backend does not answer.`,
		Example: `  calldata pr list
  calldata pr list --wanted 12,15 --hours 72
  calldata pr list --hours 72 --json | jq -r '.[] | select(.ends) | .stack'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("wanted") {
				o.Wanted = nil
			}
			return o.list(cmd.Context())
		},
	}
	cmd.Flags().StringSliceVar(&o.Wanted, "wanted", []string{}, "`NUMBERS` of the pull requests whose stacks are to stay, with commas; none, where it is empty")
	cmd.Flags().IntVar(&o.Hours, "hours", 0, "how many hours ago the last deployment of a stack that stays may be; 0 is for ever")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

// Standing is the stack of a pull request that is in the backend.
type Standing struct {
	// Number is the pull request's, Stack the stack's name.
	Number int    `json:"number"`
	Stack  string `json:"stack"`
	// Resources is how many it has: none, before its first deployment.
	Resources int `json:"resources"`
	// Changed is when it was made, or deployed last; Hours is how long ago that is.
	Changed time.Time `json:"changed"`
	Hours   float64   `json:"hours"`
	// Ends is why it is to go, empty where it stays.
	Ends string `json:"ends,omitempty"`
}

func (o *Options) list(ctx context.Context) error {
	var errs []error
	var wanted []int
	for _, text := range o.Wanted {
		number, err := parse(text)
		if err != nil {
			errs = append(errs, cli.WithCode(cli.ExitUsage, fmt.Errorf("--wanted: %w", err)))
		}
		wanted = append(wanted, number)
	}
	if o.Hours < 0 {
		errs = append(errs, cli.UsageErrorf("--hours is %d, want 0 or more", o.Hours))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	root, err := repo.Find(o.Dir)
	if err != nil {
		return err
	}
	all, err := o.standing(ctx, root)
	if err != nil {
		return err
	}
	limit := time.Duration(o.Hours) * time.Hour
	for i := range all {
		all[i].Ends = ends(all[i], o.now(), o.Wanted == nil || slices.Contains(wanted, all[i].Number), limit)
	}
	return o.IO.Print(o.JSON, all, func(w io.Writer) error { return write(w, all) })
}

// ends says why a stack is to go; empty means that it stays.
func ends(s Standing, now time.Time, wanted bool, limit time.Duration) string {
	age := now.Sub(s.Changed)
	switch {
	case !wanted:
		return "its pull request is closed, or has lost its label"
	case limit > 0 && age >= limit:
		return fmt.Sprintf("nothing was deployed for %d hours", int(age.Hours()))
	case s.Resources == 0 && age >= deploying:
		return "nothing is deployed in it"
	}
	return ""
}

// standing asks the backend for the stacks of pull requests, in the order of their numbers. The role of previews may read them, and
// no other stack's state. A backend that does not answer is cli.ExitUnreachable.
func (o *Options) standing(ctx context.Context, root string) ([]Standing, error) {
	template, err := stackfile.Read(root, permission.Requests)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	store, err := o.store(ctx, statestore.URL(o.IO.Getenv, template.Backend), root)
	if err != nil {
		return nil, err
	}
	all, err := o.read(ctx, store)
	if err != nil && ctx.Err() == nil { // an interrupted question has a code of its own
		err = cli.WithCode(cli.ExitUnreachable, err)
	}
	return all, err
}

func (o *Options) read(ctx context.Context, store statestore.Store) ([]Standing, error) {
	names, err := statestore.Stacks(ctx, store, stacks.Project, permission.Requests+"-")
	if err != nil {
		return nil, fmt.Errorf("list the stacks of the backend: %w", err)
	}
	found := make([]*Standing, len(names))
	group, within := errgroup.WithContext(ctx)
	for i, name := range names {
		if number, ok := permission.RequestNumber(name); ok {
			group.Go(func() (err error) {
				found[i], err = o.look(within, statestore.Stack{Store: store, Project: stacks.Project, Name: name}, number)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read the stacks of pull requests: %w", err)
	}
	all := []Standing{}
	for _, s := range found {
		if s != nil {
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(a, b Standing) int { return a.Number - b.Number })
	return all, nil
}

// look reads what the backend has of one stack; nil where it is gone since it was listed.
func (o *Options) look(ctx context.Context, s statestore.Stack, number int) (*Standing, error) {
	file, ok, err := s.Present(ctx)
	if err != nil || !ok {
		return nil, err
	}
	data, err := s.Read(ctx, file.Key)
	if errors.Is(err, statestore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	checkpoint, _ := automation.ParseCheckpoint(data) // a new stack has none, and a damaged one is for `calldata rollback`
	return &Standing{
		Number: number, Stack: s.Name, Resources: len(checkpoint.Resources), Changed: file.Time.UTC(),
		Hours: max(0, o.now().Sub(file.Time).Round(time.Minute).Hours()),
	}, nil
}

// at is where the stack of a pull request is in a list, -1 where it is not.
func at(all []Standing, number int) int {
	return slices.IndexFunc(all, func(s Standing) bool { return s.Number == number })
}

// late is how many others have their place before a stack that has just been made: those that are deployed, and those that were not made
// after it. Of two that are made at the same moment each counts the other: the limit holds, whoever asks last.
func late(all []Standing, number int) int {
	i, count := at(all, number), 0
	for _, s := range all {
		if i >= 0 && s.Number != number && (s.Resources > 0 || !s.Changed.After(all[i].Changed)) {
			count++
		}
	}
	return count
}

func write(w io.Writer, all []Standing) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "there are no stacks of pull requests")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "STACK\tRESOURCES\tCHANGED\tGOES") // tabwriter keeps errors until Flush
	for _, s := range all {
		goes := s.Ends
		if goes == "" {
			goes = "-"
		}
		age := time.Duration(s.Hours * float64(time.Hour))
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s ago\t%s\n", s.Stack, strconv.Itoa(s.Resources), progress.Short(age), goes)
	}
	return table.Flush()
}
