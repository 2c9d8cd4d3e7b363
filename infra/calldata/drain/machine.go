package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// Status is what a machine says of itself.
type Status struct {
	// Node is the machine's name.
	Node string `json:"node"`
	// Level is how far it is out of service.
	Level Level `json:"level"`
	// ActiveCalls are up.
	ActiveCalls int `json:"activeCalls"`
	// Since is when the level was set, zero where it never was.
	Since time.Time `json:"since,omitzero"`
}

func (s Status) write(w io.Writer) error {
	since := ""
	if !s.Since.IsZero() {
		since = " since " + s.Since.UTC().Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(w, "%s: %s%s, %d calls\n", s.Node, s.Level, since, s.ActiveCalls)
	return err
}

// machine is the one that is drained.
type machine struct {
	*Options
	stack stacks.Outputs
	node  stacks.Node
}

// set changes the level and, out of service, waits until no call is up.
func (m *machine) set(ctx context.Context, level Level) error {
	if fleet.IsMember(m.node) {
		return m.tell(ctx, level)
	}
	inventory, err := ansible.FromOutputs(m.stack)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, fmt.Errorf("inventory of stack %s: %w", m.stack.Stack, err))
	}
	_, err = m.play(ctx, &configure.Options{
		IO: m.IO, Dir: m.Dir, Stack: m.stack.Stack, Machines: inventory, Playbook: "drain", Limit: m.node.Name, Own: true, Timeout: m.Wait + overhead,
		Set: map[string]any{"drain_level": string(level), "drain_seconds": int(m.Wait / time.Second)},
	})
	if err == nil || level == Normal || ctx.Err() != nil || cli.Code(err) != cli.ExitError {
		return err
	}
	// The playbook gives up when the time is over. The machine knows whether that is what happened.
	if status, other := m.status(ctx); other == nil && status.Level == level && status.ActiveCalls > 0 {
		return m.stillUp(status)
	}
	return err
}

// stillUp is the error that calls outlast the wait.
func (m *machine) stillUp(s Status) error {
	return cli.WithCode(cli.ExitTimeout, fmt.Errorf("%s has %d calls after %s (--wait): it stays out of service (%s); wait again, end them with --level stop, "+
		"or bring it back with --back", m.node.Name, s.ActiveCalls, m.Wait, s.Level))
}

// tell does over SSH what drain.yml does.
func (m *machine) tell(ctx context.Context, level Level) error {
	report, done := m.IO.Reporter()
	defer done()
	step := report.Step(fmt.Sprintf("%s: c4-maintenance %s", m.node.Name, level))
	err := m.with(ctx, func(client *ssh.Client) error {
		if _, err := login.Output(ctx, client, "sudo -n c4-maintenance "+string(level)); err != nil || level == Normal {
			return err
		}
		return m.wait(ctx, client, step)
	})
	step.Done(err)
	return err
}

func (m *machine) wait(ctx context.Context, client *ssh.Client, step progress.Step) error {
	deadline, first := time.Now().Add(m.Wait), -1
	for {
		status, err := ask(ctx, client, m.node.Name)
		if err != nil || status.ActiveCalls == 0 {
			return err
		}
		first = max(first, status.ActiveCalls)
		step.Progress(int64(first-status.ActiveCalls), int64(first), fmt.Sprintf("%d calls are up", status.ActiveCalls))
		if !time.Now().Add(m.pause).Before(deadline) {
			return m.stillUp(status)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(m.pause):
		}
	}
}

// with logs in for a while.
func (m *machine) with(ctx context.Context, do func(*ssh.Client) error) error {
	client, closed, err := login.To(ctx, m.stack, m.node, m.IO.Getenv, m.port)
	if err != nil {
		err = fmt.Errorf("%s: %w", m.node.Name, err)
		if cli.Code(err) == cli.ExitError {
			err = cli.WithCode(cli.ExitUnreachable, err)
		}
		return err
	}
	defer closed()
	if err := do(client); err != nil {
		return fmt.Errorf("%s: %w", m.node.Name, err)
	}
	return nil
}

func (m *machine) status(ctx context.Context) (Status, error) {
	var status Status
	err := m.with(ctx, func(client *ssh.Client) error {
		var err error
		status, err = ask(ctx, client, m.node.Name)
		return err
	})
	return status, err
}

// ask reads what c4-maintenance says. It counts no call where Kamailio does not answer, so that this is asked apart.
func ask(ctx context.Context, client *ssh.Client, name string) (Status, error) {
	out, err := login.Output(ctx, client, "sudo -n c4-maintenance status && sudo -n c4-active-calls")
	if err != nil {
		return Status{}, err
	}
	text, calls, _ := strings.Cut(strings.TrimSpace(out), "\n")
	var said struct {
		Level Level
		Since int64
	}
	err = json.Unmarshal([]byte(text), &said)
	count, other := strconv.Atoi(strings.TrimSpace(calls))
	if err := errors.Join(err, other); err != nil {
		return Status{}, fmt.Errorf("c4-maintenance and c4-active-calls say %q: %w", out, err)
	}
	status := Status{Node: name, Level: said.Level, ActiveCalls: count}
	if said.Since > 0 {
		status.Since = time.Unix(said.Since, 0).UTC()
	}
	return status, nil
}

// replaced asks Auto Scaling for another machine in this one's place.
func (m *machine) replaced(ctx context.Context) error {
	if err := confirm.Unless(ctx, m.Yes, m.IO, fmt.Sprintf("Auto Scaling will drain %s of stack %s, end it, and put another in its place.", m.node.Name, m.stack.Stack), m.stack.Stack); err != nil {
		return err
	}
	if err := m.replace(ctx, m.stack.Region, m.node.InstanceID); err != nil {
		return fmt.Errorf("%s: ask Auto Scaling to replace it: %s", m.node.Name, awsapi.Message(err))
	}
	result := struct {
		Node     string `json:"node"`
		Replaced bool   `json:"replaced"`
	}{m.node.Name, true}
	return m.IO.Print(m.JSON, result, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: Auto Scaling lets its calls end and replaces it; `calldata logs %s %s --unit calldata-lifecycle --follow` shows how\n",
			m.node.Name, m.stack.Stack, m.node.Name)
		return err
	})
}

func replace(ctx context.Context, region, instance string) error {
	settings, err := awsapi.Load(ctx, region, "", "")
	if err != nil {
		return err
	}
	_, err = autoscaling.NewFromConfig(settings).TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: aws.String(instance), ShouldDecrementDesiredCapacity: aws.Bool(false),
	})
	return err
}
