// Package machines is `calldata machines`.
package machines

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/lab"
)

// Options are the flags of `calldata machines run` and its command.
type Options struct {
	IO      *cli.IO
	Spec    string
	Name    string
	Keep    bool
	Command []string
}

// NewCmdMachines makes the command.
func NewCmdMachines(io *cli.IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "machines",
		Short: "Debian machines for trials of roles and playbooks",
	}
	cmd.AddCommand(newCmdRun(io))
	return cmd
}

func newCmdRun(io *cli.IO) *cobra.Command {
	opts := &Options{IO: io}
	cmd := &cobra.Command{
		Use:   "run --spec <file> -- <command>...",
		Short: "Boot machines, run a command among them, and remove them",
		Long: `Boots the Debian 12 machines that a YAML file lists, in a network namespace of their own, and runs a command inside
that namespace. The command finds an Ansible inventory in $INVENTORY, an SSH key in $SSH_KEY and Ansible's settings in
ANSIBLE_*; $CALLDATA is this program, and Ansible and Molecule are on its PATH. The machines are removed when it has ended, and its exit code is this
command's. Needs root on Linux.`,
		Example: `  calldata machines run --spec molecule/default/machines.yml -- molecule test
  calldata machines run --spec two.yml --keep -- ansible-playbook playbooks/common.yml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Command = args
			return run(cmd.Context(), opts)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.Spec, "spec", "", "file that lists the machines")
	f.StringVar(&opts.Name, "name", "", "tells these machines from others on this host (default: from the file's path)")
	f.BoolVar(&opts.Keep, "keep", false, "keep the machines after the command, until Ctrl-C")
	_ = cmd.MarkFlagRequired("spec")
	return cmd
}

func run(ctx context.Context, o *Options) error {
	spec, err := lab.ReadSpec(o.Spec)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	if o.Name == "" {
		o.Name = lab.DefaultName(o.Spec)
	}
	root, err := repo.Find(".")
	if err != nil {
		return err
	}
	dir, err := cache.Default()
	if err != nil {
		return err
	}
	report, done := o.IO.Reporter()
	defer done()
	options := lab.Options{
		Spec: spec, Name: o.Name, Repo: root, CacheDir: dir, Command: o.Command,
		Stdin: o.IO.In, Stdout: o.IO.Out, Stderr: o.IO.Err, Progress: report,
	}
	if o.Keep {
		options.Hold = func(env []string) {
			_, _ = fmt.Fprintf(o.IO.Err, "\nThe machines stand until Ctrl-C. A shell among them, as root:\n  nsenter --net=/run/netns/cd-lab-%s env %s bash\n",
				o.Name, strings.Join(quoted(env), " "))
			<-ctx.Done()
		}
	}
	err = lab.Run(ctx, options)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && ctx.Err() == nil {
		return cli.WithCode(exit.ExitCode(), fmt.Errorf("%s ended with code %d", o.Command[0], exit.ExitCode()))
	}
	return err
}

func quoted(env []string) []string {
	out := make([]string, len(env))
	for i, v := range env {
		out[i] = "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
	}
	return out
}
