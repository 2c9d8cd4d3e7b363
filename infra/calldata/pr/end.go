package pr

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

func newCmdEnd(base *Options) *cobra.Command {
	o := *base
	cmd := &cobra.Command{
		Use:   "end NUMBER",
		Short: "Take the stack of a pull request down, and forget it",
		Long: `Take the stack pr-NUMBER down, as calldata destroy does, with the data in it, and remove it from Pulumi's backend, with its history, and its
files from the repository. No other stack is touched. One that is not there is none to take down.

Its name has to be typed. Automation gives --yes. If it fails half-way, run it again: it goes on with what is left.

Exit codes: 0 nothing is left, 1 Pulumi failed, 2 wrong input or something is protected, 6 Pulumi is missing, 8 declined, 130 interrupted.`,
		Example: `  calldata pr end 12
  calldata pr end 12 --yes --json`,
		Args: args,
		RunE: func(cmd *cobra.Command, args []string) error { return o.end(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask for the stack's name")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

// Ended is what `calldata pr end` prints.
type Ended struct {
	// Stack is the stack's name, Number its pull request's.
	Stack  string `json:"stack"`
	Number int    `json:"number"`
}

func (e Ended) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s is gone\n", e.Stack)
	return err
}

func (o *Options) end(ctx context.Context, text string) error {
	if err := confirm.Possible(o.IO, o.Yes); err != nil {
		return err
	}
	s, err := o.of(text)
	if err != nil {
		return err
	}
	template, err := stackfile.Read(s.Root, s.From)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	// The engine takes the key from the stack's settings, which this machine may never have had. Whether they are right does not matter any more.
	_, settings, err := template.Derive(stackfile.Derivation{Stack: s.Name, Head: head})
	if err != nil {
		return err
	}
	if err := confirm.Unless(ctx, o.Yes, o.IO, fmt.Sprintf("Stack %s will be deleted, with the data in it, its state and its history.", s.Name), s.Name); err != nil {
		return err
	}
	if _, err := s.Write(settings); err != nil {
		return err
	}
	if err := o.takeDown(ctx, o.IO.Quiet(), s.Root, s.Name); err != nil {
		return err
	}
	report := Ended{Stack: s.Name, Number: o.Number}
	return errors.Join(s.Remove(), o.IO.Print(o.JSON, report, report.write))
}
