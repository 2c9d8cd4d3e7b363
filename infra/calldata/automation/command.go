package automation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// endTime is how long the engine may take to end in order after it was asked to: AWS finishes a database or a gateway that
// it has begun in a quarter of an hour. An engine that is killed leaves its lock, and resources that nobody knows of.
const endTime = 20 * time.Minute

// outputTime is how long the output of an engine that has ended may still come, from children that it left.
const outputTime = 10 * time.Second

// operator is the Pulumi command line as a person's command uses it.
type operator struct {
	auto.PulumiCommand
	path string
}

// Operator is the pulumi on PATH. Unlike the Automation API's own,
//   - it leaves alone which stack is selected, so that nobody's next `pulumi up` goes elsewhere;
//   - it asks an engine to end once and waits for it for 20 minutes. Ctrl-C on the terminal does not reach the engine by
//     itself: a second signal would make it drop what is under way.
//
// A pulumi that is missing or too old is cli.ExitPreflight.
func Operator() (auto.PulumiCommand, error) {
	path, err := exec.LookPath("pulumi")
	if err != nil {
		return nil, cli.WithCode(cli.ExitPreflight, errors.New("pulumi is not on PATH: install it as pulumi.com/docs/install says"))
	}
	pulumi, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{})
	if err != nil {
		return nil, cli.WithCode(cli.ExitPreflight, fmt.Errorf("%s: %w", path, err))
	}
	return operator{pulumi, path}, nil
}

// Run runs one command of Pulumi and answers its standard output, standard error and exit code.
func (p operator) Run(ctx context.Context, dir string, stdin io.Reader, out, errOut []io.Writer, env []string, args ...string) (string, string, int, error) {
	if len(args) > 2 && args[0] == "stack" && args[1] == "select" {
		args = slices.Concat(args[:1], args[2:]) // it fails for an unknown stack in the same way
	}
	if len(args) > 1 && args[0] == "stack" && args[1] == "init" {
		args = append(slices.Clone(args), "--no-select")
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.path, append([]string{"--non-interactive"}, args...)...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = append(append(os.Environ(), env...), "PULUMI_AUTOMATION_API=true")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(append(out, &stdout)...), io.MultiWriter(append(errOut, &stderr)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = outputTime
	if err := cmd.Start(); err != nil {
		return "", "", -1, err
	}
	asked := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Signal(os.Interrupt)
		time.AfterFunc(endTime, func() { _ = cmd.Process.Kill() })
	})
	defer asked()
	err := cmd.Wait()
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), err
}
