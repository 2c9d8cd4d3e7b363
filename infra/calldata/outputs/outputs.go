// Package outputs loads the outputs of a stack for the commands that work from them alone.
package outputs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/stacks"
)

// maxSize bounds what is read as stack outputs, in bytes. Real ones are a few kilobytes.
const maxSize = 16 << 20

// Source says where the outputs of a stack come from. Its zero value asks Pulumi for the selected stack of the project
// in the working directory.
type Source struct {
	// File holds the JSON of `pulumi stack output --json`; "-" is standard input. Empty asks Pulumi.
	File string
	// Stack is the Pulumi stack to ask for. Empty is the one that `pulumi stack select` chose. Together with File it is
	// a check: the file must be of that stack.
	Stack string
	// Dir is the directory of the Pulumi project. Empty is the working directory.
	Dir string
	// Pulumi is the Pulumi binary. Empty is "pulumi" on PATH.
	Pulumi string
}

// AddFlags binds the source to --outputs and --stack.
func (s *Source) AddFlags(flags *pflag.FlagSet) {
	s.AddFileFlag(flags)
	flags.StringVarP(&s.Stack, "stack", "s", s.Stack, "stack to work on (default: the stack that Pulumi has selected)")
}

// AddFileFlag binds the source to --outputs alone, for commands whose argument is the stack.
func (s *Source) AddFileFlag(flags *pflag.FlagSet) {
	flags.StringVar(&s.File, "outputs", s.File, "read the stack's outputs from this file, or from standard input with -"+
		" (default: ask `pulumi stack output --json`)")
}

// Load reads, parses and validates the outputs. What is wrong with the source or with the outputs is a usage error
// (cli.ExitUsage); a missing Pulumi is cli.ExitPreflight.
func (s Source) Load(ctx context.Context, stdin io.Reader) (stacks.Outputs, error) {
	data, from, err := s.Read(ctx, stdin)
	if err != nil {
		return stacks.Outputs{}, err
	}
	out, err := stacks.ParseOutputs(data)
	if err != nil {
		return stacks.Outputs{}, cli.UsageErrorf("%s: %w", from, err)
	}
	if s.File != "" && s.Stack != "" && s.Stack != out.Stack {
		return stacks.Outputs{}, cli.UsageErrorf("%s is of stack %q, not of --stack %q: give the right file, or leave --stack out",
			from, out.Stack, s.Stack)
	}
	return out, nil
}

// Read answers the JSON as it is, and the name of where it came from.
func (s Source) Read(ctx context.Context, stdin io.Reader) ([]byte, string, error) {
	switch s.File {
	case "":
		return s.ask(ctx)
	case "-":
		data, err := readAll(stdin)
		if err != nil {
			return nil, "", fmt.Errorf("read stack outputs from standard input: %w", err)
		}
		return data, "standard input", nil
	}
	file, err := os.Open(s.File) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, "", cli.UsageErrorf("--outputs: %w", err)
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost
	data, err := readAll(file)
	if err != nil {
		return nil, "", fmt.Errorf("read stack outputs from %s: %w", s.File, err)
	}
	return data, s.File, nil
}

// ask runs `pulumi stack output --json`.
func (s Source) ask(ctx context.Context) ([]byte, string, error) {
	binary := s.Pulumi
	if binary == "" {
		binary = "pulumi"
	}
	args := []string{"stack", "output", "--json", "--non-interactive"}
	if s.Stack != "" {
		args = append(args, "--stack", s.Stack)
	}
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // the binary and the stack are the operator's own words
	cmd.Dir = s.Dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	what := strings.Join(append([]string{"pulumi"}, args...), " ")
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.Bytes(), what, nil
	case ctx.Err() != nil:
		return nil, "", fmt.Errorf("%s: %w", what, ctx.Err())
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return nil, "", cli.WithCode(cli.ExitPreflight,
			fmt.Errorf("%s: %w: install the Pulumi CLI, or give the outputs with --outputs FILE", what, err))
	}
	return nil, "", fmt.Errorf("%s: %w: %s", what, err, strings.TrimSpace(stderr.String()))
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = fmt.Errorf("more than %d bytes: this is not the output of `pulumi stack output --json`", maxSize)
	}
	return data, err
}
