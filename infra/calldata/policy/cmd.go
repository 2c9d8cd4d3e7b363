// Package policy is `calldata policy`: it judges what a stack's stored state says is deployed by the rules of
// infra/policy.
package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/policy"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// Options is what `calldata policy` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Stack is the stack's name. It may be empty with File, which names it.
	Stack string
	// File holds what `pulumi stack export` prints; "-" is standard input. Empty asks Pulumi.
	File string
	// Scope judges by the rules of another kind of stack than the settings say. Empty is the settings' own.
	Scope string
	// Dir is a directory inside the project. Default: the working directory.
	Dir string
	// JSON prints the report as JSON instead of a table.
	JSON bool

	pulumi string // the binary, "pulumi" on PATH if empty
}

// NewCmdPolicy makes the command.
func NewCmdPolicy(io *cli.IO) *cobra.Command { return newCmd(&Options{IO: io}) }

func newCmd(opts *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy [STACK]",
		Short: "Judge what is deployed by the policies",
		Long: `Judge what a stack's state says is deployed by the policies that apply to its kind: security, resilience, cost, and what
telephony asks for. Nothing is changed, and neither Pulumi's secrets nor AWS credentials are needed beyond reading the state.
The state is as new as the last deployment or refresh.

The rules are in docs/reference/policies.md. The setting calldata-foundation:policyExceptions of a stack lists what may break
them, each with a reason: "CD-21 reason" for the whole stack, "CD-21 name: reason" for one resource, whose name may have a *
in it. Exceptions, and those that nothing needs any more, are part of every report.

Exit codes: 0 no mandatory rule is broken, 2 wrong input, 3 a mandatory rule is broken, 6 Pulumi is missing.`,
		Example: `  calldata policy prod
  calldata policy dev --json | jq '.violations[] | select(.level == "mandatory")'
  calldata policy dev --scope prod        # what prod would say
  pulumi stack export -s stage | calldata policy --file -`,
		Args: opts.args,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().StringVar(&opts.File, "file", "", "read the state from this file, or from standard input with - (default: ask `pulumi stack export`)")
	cmd.Flags().StringVar(&opts.Scope, "scope", "", fmt.Sprintf("judge by the rules of this kind of stack, one of %v (default: the stack's own)", policy.Scopes()))
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

func (o *Options) args(_ *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return cli.UsageErrorf("want the name of one stack, got %d arguments", len(args))
	case len(args) == 1:
		o.Stack = args[0]
	}
	return nil
}

// validate reports everything that is wrong with the options.
func (o *Options) validate() error {
	var errs []error
	if o.Stack == "" && o.File == "" {
		errs = append(errs, errors.New("want the name of a stack, for example dev, or its state with --file"))
	}
	if o.Scope != "" && !slices.Contains(policy.Scopes(), policy.Scope(o.Scope)) {
		errs = append(errs, fmt.Errorf("--scope is %q, want one of %v", o.Scope, policy.Scopes()))
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

func run(ctx context.Context, o *Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	root, err := repo.Find(o.dir())
	if err != nil {
		return err
	}
	var judgement settings
	if o.Stack != "" { // before the state, which may take a while to come
		if judgement, err = readSettings(root, o.Stack, o.Scope); err != nil {
			return err
		}
	}
	stack, resources, err := o.state(ctx, root)
	if err != nil {
		return err
	}
	if o.Stack == "" {
		if judgement, err = readSettings(root, stack, o.Scope); err != nil {
			return err
		}
	}
	report := result{policy.Evaluate(policy.Graph{Stack: stack, Scope: judgement.scope, Resources: resources}, judgement.exceptions)}
	if err := o.IO.Print(o.JSON, report, report.writeTable); err != nil {
		return err
	}
	return report.err()
}

func (o *Options) dir() string {
	if o.Dir == "" {
		return "."
	}
	return o.Dir
}

// settings are what a stack's files say about how it is judged.
type settings struct {
	scope      policy.Scope
	exceptions []policy.Exception
}

// readSettings reads the kind of a stack, unless scope names one, and its exceptions. Every mistake is a usage error.
func readSettings(root, stack, scope string) (settings, error) {
	file, err := stackfile.Read(root, stack)
	if err != nil {
		return settings{}, cli.WithCode(cli.ExitUsage, err)
	}
	topology, _ := file.Get(stacks.Project + ":topology")
	if scope != "" {
		topology = scope
	}
	kind, scopeErr := policy.ScopeOf(topology, stack)
	var entries []string
	if text, set := file.Get(stacks.Project + ":policyExceptions"); set {
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			return settings{}, cli.UsageErrorf("%s: policyExceptions is no list of texts: %w", file.Path, err)
		}
	}
	exceptions, err := policy.ParseExceptions(entries)
	if err := errors.Join(scopeErr, err); err != nil {
		return settings{}, cli.UsageErrorf("%s: %w", file.Path, err)
	}
	return settings{scope: kind, exceptions: exceptions}, nil
}
