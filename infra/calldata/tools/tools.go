// Package tools is `calldata tools`.
package tools

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/rehearsal"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
)

// NewCmdTools makes the command.
func NewCmdTools(io *cli.IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tools",
		Short: "What a rehearsal and the tests need on this machine",
	}
	cmd.AddCommand(newCmdPrepare(io), newCmdPath(io))
	return cmd
}

func newCmdPrepare(io *cli.IO) *cobra.Command {
	return &cobra.Command{
		Use:     "prepare",
		Short:   "Fetch or build engine, providers, Python environments and machine image",
		Example: "  calldata tools prepare",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := prepare(cmd.Context(), io)
			return err
		},
	}
}

func newCmdPath(io *cli.IO) *cobra.Command {
	return &cobra.Command{
		Use:       "path <engine|python>",
		Short:     "Print the directory that holds pulumi or ansible-playbook, preparing it first where needed",
		Example:   "  PATH=$(calldata tools path python):$PATH ansible-lint",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"engine", "python"},
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := prepare(cmd.Context(), io)
			if err != nil {
				return err
			}
			dir := t.Engine.Dir
			if args[0] == "python" {
				dir = t.Python.Dir + "/bin"
			}
			_, err = fmt.Fprintln(io.Out, dir)
			return err
		},
	}
}

func prepare(ctx context.Context, io *cli.IO) (*rehearsal.Tools, error) {
	root, err := repo.Find(".")
	if err != nil {
		return nil, err
	}
	dir, err := cache.Default()
	if err != nil {
		return nil, err
	}
	report, done := io.Reporter()
	defer done()
	return rehearsal.Prepare(ctx, root, dir, report)
}
