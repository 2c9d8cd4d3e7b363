package sshtest

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// Main runs a package's tests, and lets their binary stand for calldata, which ssh starts for a tunnel. Command makes that command.
func Main(m *testing.M, command func(*cli.IO) *cobra.Command) {
	if len(os.Args) > 1 && os.Args[1] == "tunnel" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		cmd := command(cli.System())
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(os.Args[2:])
		err := cmd.ExecuteContext(ctx)
		if err != nil {
			_, _ = fmt.Fprintf(os.Stderr, "calldata: %v\n", err)
		}
		os.Exit(cli.Code(err))
	}
	os.Exit(m.Run())
}
