package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/stacks"
)

// instanceType is the type of an EC2 instance.
const instanceType = "aws:ec2/instance:Instance"

// pulumiStack is the stack of a rehearsal.
type pulumiStack struct {
	*automation.Stack
	// judged is what policies said during the last operation.
	judged []apitype.PolicyEvent
}

// openStack selects or makes the stack in workdir. Root holds a bin/pulumi that enters the namespace netns.
func openStack(ctx context.Context, root, netns, workdir, name string, env map[string]string, log io.Writer) (*pulumiStack, error) {
	pulumi, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root, SkipVersionCheck: true})
	if err != nil {
		return nil, err
	}
	stack, err := automation.Open(ctx, automation.Options{
		Dir: workdir, Stack: name, Create: true, Pulumi: insider{pulumi, netns}, Env: env, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &pulumiStack{Stack: stack}, nil
}

// up deploys, judged by policy packs. It answers how many resources changed, by kind of change.
func (p *pulumiStack) up(ctx context.Context, step progress.Step, packs ...string) (map[string]int, error) {
	result, err := p.Up(ctx, step, automation.UpOptions{Policies: packs})
	p.judged = result.Judged
	return result.Counts, err
}

// replace deploys, and makes the machines with these names anew.
func (p *pulumiStack) replace(ctx context.Context, step progress.Step, names ...string) (map[string]int, error) {
	state, err := p.State(ctx)
	if err != nil {
		return nil, err
	}
	urns := instances(state, names...)
	if len(urns) != len(names) {
		return nil, fmt.Errorf("of the machines %s the stack's state has %d", strings.Join(names, ", "), len(urns))
	}
	result, err := p.Up(ctx, step, automation.UpOptions{Replace: urns})
	return result.Counts, err
}

// instances are the URNs of the EC2 instances with these names.
func instances(s automation.State, names ...string) []string {
	var urns []string
	for _, r := range s.Resources {
		if r.Type == instanceType && !r.Delete && slices.Contains(names, automation.Name(string(r.URN))) {
			urns = append(urns, string(r.URN))
		}
	}
	return urns
}

// release takes the protection off what has one, as an operator does before a stack is taken down for good: Pulumi's own
// mark, and what AWS keeps besides, from termination protection to locks.
func (p *pulumiStack) release(ctx context.Context, step progress.Step) (map[string]int, error) {
	state, err := p.State(ctx)
	if err != nil || len(state.Protected()) == 0 {
		return nil, err
	}
	if err := p.Configure(ctx, stacks.Project+":protect", "false"); err != nil {
		return nil, err
	}
	released := step.Step("release protection")
	changes, err := p.up(ctx, released)
	released.Done(err)
	return changes, err
}

// destroy removes every resource of the stack.
func (p *pulumiStack) destroy(ctx context.Context, step progress.Step) (map[string]int, error) {
	result, err := p.Destroy(ctx, step)
	return result.Counts, err
}

// outputs reads the stack's outputs. Those of an account have no machines.
func (p *pulumiStack) outputs(ctx context.Context, kind stacks.Kind) (stacks.Outputs, []byte, error) {
	values, err := p.Outputs(ctx)
	if err != nil {
		return stacks.Outputs{}, nil, err
	}
	plain := map[string]any{}
	for name, v := range values {
		plain[name] = v.Value
	}
	data, err := json.MarshalIndent(plain, "", "  ")
	if err != nil {
		return stacks.Outputs{}, nil, err
	}
	if kind == stacks.KindAccount {
		return stacks.Outputs{}, data, nil
	}
	o, err := stacks.ParseOutputs(data)
	return o, data, err
}

func environ(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	return out
}

// lockedFile is a log file of mode 0600 that several goroutines may write to.
type lockedFile struct {
	mu sync.Mutex
	f  *os.File
}

func openLog(path string) (*lockedFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the rehearsal's own directory
	if err != nil {
		return nil, err
	}
	return &lockedFile{f: f}, nil
}

func (l *lockedFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(p)
}

func (l *lockedFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}
