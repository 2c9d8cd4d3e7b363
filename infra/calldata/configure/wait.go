package configure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

const (
	// sshLimit is how long a machine may take from its launch to its SSH server. EC2 takes one to three minutes.
	sshLimit = 10 * time.Minute
	// ownLimit is the same where machines are not new: one that does not answer is away.
	ownLimit = time.Minute
	// refusedLimit is how long a server may refuse the key: until cloud-init has put it there.
	refusedLimit = 3 * time.Minute
	// cloudInitLimit is how long cloud-init may take.
	cloudInitLimit = 15 * time.Minute
	// pause is the time between two attempts.
	pause = time.Second
)

// waitForMachines waits for all machines side by side, and answers what is wrong with any of them.
func waitForMachines(ctx context.Context, s *settings, report progress.Reporter) error {
	step := report.Step("Wait for machines")
	errs := make([]error, len(s.hosts))
	var group sync.WaitGroup
	for i, h := range s.hosts {
		group.Go(func() { errs[i] = waitForMachine(ctx, s.ssh, h, step) })
	}
	group.Wait()
	err := errors.Join(errs...)
	step.Done(err)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("wait for machines: %w: %w", ctx.Err(), err)
	}
	return err
}

func waitForMachine(ctx context.Context, c sshClient, h ansible.Host, report progress.Reporter) error {
	step := report.Step(h.Name + ": ssh to " + c.where(h))
	err := waitForSSH(ctx, c, h, step)
	step.Done(err)
	if err != nil {
		return err
	}
	step = report.Step(h.Name + ": cloud-init")
	err = waitForCloudInit(ctx, c, h, step)
	step.Done(err)
	if errors.Is(err, progress.ErrSkipped) {
		return nil
	}
	return err
}

// retry calls try until it is done or its error is final, and answers the last error when the limit or the context ends.
func retry(ctx context.Context, limit time.Duration, step progress.Step, try func(context.Context) (final bool, err error)) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for {
		final, err := try(limited)
		if err == nil {
			return nil
		}
		// An attempt that the end of the time cut short says less than the one before.
		if limited.Err() == nil || last == nil {
			last = err
		}
		if final {
			return last
		}
		step.Progress(0, 0, last.Error())
		select {
		case <-limited.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("%w; until then: %w", context.Cause(ctx), last)
			}
			return fmt.Errorf("gave up after %s: %w", limit, last)
		case <-time.After(pause):
		}
	}
}

func waitForSSH(ctx context.Context, c sshClient, h ansible.Host, step progress.Step) error {
	try, hint := func(ctx context.Context) (bool, error) { return false, c.banner(ctx, h) }, "is it running, and does its security group let this machine's address in on port 22?"
	if h.Managed() {
		try, hint = func(ctx context.Context) (bool, error) { return c.answers(ctx, h) }, c.hint()
	}
	if err := retry(ctx, cmp.Or(c.patience, sshLimit), step, try); err != nil {
		return c.unreachable(ctx, h, err, hint)
	}
	err := retry(ctx, refusedLimit, step, func(ctx context.Context) (bool, error) {
		_, err := c.command(ctx, h, "true")
		var failed *sshError
		return errors.As(err, &failed) && failed.changedKey(), err
	})
	var failed *sshError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed) && failed.changedKey():
		return c.unreachable(ctx, h, err, fmt.Sprintf("its host key is not the one on file. If the machine was replaced, run `ssh-keygen -R %s -f %s`",
			c.keyName(h), c.knownHosts))
	}
	return c.unreachable(ctx, h, err, fmt.Sprintf("does user %s have the public key, and does %s have the host's?", h.User, c.knownHosts))
}

func (c sshClient) unreachable(ctx context.Context, h ansible.Host, err error, hint string) error {
	err = fmt.Errorf("%s (%s) cannot be reached: %w: %s", h.Name, c.where(h), err, hint)
	if ctx.Err() != nil {
		return err
	}
	return cli.WithCode(cli.ExitUnreachable, err)
}

// absent is the exit code of statusScript where there is no cloud-init.
const absent = 96

// statusScript waits for cloud-init and prints what it says of itself: its status, then its result file.
const statusScript = `command -v cloud-init >/dev/null 2>&1 || exit 96
cloud-init status --wait >/dev/null 2>&1
code=$?
cloud-init status --long 2>/dev/null
echo '=== result'
cat /run/cloud-init/result.json 2>/dev/null
exit $code`

// waitForCloudInit waits until cloud-init is done. Exit codes of `cloud-init status` (its documentation, "Return codes"): 0 done,
// 1 an error that cloud-init could not recover from, 2 done with errors that it could. The last is reported and goes on: the
// machine booted, and what Ansible needs it checks itself.
func waitForCloudInit(ctx context.Context, c sshClient, h ansible.Host, step progress.Step) error {
	var out string
	var failed *sshError
	step.Progress(0, 0, "cloud-init status --wait")
	err := retry(ctx, cloudInitLimit, step, func(ctx context.Context) (bool, error) {
		var err error
		failed = nil
		out, err = c.command(ctx, h, statusScript)
		// 255 is ssh's own: the machine may reboot at the end of cloud-init.
		return errors.As(err, &failed) && failed.code() > 0 && failed.code() != 255, err
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, failed == nil, failed.code() <= 0, failed.code() == 255:
		return c.unreachable(ctx, h, err, "it answered before; look at its console")
	case failed.code() == absent:
		return fmt.Errorf("%w: this machine has none", progress.ErrSkipped)
	case failed.code() == 2:
		step.Logf("%s: cloud-init is done, with errors that it recovered from: %s", h.Name, cloudInitErrors(out))
		return nil
	}
	return cli.WithCode(cli.ExitError, fmt.Errorf("%s: cloud-init failed with exit code %d: %s\nlook at /var/log/cloud-init-output.log there, "+
		"then replace the machine or repair it", h.Name, failed.code(), cloudInitErrors(out)))
}

// cloudInitErrors are cloud-init's own words: the errors of its result file, or else its status.
func cloudInitErrors(out string) string {
	status, result, _ := strings.Cut(out, "=== result\n")
	var r struct {
		V1 struct {
			Errors []string `json:"errors"`
		} `json:"v1"`
	}
	if err := json.Unmarshal([]byte(result), &r); err == nil && len(r.V1.Errors) > 0 {
		return strings.Join(r.V1.Errors, "; ")
	}
	if status = strings.TrimSpace(status); status != "" {
		return status
	}
	return "it does not say why"
}
