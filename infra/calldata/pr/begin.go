package pr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/github"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

func newCmdBegin(base *Options) *cobra.Command {
	o := *base
	cmd := &cobra.Command{
		Use:   "begin NUMBER",
		Short: "Make the stack of a pull request, which `calldata deploy` then deploys",
		Long: `Make the stack pr-NUMBER, unless it is there: in Pulumi's backend, with the key of the stack pr, and in the repository, where nothing of
it is committed: Pulumi.pr-NUMBER.yaml, from Pulumi.pr.yaml, and ansible/inventories/pr-NUMBER, a copy of that of pr. It deploys nothing.

It can be run again, and takes settings and inventory of pr anew: what was changed by hand in Pulumi.pr-NUMBER.yaml and in
ansible/inventories/pr-NUMBER is lost. On another machine it does no more than write the files, which the other commands need there.

No more than --limit stand at once. The stack takes its place with this command, not with its first deployment.

Exit codes: 0 it is there, 1 Pulumi failed, 2 wrong input or settings, 3 there is no room, 4 the backend does not answer, 6 Pulumi is missing.`,
		Example: `  calldata pr begin 12
  calldata pr begin 12 --limit 4 --json | jq -r .domain`,
		Args: args,
		RunE: func(cmd *cobra.Command, args []string) error { return o.begin(cmd.Context(), args[0]) },
	}
	cmd.Flags().IntVar(&o.Limit, "limit", github.DefaultLimit, "how many stacks of pull requests may stand at once")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

// Begun is what `calldata pr begin` prints.
type Begun struct {
	// Stack is the stack's name, Number its pull request's, Domain its name for people and phones, where it has one.
	Stack  string `json:"stack"`
	Number int    `json:"number"`
	Domain string `json:"domain,omitempty"`
	// Made tells whether it was not there.
	Made bool `json:"made"`
	// Standing is how many stacks of pull requests stand now.
	Standing int `json:"standing"`
}

func (b Begun) write(w io.Writer) error {
	what := "was there"
	if b.Made {
		what = "is made"
	}
	_, err := fmt.Fprintf(w, "%s %s; stacks of pull requests: %d\n", b.Stack, what, b.Standing)
	return err
}

func (o *Options) begin(ctx context.Context, text string) error {
	s, err := o.of(text)
	if err != nil {
		return err
	}
	file, settings, err := derive(s)
	if o.Limit < 1 {
		err = errors.Join(cli.UsageErrorf("--limit is %d, want 1 or more", o.Limit), err)
	}
	if err != nil {
		return err
	}
	report := Begun{Stack: s.Name, Number: o.Number}
	report.Domain, _ = file.Get(stacks.Project + ":domain")
	standing, err := o.standing(ctx, s.Root)
	if err != nil {
		return err
	}
	report.Made = at(standing, o.Number) < 0
	if report.Made && len(standing) >= o.Limit {
		return o.full(standing)
	}
	// What an earlier run has written is of the settings that pr had then.
	if err := s.Remove(); err != nil {
		return err
	}
	if _, err := s.Write(settings); err != nil {
		return err
	}
	if report.Made {
		if err := o.create(ctx, s.Root, s.Name, file.SecretsProvider); err != nil {
			return errors.Join(err, s.Remove())
		}
		if standing, err = o.standing(ctx, s.Root); err != nil {
			return err
		}
		if late(standing, o.Number) >= o.Limit { // others began at the same moment
			return errors.Join(o.full(slices.Delete(standing, at(standing, o.Number), at(standing, o.Number)+1)), o.remove(ctx, s.Root, s.Name), s.Remove())
		}
	}
	report.Standing = len(standing)
	return o.IO.Print(o.JSON, report, report.write)
}

// full says that there is no room.
func (o *Options) full(standing []Standing) error {
	var names []string
	for _, other := range standing {
		names = append(names, other.Stack)
	}
	return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("there is no room for %s: %s stand, and the limit is %d: take the label from one of these pull requests, or raise the limit",
		permission.RequestStack(o.Number), strings.Join(names, ", "), o.Limit))
}

// head begins the files of settings.
const head = "# Made by `calldata pr` from Pulumi." + permission.Requests + ".yaml: not to be committed."

// derive makes the stack's settings of those of pr. Whatever is wrong with them is an error.
func derive(s beside.Stack) (*stackfile.File, []byte, error) {
	template, err := stackfile.Read(s.Root, s.From)
	if err != nil {
		return nil, nil, cli.WithCode(cli.ExitUsage, err)
	}
	var errs []error
	if !template.Keyed {
		errs = append(errs, cli.UsageErrorf("%s holds no key, so that nobody could read again what stacks of pull requests keep secret: make the stack %s as `calldata bootstrap` says, "+
			"deploy nothing in it, and commit the file", filepath.Base(template.Path), s.From))
	}
	config, err := stacks.ReadConfig(s.From, template)
	if err != nil {
		return nil, nil, errors.Join(append(errs, cli.WithCode(cli.ExitUsage, err))...)
	}
	settings := beside.Apart(config, s.Name)
	settings["carrierRegistrations"] = false // carriers send calls to whoever has registered last
	file, text, err := template.Derive(stackfile.Derivation{Stack: s.Name, Head: head, Settings: settings})
	if err == nil {
		_, err = stackarg.Topology(file)
	}
	return file, text, errors.Join(append(errs, err)...)
}
