// Package github is `calldata github`: what GitHub has to know before the repository's workflows can deploy.
package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/stacks"
)

// Options is what `calldata github setup` works with.
type Options struct {
	// IO is where results and progress go, and where a person is asked.
	IO *cli.IO
	// Dir is a directory inside the project. Default: the working directory.
	Dir string
	// File is the document. Default: .github/setup.yml of the repository.
	File string
	// Source says where the outputs of the account's stack come from.
	Source outputs.Source
	// Check changes nothing, and fails where something is not as it should be.
	Check bool
	// Yes asks nobody.
	Yes bool
	// JSON prints the report as JSON instead of a table.
	JSON bool

	gh      func() (runner, error)
	secrets func(ctx context.Context, region string) (secretAPI, error)
}

// NewCmdGitHub makes the command.
func NewCmdGitHub(streams *cli.IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "github",
		Short: "Prepare GitHub for the repository's workflows",
	}
	cmd.AddCommand(newCmdSetup(&Options{IO: streams, gh: onPath, secrets: secretsIn}))
	return cmd
}

func secretsIn(ctx context.Context, region string) (secretAPI, error) {
	settings, err := awsapi.Load(ctx, region, "", region)
	if err != nil {
		return nil, err
	}
	return secretsmanager.NewFromConfig(settings), nil
}

func newCmdSetup(opts *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Set up environments, reviewers, branches and variables for the workflows, or check them",
		Long: `Set up everything that GitHub has to know before the repository's workflows can deploy:

  actions       no actions but GitHub's own and those that the workflows call; tokens that read
  tokens        the subject that the account's roles trust
  environments  one for the previews and one for the deployments of each stack: who is asked before, which branches may use it
  branches      main, stage and prod: pull requests with approvals and checks, also for administrators; what is missing is made from main
  variables     the account, the region, the state's bucket, which stacks there are

The repository, the stacks and their roles are those of the account's stack, by its settings and its outputs. ` + defaultFile + `
says the rest: which stacks workflows deploy, and who has to agree. The GitHub environments of other stacks are closed.

Everything is looked at first, and shown; then it asks, and changes what differs by way of gh, whose login has to be an
administrator's. What is right is left alone, so that the command may be run again, and goes on where it was broken off.
Checks and rules that are stricter stay, and reviewers where the document names none.

Secrets are in AWS Secrets Manager, none in GitHub. The command looks whether they are there, by their names, and says what
makes those that are missing.

--check changes nothing and asks nobody.

Exit codes: 0 all is in place, 1 GitHub refused something, 2 wrong input, or something has to be decided first, 3 done, and
something is left to do by hand, 4 GitHub does not answer, 6 gh or Pulumi is missing, or gh is not logged in, 7 --check found
differences, 8 declined. After 2, 6, 7 and 8 nothing was changed.`,
		Example: `  calldata github setup --check
  calldata github setup
  calldata github setup --yes --json | jq '.settings[] | select(.result != "found")'
  pulumi stack output --json -s account | calldata github setup --check --outputs -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	opts.Source.AddFileFlag(flags)
	flags.StringVarP(&opts.File, "file", "f", "", "the document (default: "+defaultFile+")")
	flags.BoolVar(&opts.Check, "check", false, "change nothing, and fail where something differs")
	flags.BoolVarP(&opts.Yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

// Report is what the command found and did.
type Report struct {
	// Repository is OWNER/NAME, Account the AWS account, Region where the account's stack is.
	Repository string `json:"repository"`
	Account    string `json:"account"`
	Region     string `json:"region"`
	mend.Report
}

func (r *Report) writeText(w io.Writer) error {
	if err := r.WriteTable(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s, account %s: %s\n", r.Repository, r.Account, r.Summary())
	return err
}

func run(ctx context.Context, o *Options) error {
	if o.Check && o.Yes {
		return cli.UsageErrorf("--check and --yes exclude each other: a check asks nothing")
	}
	if !o.Check {
		if err := confirm.Possible(o.IO, o.Yes); err != nil {
			return err
		}
	}
	f, report, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	work, finish := o.IO.Reporter()
	step := work.Step("look at " + f.slug)
	settings, err := f.look(ctx, step)
	step.Done(err)
	finish()
	if err != nil {
		return err
	}
	report.Report = mend.Plan(settings)
	if o.Check {
		return errors.Join(o.IO.Print(o.JSON, report, report.writeText), report.unexpected())
	}
	if report.Changes > 0 && !o.Yes {
		if err := report.writeText(o.IO.Err); err != nil {
			return err
		}
		if err := confirm.Ask(ctx, o.IO, fmt.Sprintf("Make these %d changes to %s?", report.Changes, f.slug)); err != nil {
			return err
		}
	}
	work, finish = o.IO.Reporter()
	report.Report, err = mend.Carry(ctx, settings, work, func(ctx context.Context, s mend.Setting) error { return s.Mend(ctx) })
	finish()
	if err == nil {
		err = report.left()
	}
	return errors.Join(o.IO.Print(o.JSON, report, report.writeText), err)
}

// prepare reads everything that the command works from. What is wrong with it is answered at once.
func (o *Options) prepare(ctx context.Context) (*forge, *Report, error) {
	account := stackarg.Source{Stack: permission.Account, Dir: o.Dir}
	topology, _, err := account.Load()
	if err != nil {
		return nil, nil, err
	}
	spec := topology.Account
	if spec == nil || !slices.Contains(spec.Parts, stacks.PartGitHub) {
		return nil, nil, cli.UsageErrorf("the account's stack makes no roles for workflows: take %s out of accountPartsOff, and deploy it", stacks.PartGitHub)
	}
	document, err := o.document(spec.Environments)
	if err != nil {
		return nil, nil, cli.WithCode(cli.ExitUsage, err)
	}
	gh, err := o.gh()
	if err != nil {
		return nil, nil, err
	}
	o.Source.Stack, o.Source.Dir = permission.Account, o.Dir
	data, from, err := o.Source.Read(ctx, o.IO.In)
	if err != nil {
		return nil, nil, err
	}
	deployed, err := stacks.ParseAccountOutputs(data)
	if err != nil {
		return nil, nil, cli.UsageErrorf("%s:\n%w", from, err)
	}
	w, err := want(spec, deployed, document)
	if err != nil {
		return nil, nil, cli.WithCode(cli.ExitUsage, err)
	}
	secrets, err := o.secrets(ctx, deployed.Region)
	if err != nil {
		return nil, nil, cli.WithCode(cli.ExitUsage, err)
	}
	return &forge{client: client{gh}, wanted: w, aws: secrets}, &Report{Repository: w.slug, Account: deployed.Account(), Region: deployed.Region}, nil
}

func (o *Options) document(environments []stacks.Environment) (Document, error) {
	path := o.File
	if path == "" {
		root, err := repo.Find(o.Dir)
		if err != nil {
			return Document{}, err
		}
		path = filepath.Join(root, defaultFile)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return Document{}, fmt.Errorf("the document: %w", err)
	}
	d, err := parse(data, environments)
	if err != nil {
		return Document{}, fmt.Errorf("%s:\n%w", path, err)
	}
	return d, nil
}

// unexpected is the error of differences that a check finds.
func (r *Report) unexpected() error {
	if r.Left() == 0 {
		return nil
	}
	return cli.WithCode(cli.ExitChanges, fmt.Errorf("%d settings of %s are not as they should be: `calldata github setup` mends what it can", r.Left(), r.Repository))
}

// left is the error of what only a person can do.
func (r *Report) left() error {
	if r.Hand() == 0 {
		return nil
	}
	return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%d settings are left to do by hand", r.Hand()))
}
