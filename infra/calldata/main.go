// Command calldata is the operator's tool: it configures, checks and rehearses stacks of the platform.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/adhoc"
	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/bootstrap"
	"github.com/calldata/calldata-foundation/infra/calldata/calls"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/cost"
	"github.com/calldata/calldata-foundation/infra/calldata/dashboard"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/destroy"
	"github.com/calldata/calldata-foundation/infra/calldata/doctor"
	"github.com/calldata/calldata-foundation/infra/calldata/dr"
	"github.com/calldata/calldata-foundation/infra/calldata/drain"
	"github.com/calldata/calldata-foundation/infra/calldata/github"
	"github.com/calldata/calldata-foundation/infra/calldata/health"
	"github.com/calldata/calldata-foundation/infra/calldata/inventory"
	"github.com/calldata/calldata-foundation/infra/calldata/logs"
	"github.com/calldata/calldata-foundation/infra/calldata/machines"
	"github.com/calldata/calldata-foundation/infra/calldata/manual"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/policy"
	"github.com/calldata/calldata-foundation/infra/calldata/pr"
	"github.com/calldata/calldata-foundation/infra/calldata/preflight"
	"github.com/calldata/calldata-foundation/infra/calldata/preview"
	"github.com/calldata/calldata-foundation/infra/calldata/rehearse"
	"github.com/calldata/calldata-foundation/infra/calldata/release"
	"github.com/calldata/calldata-foundation/infra/calldata/rollback"
	"github.com/calldata/calldata-foundation/infra/calldata/routing"
	"github.com/calldata/calldata-foundation/infra/calldata/setup"
	"github.com/calldata/calldata-foundation/infra/calldata/smoke"
	"github.com/calldata/calldata-foundation/infra/calldata/ssh"
	"github.com/calldata/calldata-foundation/infra/calldata/supportbundle"
	"github.com/calldata/calldata-foundation/infra/calldata/tools"
	"github.com/calldata/calldata-foundation/infra/calldata/topology"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/infra/calldata/vault"
	"github.com/calldata/calldata-foundation/infra/calldata/version"
)

func main() {
	// The first signal asks for an orderly end, which removes what was made; a second one kills.
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup says to go on
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop)
	io := cli.System()
	err := execute(ctx, root(io), os.Args[1:])
	if err != nil && !errors.Is(err, cli.ErrSilent) {
		_, _ = fmt.Fprintf(io.Err, "calldata: %v\n", err)
	}
	os.Exit(cli.Code(err))
}

// execute runs a command line. Whatever keeps a command from beginning is wrong usage: a verb, an argument, a flag, flags that exclude
// each other.
func execute(ctx context.Context, tree *cobra.Command, args []string) error {
	began := false
	var watch func(*cobra.Command)
	watch = func(c *cobra.Command) {
		if run := c.RunE; run != nil {
			c.RunE = func(c *cobra.Command, args []string) error {
				began = true
				return run(c, args)
			}
		}
		for _, sub := range c.Commands() {
			watch(sub)
		}
	}
	watch(tree)
	tree.SetArgs(args)
	cmd, err := tree.ExecuteContextC(ctx)
	if err == nil && !cmd.Runnable() && cmd.Flags().NArg() > 0 { // cobra shows the help of a group, as if nothing were wrong
		err = fmt.Errorf("unknown command %q for %q", cmd.Flags().Arg(0), cmd.CommandPath())
	}
	if err == nil || began || cli.Code(err) != cli.ExitError {
		return err
	}
	return cli.UsageErrorf("%w\nrun `%s --help` for its usage", err, cmd.CommandPath())
}

func root(io *cli.IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "calldata",
		Short:         "Deploy and operate the Wazo telephone platform on AWS",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetIn(io.In)
	cmd.SetOut(io.Out)
	cmd.SetErr(io.Err)
	cmd.AddCommand(
		adhoc.NewCmdAnsible(io),
		backup.NewCmdBackup(io),
		bootstrap.NewCmdBootstrap(io),
		calls.NewCmdCalls(io),
		configure.NewCmdConfigure(io),
		cost.NewCmdCost(io),
		dashboard.NewCmdDashboard(io),
		deploy.NewCmdDeploy(io),
		destroy.NewCmdDestroy(io),
		doctor.NewCmdDoctor(io),
		dr.NewCmdDR(io), drain.NewCmdDrain(io),
		github.NewCmdGitHub(io),
		health.NewCmdHealth(io),
		inventory.NewCmdInventory(io),
		logs.NewCmdLogs(io),
		machines.NewCmdMachines(io),
		manual.NewCmdManual(io),
		outputs.NewCmdOutputs(io),
		policy.NewCmdPolicy(io),
		pr.NewCmdPR(io),
		preflight.NewCmdPreflight(io),
		preview.NewCmdPreview(io),
		release.NewCmdRelease(io),
		rehearse.NewCmdRehearse(io, nil),
		rollback.NewCmdRollback(io),
		routing.NewCmdRouting(io),
		setup.NewCmdSetup(io),
		smoke.NewCmdSmoke(io),
		ssh.NewCmdSSH(io),
		supportbundle.NewCmdSupportBundle(io),
		tools.NewCmdTools(io),
		topology.NewCmdTopology(io),
		tunnel.NewCmdTunnel(io),
		vault.NewCmdVault(io),
		version.NewCmdVersion(io),
	)
	return cmd
}
