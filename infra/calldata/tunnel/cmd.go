package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// Options is what `calldata tunnel` works with.
type Options struct {
	IO *cli.IO
	// Target is where the tunnel leads to.
	Target Target
	// Via is the way; empty asks Variable.
	Via string
}

// NewCmdTunnel makes the command.
func NewCmdTunnel(streams *cli.IO) *cobra.Command {
	o := &Options{IO: streams}
	cmd := &cobra.Command{
		Use:   "tunnel",
		Short: "Join standard input and output to the SSH server of a machine",
		Long: `Join standard input and output to the SSH server of a machine that no port leads to. It is made for ssh's
ProxyCommand, and what calldata configure gives to ssh.

Without ` + Variable + ` it becomes "aws ssm start-session", which needs the AWS CLI, its session-manager-plugin, and
credentials that may start sessions. With ` + Variable + `=direct it connects to the private address, for a caller inside
the network.

Exit codes: those of the AWS CLI, or: 0 the machine closed the connection, 2 wrong input, 4 no connection, 6 a tool is missing.`,
		Example: `  ssh -o ProxyCommand='calldata tunnel --instance i-0123456789abcdef0 --region us-east-1 --host %h --port %p' admin@10.30.64.5`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Target.Instance, "instance", "", "EC2 instance id")
	f.StringVar(&o.Target.Region, "region", "", "AWS region of the instance")
	f.StringVar(&o.Target.Host, "host", "", "private IP address of the instance")
	f.IntVar(&o.Target.Port, "port", sshPort, "port of its SSH server")
	f.StringVar(&o.Via, "via", "", "ssm or direct (default: "+Variable+", or ssm)")
	return cmd
}

func run(ctx context.Context, o *Options) error {
	way, err := WayOf(func(name string) string { return cmp.Or(o.Via, o.IO.Getenv(name)) })
	if err := errors.Join(err, o.Target.Validate()); err != nil {
		return cli.WithCode(cli.ExitUsage, fmt.Errorf("tunnel: %w", err))
	}
	if err := way.Check(); err != nil {
		return cli.WithCode(cli.ExitPreflight, fmt.Errorf("tunnel: %w", err))
	}
	// ssh ends its ProxyCommand with this signal when all is said: there is nothing to clean up, nor to complain about. Under
	// nohup it arrives ignored. Caught here, it is the AWS CLI's to end by.
	hangup := make(chan os.Signal, 1)
	signal.Reset(syscall.SIGHUP)
	signal.Notify(hangup, syscall.SIGHUP)
	if way == SSM {
		return become(command(o.Target))
	}
	go func() {
		<-hangup
		os.Exit(cli.ExitInterrupted)
	}()
	conn, err := Dial(ctx, way, o.Target)
	if err != nil {
		return cli.WithCode(cli.ExitUnreachable, fmt.Errorf("tunnel to %s: %w", o.Target.address(), err))
	}
	return join(ctx, conn.(*net.TCPConn), o.IO.In, o.IO.Out)
}

// become replaces this process, so that signals and the exit code are the program's own.
func become(args []string) error {
	path, err := exec.LookPath(args[0])
	if err == nil {
		err = syscall.Exec(path, args, os.Environ()) //nolint:gosec // validated
	}
	return cli.WithCode(cli.ExitPreflight, fmt.Errorf("tunnel: start %s: %w", args[0], err))
}

// join copies both ways until the machine has said all, or the context ends. The end of in is passed on: what the machine
// still says to it arrives.
func join(ctx context.Context, conn *net.TCPConn, in io.Reader, out io.Writer) error {
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	go func() {
		_, _ = io.Copy(conn, in) // what the machine does not take is its word, which out gets
		_ = conn.CloseWrite()
	}()
	_, err := io.Copy(out, conn)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("tunnel: %w", err)
	}
	return nil
}
