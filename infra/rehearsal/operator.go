package rehearsal

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

// operatorFile makes a shell an operator's: whatever reads it finds the rehearsal's AWS, its stack, pulumi and calldata.
func (w *world) operatorFile() string { return filepath.Join(w.dir, "operator.sh") }

// work is the directory that the stack is deployed from.
func (w *world) work() string { return filepath.Join(w.dir, "work") }

// machinesDir has a directory for each machine.
func (w *world) machinesDir() string { return filepath.Join(w.dir, "machines") }

// writeOperatorFile writes it. Like the environment, it names files and never what is in them.
func (w *world) writeOperatorFile(o Options) error {
	sessions, err := w.writeSessions(o.Calldata)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# An operator of the rehearsal of %s: %s\n", o.Stack, w.shell())
	env := maps.Clone(w.env)
	delete(env, tunnel.Variable) // an operator is outside of the network, and has sessions
	env["PATH"] = strings.Join([]string{sessions, filepath.Join(w.pulumiRoot(), "bin"), filepath.Dir(o.Calldata), env["PATH"]}, string(os.PathListSeparator))
	if o.kind == stacks.KindStage || o.kind == stacks.KindProd {
		env["CALLDATA_ROUTING_DATABASE_FILE"] = routingDatabaseFile(w.dir)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(env[name]))
	}
	fmt.Fprintf(&b, "dir=%s\ncd %s\nPS1=%s\n", quote(w.dir), quote(w.work()), quote("rehearsal of "+o.Stack+` \w\$ `))
	return os.WriteFile(w.operatorFile(), []byte(b.String()), 0o600)
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// shell is the command that makes a person an operator.
func (w *world) shell() string {
	return fmt.Sprintf("nsenter --net=/run/netns/%s bash --rcfile %s", w.network.Name(), w.operatorFile())
}

// operated runs what operators run, as they run it in the shell of a kept platform.
func (w *world) operated(ctx context.Context, o Options, outputs stacks.Outputs, step progress.Step) Check {
	c := Check{Name: "operator's commands"}
	s := step.Step(c.Name)
	all := verbs(o.Stack, outputs, filepath.Join(w.dir, "bundle.tar.gz"))
	c.OK, c.Detail = true, fmt.Sprintf("%d work", len(all))
	for i, args := range all {
		s.Progress(int64(i), int64(len(all)), "calldata "+strings.Join(args, " "))
		if _, err := w.operator(ctx, args...); err != nil {
			c.OK, c.Detail = false, err.Error()
			break
		}
	}
	s.Done(failures([]Check{c}))
	return c
}

// operator runs one calldata command in an operator's shell, and answers its standard output.
func (w *world) operator(ctx context.Context, args ...string) ([]byte, error) {
	return w.operatorTold(ctx, io.Discard, args...)
}

// operatorTold is operator with somebody who hears of the command's progress.
func (w *world) operatorTold(ctx context.Context, progress io.Writer, args ...string) ([]byte, error) {
	line := append([]string{"-c", ". " + quote(w.operatorFile()) + ` && exec calldata "$@"`, "calldata"}, args...)
	return w.run(w.network.Command(ctx, "bash", line...), progress, nil, args)
}

// verbs are an operator's commands that leave a stack as it is.
func verbs(stack string, outputs stacks.Outputs, bundle string) [][]string {
	first := outputs.Nodes[0].Name
	all := [][]string{
		{"preview", stack, "--expect-no-changes"},
		{"outputs", stack, "endpoints.web"},
		{"inventory", stack, "--list"},
		{"health", "--stack", stack},
		{"ssh", stack, first, "--", "true"},
		{"logs", stack, first, "--since", "5m"},
		{"ansible", stack, "--", "all", "-m", "ansible.builtin.ping"},
	}
	for _, f := range outputs.Fleets {
		all = append(all, []string{"ssh", stack, string(f.Role), "--", "true"})
	}
	all = append(all, []string{"backup", "now", stack}, []string{"backup", "list", stack}, []string{"dr", "plan", stack}) // by the backups just made
	for _, n := range outputs.Nodes {
		if slices.Contains(n.Roles, stacks.RoleC4Router) {
			all = append(all, []string{"drain", stack, n.Name}, []string{"drain", stack, n.Name, "--back"})
		}
	}
	return append(all, []string{"support-bundle", stack, "--file", bundle})
}
