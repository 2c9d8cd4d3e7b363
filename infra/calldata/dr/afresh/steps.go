package afresh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	rehearsal "github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// step is a piece of the work. It answers what came of it; an error that wraps progress.ErrSkipped says why it was left out.
type step struct {
	name string
	run  func(context.Context) (string, error)
	// once is for what must not be done again: it would overwrite what has been changed since.
	once bool
}

func skip(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{progress.ErrSkipped}, args...)...)
}

// validate reports what is wrong with the flags.
func (o *Options) validate() error {
	var errs []error
	if !o.PlanOnly {
		errs = append(errs, confirm.Possible(o.IO, o.Yes))
	}
	if o.Identity != "" {
		if err := private.Check(o.Identity); err != nil {
			errs = append(errs, fmt.Errorf("--identity: %w", err))
		}
	}
	for _, name := range o.Skip {
		if name != deploy.StepPreflight {
			errs = append(errs, fmt.Errorf("--skip has %q, want %s", name, deploy.StepPreflight))
		}
	}
	if o.Calls != "" {
		if _, err := rehearsal.ReadPlan(o.Calls); err != nil {
			errs = append(errs, fmt.Errorf("--calls: %w", err))
		}
	}
	if o.Wait < 0 {
		errs = append(errs, fmt.Errorf("--wait is %s, want 0 or more", o.Wait))
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

// make makes the new stack. The report is nil where nothing could be planned.
func (o *Options) make(ctx context.Context) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	t, err := o.prepare(ctx)
	if err != nil {
		return nil, err
	}
	t.report = &Report{Plan: t.plan, Result: Planned, Done: []verdict.Step{}}
	if o.PlanOnly {
		return t.report, nil
	}
	if err := t.plan.write(o.IO.Err); err != nil {
		return nil, err
	}
	question := fmt.Sprintf("Stack %s will be made afresh as %s in %s, from what is listed.", t.old.file.Stack, t.home.name, t.home.region)
	if err := confirm.Unless(ctx, o.Yes, o.IO, question, t.home.name); err != nil {
		return nil, err
	}
	begin := time.Now()
	err = t.perform(ctx, t.steps())
	if err == nil {
		t.report.measure(time.Since(begin))
	}
	switch {
	case o.kind == Failover && t.whole: // names may move also when a check has failed
		t.report.Next = t.next()
	case o.kind == Drill && !o.Keep:
		err = errors.Join(err, t.takeDown(ctx))
	case o.kind == Drill:
		t.report.Next = []string{t.leftovers()}
	}
	if err == nil && o.kind == Drill {
		err = t.report.kept()
	}
	t.report.judge(err)
	return t.report, err
}

// steps are those that make a stack, in their order.
func (t *task) steps() []step {
	all := []step{{name: "settings", run: t.settings}, {name: "stack", run: t.create}, {name: "deploy", run: t.deploy}}
	if t.kind == Drill { // before the Routers' database learns where the new engines are
		all = append(all, step{name: "compare", run: t.compare})
	}
	for _, engine := range t.engines() {
		all = append(all,
			step{name: "restore " + engine, once: true, run: func(ctx context.Context) (string, error) { return t.restore(ctx, engine) }},
			step{name: "configure " + engine, once: true, run: func(ctx context.Context) (string, error) { return t.configure(ctx, engine) }})
	}
	all = append(all, step{name: "addresses", once: true, run: t.addresses}, step{name: "routing", run: t.routing}, step{name: "setup", run: t.setup},
		step{name: "health", run: t.health}, step{name: "call", run: t.call})
	return all
}

// warning is something that does not work, and ends nothing.
type warning struct{ error }

// perform runs steps until one fails.
func (t *task) perform(ctx context.Context, steps []step) error {
	for _, s := range steps {
		begin := time.Now()
		var detail string
		var err error
		if s.once && t.record.has(s.name) {
			err = skip("an earlier run did it")
		} else if detail, err = s.run(ctx); err == nil && s.once {
			err = t.record.did(s.name)
		}
		outcome := verdict.Of(begin, detail, err)
		if errors.As(err, &warning{}) {
			outcome.Status = verdict.Warn
		}
		t.report.Done = append(t.report.Done, verdict.Step{Name: s.name, Outcome: outcome})
		if outcome.Status == verdict.Fail {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// settings writes what the new stack has in the repository, and what is remembered of it.
func (t *task) settings(context.Context) (string, error) {
	if err := t.record.write(); err != nil {
		return "", err
	}
	made, err := t.beside().Write(t.text)
	if err != nil {
		return "", err
	}
	if len(made) == 0 {
		return "", skip("an earlier run wrote them")
	}
	return "made " + strings.Join(made, ", "), nil
}

// beside is what the new stack has in the repository.
func (t *task) beside() beside.Stack {
	return beside.Stack{Root: t.root, From: t.old.file.Stack, Name: t.home.name}
}

func (t *task) create(ctx context.Context) (string, error) {
	return "", t.tools.create(ctx, t.root, t.home.name, t.file.SecretsProvider)
}

func (t *task) deploy(ctx context.Context) (string, error) {
	report, err := t.tools.deploy(ctx, &deploy.Options{
		IO: t.IO.Quiet(), Source: stackarg.Source{Stack: t.home.name, Dir: t.root}, Skip: append([]string{deploy.StepHealth, deploy.StepSmoke}, t.Skip...), Wait: t.Wait, Yes: true,
		Message: fmt.Sprintf("%s of stack %s", t.kind, t.old.file.Stack),
	})
	if err != nil {
		return "", err
	}
	t.stack, err = t.tools.outputs(ctx, outputs.Source{Stack: t.home.name, Dir: t.root})
	return strings.TrimSuffix(report.Result+", "+automation.Describe(report.Changed), ", "), err
}

// configured tells why nothing is done to machines, where the stack's are not configured.
func (t *task) configured() error {
	if !t.topology.Configuration.Enabled {
		return skip("the setting configure is false: nothing is configured")
	}
	return nil
}

func (t *task) restore(ctx context.Context, engine string) (string, error) {
	if err := t.configured(); err != nil {
		return "", err
	}
	id := t.record.Backups[engine]
	if id == "" {
		return "", skip("its namesake has no whole backup")
	}
	return id, t.tools.restore(ctx, t, engine, id)
}

func (t *task) configure(ctx context.Context, engine string) (string, error) {
	if err := t.configured(); err != nil {
		return "", err
	}
	machines, err := ansible.FromOutputs(t.stack)
	if err != nil {
		return "", err
	}
	_, err = t.tools.play(ctx, &configure.Options{
		IO: t.IO.Quiet(), Dir: t.root, Stack: t.home.name, Machines: machines, Playbook: "uc-engine", Limit: engine, Timeout: t.topology.Configuration.Timeout,
	})
	return "", err
}

// document is a file of the new stack's inventory. Where there is none, the answer says what that means.
func (t *task) document(name, without string) (string, error) {
	if err := t.configured(); err != nil {
		return "", err
	}
	path := filepath.Join(t.root, beside.Inventories, t.home.name, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", skip("there is no %s: %s", filepath.Join(beside.Inventories, t.home.name, name), without)
	}
	return path, nil
}

const oldEngines = "the database still has the old engines' addresses"

// addresses writes into the document where the engines are now. It begins with the old stack's, however often it is tried: the new stack
// may have an old one's address.
func (t *task) addresses(context.Context) (string, error) {
	path, err := t.document("routing.yml", oldEngines)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(t.root, beside.Inventories, t.old.file.Stack, "routing.yml")) //nolint:gosec // of the repository
	if err != nil {
		return "", err
	}
	text, count := readdress(string(data), t.moved())
	return fmt.Sprintf("%d changed in routing.yml", count), beside.ReplaceFile(path, []byte(text))
}

// routing tells the Routers.
func (t *task) routing(ctx context.Context) (string, error) {
	if _, err := t.document("routing.yml", oldEngines); err != nil {
		return "", err
	}
	return "", t.tools.routing(ctx, t)
}

// setup tells the engines where the Routers are now.
func (t *task) setup(ctx context.Context) (string, error) {
	if _, err := t.document("tenant.yml", "trunks of the engines still lead to the old Routers"); err != nil {
		return "", err
	}
	return "", t.tools.setup(ctx, t)
}

// moved are the new addresses of machines by the old ones.
func (t *task) moved() map[string]string {
	at := map[string]string{}
	for _, was := range t.old.outputs.Nodes {
		name := counterpart(was.Name, t.old.file.Stack, t.home.name)
		if i := slices.IndexFunc(t.stack.Nodes, func(n stacks.Node) bool { return n.Name == name }); i >= 0 {
			at[was.PrivateIP] = t.stack.Nodes[i].PrivateIP
			if to := t.stack.Nodes[i].PublicIP; was.PublicIP != "" && to != "" {
				at[was.PublicIP] = to
			}
		}
	}
	return at
}

// addressForm is an IPv4 address that is no network: what a document says of those has a prefix behind it.
var addressForm = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b(?:/\d+)?`)

// readdress puts new addresses in the place of old ones, all at once, and counts them.
func readdress(text string, moved map[string]string) (string, int) {
	count := 0
	text = addressForm.ReplaceAllStringFunc(text, func(found string) string {
		if to := moved[found]; to != "" && to != found {
			count++
			return to
		}
		return found
	})
	return text, count
}

func (t *task) health(ctx context.Context) (string, error) {
	t.whole = true
	if err := t.configured(); err != nil {
		return "", err
	}
	work, finish := t.IO.Reporter()
	defer finish()
	s := work.Step("health")
	report, err := t.tools.health(ctx, t.IO, t.stack, t.Wait, s)
	s.Done(err)
	return fmt.Sprintf("%d checks", len(report.Checks)), err
}
