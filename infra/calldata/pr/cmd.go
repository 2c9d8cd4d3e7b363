// Package pr is `calldata pr`: stacks of pull requests. Each has the settings of the stack `pr`, and its own name, domain, tags and state,
// so that several stand side by side.
package pr

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// deploying is how long a deployment of GitHub may last, and more: what is empty for longer is not about to be deployed.
const deploying = 3 * time.Hour

// Options is what the verbs of `calldata pr` work with.
type Options struct {
	// IO is where results and progress go, and where a person is asked.
	IO *cli.IO
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Number is the pull request's.
	Number int
	// Limit is how many stacks of pull requests may stand at once, default 2.
	Limit int
	// Wanted are the numbers of the pull requests whose stacks are to stay; nil is all.
	Wanted []string
	// Hours is how long ago the last deployment of a stack that stays may be; 0 is for ever.
	Hours int
	// Yes asks nobody.
	Yes bool
	// JSON prints the result as JSON.
	JSON bool

	tools
}

// tools are what tests replace.
type tools struct {
	store    func(ctx context.Context, url, dir string) (statestore.Store, error)
	create   func(ctx context.Context, root, stack, secretsProvider string) error
	takeDown func(ctx context.Context, streams *cli.IO, root, stack string) error
	remove   func(ctx context.Context, root, stack string) error
	now      func() time.Time
}

// NewCmdPR makes the command.
func NewCmdPR(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, tools: tools{
		store: statestore.Open, create: beside.Create, takeDown: beside.TakeDown, remove: automation.Remove, now: time.Now,
	}})
}

func newCmd(base *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pr",
		Short: "Stacks of pull requests, side by side",
		Long: `Stacks of pull requests. That of pull request 12 is called pr-12, which every other command takes for a stack's name. Its settings are those
of Pulumi.pr.yaml; only its name, its tags, its state, its domain (pr-12.DOMAIN) and what two stacks cannot share are its own. The
workflow pr-environment calls these commands, see docs/github-actions-setup.md.`,
		Example: `  calldata pr begin 12 && calldata deploy pr-12
  calldata pr list
  calldata pr end 12`,
	}
	cmd.AddCommand(newCmdBegin(base), newCmdList(base), newCmdEnd(base))
	return cmd
}

// args wants one pull request.
func args(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cli.UsageErrorf("want the number of one pull request, for example 12, got %d arguments", len(args))
	}
	return nil
}

// parse reads the number of a pull request: whatever it is, a name of a stack and of files is made of it.
func parse(text string) (int, error) {
	number, ok := permission.RequestNumber(permission.Requests + "-" + text)
	if !ok {
		return 0, cli.UsageErrorf("%q is not the number of a pull request, like 12", text)
	}
	return number, nil
}

// of are the repository, and the stack of a pull request in it.
func (o *Options) of(text string) (s beside.Stack, err error) {
	if o.Number, err = parse(text); err != nil {
		return s, err
	}
	root, err := repo.Find(o.Dir)
	return beside.Stack{Root: root, From: permission.Requests, Name: permission.RequestStack(o.Number)}, err
}
