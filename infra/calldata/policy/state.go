package policy

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

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/policy"
)

// maxSize bounds what is read as a state, in bytes. Real ones are below a megabyte.
const maxSize = 256 << 20

// state reads the stack's state and answers its name and its resources. A state of another stack than the one asked for
// is a usage error.
func (o *Options) state(ctx context.Context, root string) (string, []policy.Resource, error) {
	data, from, err := o.read(ctx, root)
	if err != nil {
		return "", nil, err
	}
	stack, resources, err := policy.FromState(data)
	if err != nil {
		return "", nil, cli.UsageErrorf("%s: %w", from, err)
	}
	if o.Stack != "" && stack != o.Stack {
		return "", nil, cli.UsageErrorf("%s is of stack %q, not of %q: give the right file, or leave the stack's name out", from, stack, o.Stack)
	}
	return stack, resources, nil
}

// read answers the state and the name of where it came from.
func (o *Options) read(ctx context.Context, root string) ([]byte, string, error) {
	switch o.File {
	case "":
		return o.ask(ctx, root)
	case "-":
		data, err := readAll(o.IO.In)
		if err != nil {
			return nil, "", fmt.Errorf("read the state from standard input: %w", err)
		}
		return data, "standard input", nil
	}
	file, err := os.Open(o.File) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, "", cli.UsageErrorf("--file: %w", err)
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost
	data, err := readAll(file)
	if err != nil {
		return nil, "", fmt.Errorf("read the state from %s: %w", o.File, err)
	}
	return data, o.File, nil
}

// ask runs `pulumi stack export`, which leaves secrets encrypted.
func (o *Options) ask(ctx context.Context, root string) ([]byte, string, error) {
	work, finish := o.IO.Reporter()
	defer finish()
	step := work.Step("state of stack " + o.Stack)
	binary := o.pulumi
	if binary == "" {
		binary = "pulumi"
	}
	args := []string{"stack", "export", "--stack", o.Stack, "--non-interactive"}
	cmd := exec.CommandContext(ctx, binary, args...) // #nosec G204 -- the binary and the stack are the operator's own words
	cmd.Dir = root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	what := strings.Join(append([]string{"pulumi"}, args...), " ")
	err := cmd.Run()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = fmt.Errorf("%s: %w", what, ctx.Err())
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		err = cli.WithCode(cli.ExitPreflight, fmt.Errorf("%s: %w: install the Pulumi CLI, or give the state with --file FILE", what, err))
	default:
		err = fmt.Errorf("%s: %w: %s", what, err, strings.TrimSpace(stderr.String()))
	}
	step.Done(err)
	return stdout.Bytes(), what, err
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = fmt.Errorf("more than %d bytes: this is not what `pulumi stack export` prints", maxSize)
	}
	return data, err
}
