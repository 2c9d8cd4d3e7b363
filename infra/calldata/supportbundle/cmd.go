// Package supportbundle is `calldata support-bundle`: everything that somebody needs who is to say what is wrong with a stack,
// in one file without secrets.
package supportbundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

const (
	defaultSince   = time.Hour
	defaultLines   = 2000
	defaultTimeout = 10 * time.Minute
)

// Options is what `calldata support-bundle` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// File is the bundle. Default: calldata-STACK-TIME.tar.gz in the working directory.
	File string
	// Since is how far back logs of machines go, default one hour, Lines how many of each machine's are kept, default 2000.
	Since time.Duration
	Lines int
	// Timeout bounds everything, default ten minutes.
	Timeout time.Duration
	// JSON prints the result as JSON.
	JSON bool

	members fleet.Lister
	parts   []part
	now     func() time.Time
	most    int64 // bytes that are taken of a file, its end; 0 is maxFile
	port    int   // of the machines' SSH servers; 0 is 22
}

// NewCmdSupportBundle makes the command.
func NewCmdSupportBundle(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, members: fleet.Members, parts: parts(), now: time.Now})
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "support-bundle STACK",
		Short: "Put what helps to find a fault into one file, without secrets",
		Long: `Put what helps to find a fault into one file, calldata-STACK-TIME.tar.gz, mode 0600: versions and the state of this machine
(as calldata doctor), the stack's settings, outputs and inventory, health, the newest logs of deployments and
configurations, the report of the last rehearsal, and of each machine its failed units, load, disks and log.

What cannot be had is named in the bundle and does not stop it; a stack that is not deployed has a bundle, too. Every file is
searched for secrets before it goes in: for those that the secrets file, the stack's vaults and the environment hold, and
for what looks like a password, a token, a key or a digest. Look at it before you send it: addresses, numbers and names of
people who call are not secrets in this sense.

Exit codes: 0 the bundle is there, whatever it lacks, 1 it could not be written, 2 wrong input, 5 out of time.`,
		Example: `  calldata support-bundle prod
  calldata support-bundle stage --since 24h --file stage.tar.gz
  calldata support-bundle dev --json | jq -r '.missing[]'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.UsageErrorf("want the name of one stack, for example dev, got %d arguments", len(args))
			}
			o.Source.Stack = args[0]
			return nil
		},
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	o.Source.AddFileFlag(f)
	f.StringVarP(&o.File, "file", "f", "", "the bundle (default: calldata-STACK-TIME.tar.gz)")
	f.DurationVar(&o.Since, "since", defaultSince, "how far back logs of machines go")
	f.IntVar(&o.Lines, "lines", defaultLines, "lines of each machine's log, the newest")
	f.DurationVar(&o.Timeout, "timeout", defaultTimeout, "limit for everything")
	f.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

// Result is what the command prints.
type Result struct {
	// Stack is the stack's name, File the bundle, Bytes its size.
	Stack string `json:"stack"`
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	// Files are what is in it, Missing what could not be had, with the reasons.
	Files   []string `json:"files"`
	Missing []string `json:"missing"`
}

func (r Result) write(w io.Writer) error {
	for _, m := range r.Missing {
		if _, err := fmt.Fprintf(w, "missing: %s\n", m); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: %d files, %d bytes\n", r.File, len(r.Files), r.Bytes)
	return err
}

func (o *Options) validate() error {
	var errs []error
	if !filepath.IsLocal(o.Source.Stack) || filepath.Base(o.Source.Stack) != o.Source.Stack {
		errs = append(errs, fmt.Errorf("%q is no name of a stack: want one like dev", o.Source.Stack))
	}
	if o.Since <= 0 {
		errs = append(errs, fmt.Errorf("--since is %s, want more than 0", o.Since))
	}
	if o.Lines < 1 {
		errs = append(errs, fmt.Errorf("--lines is %d, want 1 or more", o.Lines))
	}
	if o.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout is %s, want more than 0", o.Timeout))
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

func run(ctx context.Context, o *Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	root, err := repo.Find(o.Dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	report, done := o.IO.Reporter()
	result, err := o.make(ctx, root, report)
	done()
	if err != nil {
		return err
	}
	return o.IO.Print(o.JSON, result, result.write)
}
