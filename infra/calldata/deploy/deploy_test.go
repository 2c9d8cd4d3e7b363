package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/health"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/preflight"
	"github.com/calldata/calldata-foundation/infra/calldata/smoke"
	"github.com/calldata/calldata-foundation/stacks"
)

// fake is a stack whose engine does as it is told, and remembers what was asked of it.
type fake struct {
	planned []automation.Change
	judged  []apitype.PolicyEvent
	steps   map[string]string // of the plan that a preview saves
	last    *auto.UpdateSummary
	state   string
	err     map[string]error
	called  []string
	plan    string // that Up got
	message string // the same
	secret  string // value of a secret output
}

func (f *fake) call(name string) error {
	f.called = append(f.called, name)
	return f.err[name]
}

func (f *fake) Preview(_ context.Context, _ progress.Step, o automation.PreviewOptions) (automation.Result, error) {
	err := f.call("preview")
	if o.Plan != "" {
		if err := os.WriteFile(o.Plan, []byte(planOf(f.steps)), 0o600); err != nil {
			return automation.Result{}, err
		}
	}
	return automation.Result{Counts: map[string]int{"same": 3, "create": len(f.planned)}, Changes: f.planned, Judged: f.judged}, err
}

func (f *fake) Up(_ context.Context, _ progress.Step, o automation.UpOptions) (automation.Result, error) {
	f.plan, f.message = o.Plan, o.Message
	return automation.Result{Counts: map[string]int{"create": len(f.planned)}}, f.call("up")
}

func (f *fake) State(context.Context) (automation.State, error) {
	return automation.ParseState([]byte(f.state))
}

func (f *fake) Last(context.Context) (*auto.UpdateSummary, error) { return f.last, nil }

func (f *fake) Outputs(context.Context) (auto.OutputMap, error) {
	values := map[string]any{}
	if err := json.Unmarshal([]byte(deployed), &values); err != nil {
		return nil, err
	}
	outputs := auto.OutputMap{"password": {Value: f.secret, Secret: true}}
	for name, v := range values {
		outputs[name] = auto.OutputValue{Value: v}
	}
	return outputs, f.call("outputs")
}

const deployed = `{"stack":"dev","region":"us-east-1","nodes":[{"name":"dev-uc-1","roles":["uc-engine"],"instanceId":"i-1",
"zone":"us-east-1a","privateIp":"10.20.0.5","publicIp":"203.0.113.10","user":"admin"}],
"endpoints":{"web":"https://203.0.113.10","sip":"sip:203.0.113.10:5060;transport=udp"}}`

func urn(name string) string {
	return "urn:pulumi:dev::calldata-foundation::aws:ec2/instance:Instance::" + name
}

func change(op, name string) automation.Change {
	return automation.Change{Op: op, Type: "aws:ec2/instance:Instance", Name: name, URN: urn(name)}
}

// planOf is a saved plan with a step for each resource.
func planOf(steps map[string]string) string {
	plan := apitype.DeploymentPlanV1{}
	text, _ := json.Marshal(plan)
	resources := map[string]any{}
	for name, op := range steps {
		resources[urn(name)] = map[string]any{"steps": []string{op}}
	}
	merged := map[string]any{}
	_ = json.Unmarshal(text, &merged)
	merged["resourcePlans"] = resources
	text, _ = json.Marshal(merged)
	return string(text)
}

// trial is a deployment of dev with fakes in the place of everything.
type trial struct {
	*fake
	o        *Options
	out, err bytes.Buffer
	checked  []string
}

func newTrial(t *testing.T, settings string) *trial {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	dir := t.TempDir()
	project, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ansible"), 0o750))
	for name, text := range map[string]string{"Pulumi.yaml": string(project), "Pulumi.dev.yaml": `config:
  aws:region: us-east-1
  calldata-foundation:adminCidrs: ["203.0.113.7/32"]
  calldata-foundation:sshPublicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV test
` + settings} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	x := &trial{fake: &fake{planned: []automation.Change{change("create", "dev-uc-1")}, err: map[string]error{}, secret: "not for your eyes"}}
	check := func(name string) error {
		x.checked = append(x.checked, name)
		return x.fake.err[name]
	}
	x.o = &Options{Source: stackarg.Source{Dir: dir}, tools: tools{
		open: func(context.Context, string, string) (opened, error) {
			return opened{engine: x.fake, log: "deploy.log", close: func() error { return nil }}, x.fake.err["open"]
		},
		policies: func(context.Context, string, progress.Step) (string, error) { return "pack", nil },
		preflight: func(context.Context, *cli.IO, stackarg.Source, progress.Step) (*preflight.Report, error) {
			return &preflight.Report{Checks: []preflight.Result{{Name: "lock", Outcome: verdict.Outcome{Status: verdict.OK}}}}, check("preflight")
		},
		health: func(_ context.Context, _ *cli.IO, o stacks.Outputs, _ time.Duration, _ progress.Step) (health.Report, error) {
			return health.Report{Stack: o.Stack}, check("health")
		},
		smoke: func(context.Context, *cli.IO, stacks.Outputs, progress.Step) (*smoke.Report, error) {
			return &smoke.Report{}, check("smoke")
		},
		rehearse: func(context.Context, string, string, *progress.Recorder) (string, error) {
			return "passed", check("rehearse")
		},
	}}
	return x
}

// call runs the command. Typed is what the person at the terminal types; automation has no terminal.
func (x *trial) call(t *testing.T, typed string, args ...string) error {
	t.Helper()
	x.o.IO = &cli.IO{In: strings.NewReader(typed), InIsTerminal: typed != "", Out: &x.out, Err: &x.err, Getenv: func(name string) string {
		return map[string]string{secretsVariable: "/run/secrets.yml"}[name]
	}}
	cmd := newCmd(x.o)
	cmd.SetArgs(append([]string{"dev"}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(t.Context())
}

// statuses are the steps with how each ended.
func (x *trial) statuses() string {
	var parts []string
	var report struct {
		Steps []struct{ Name, Status string }
	}
	if json.Unmarshal(x.out.Bytes(), &report) != nil {
		return x.out.String()
	}
	for _, s := range report.Steps {
		parts = append(parts, s.Name+" "+s.Status)
	}
	return strings.Join(parts, ", ")
}

func TestDeploy(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	const looked = "preflight ok, preview ok, policies ok"
	for name, test := range map[string]struct {
		settings string
		with     func(*fake)
		typed    string
		args     []string
		code     int
		steps    string
		called   []string
		says     []string
	}{
		"from nothing":       {args: []string{"--yes"}, steps: looked + ", confirm skip, up ok, health ok, smoke ok", called: []string{"preview", "up", "outputs"}, says: []string{`"deployed"`, "https://203.0.113.10"}},
		"agreed":             {typed: "y\n", steps: looked + ", confirm ok, up ok, health ok, smoke ok", called: []string{"preview", "up", "outputs"}},
		"declined":           {typed: "n\n", code: cli.ExitDeclined, steps: looked + ", confirm fail", called: []string{"preview"}, says: []string{`"declined"`}},
		"y is not enough":    {typed: "y\n", with: func(f *fake) { f.planned[0].Op = "replace" }, code: cli.ExitDeclined, steps: looked + ", confirm fail", called: []string{"preview"}},
		"typed":              {typed: "dev\n", with: func(f *fake) { f.planned[0].Op = "delete" }, steps: looked + ", confirm ok, up ok, health ok, smoke ok", called: []string{"preview", "up", "outputs"}},
		"nobody to ask":      {code: cli.ExitUsage},
		"nothing to change":  {args: []string{"--yes"}, with: func(f *fake) { f.planned = nil }, steps: looked + ", confirm skip, up ok, health ok, smoke ok", called: []string{"preview", "up", "outputs"}, says: []string{`"unchanged"`}},
		"dry run":            {args: []string{"--dry-run"}, steps: looked, called: []string{"preview"}, says: []string{`"previewed"`}},
		"preflight fails":    {args: []string{"--yes"}, with: func(f *fake) { f.err["preflight"] = cli.WithCode(cli.ExitUnhealthy, broken) }, code: cli.ExitUnhealthy, steps: "preflight fail"},
		"preflight left out": {args: []string{"--yes", "--skip", "preflight,smoke"}, steps: "preflight skip, preview ok, policies ok, confirm skip, up ok, health ok, smoke skip", called: []string{"preview", "up", "outputs"}, says: []string{"by --skip"}},
		"a policy is broken": {args: []string{"--yes"}, with: func(f *fake) {
			f.judged = []apitype.PolicyEvent{{PolicyName: "CD-24", EnforcementLevel: "mandatory", Message: "is lost with its zone"}}
			f.err["preview"] = broken
		}, code: cli.ExitUnhealthy, steps: "preflight ok, preview ok, policies fail", called: []string{"preview"}, says: []string{"CD-24: is lost with its zone"}},
		"preview fails":   {args: []string{"--yes"}, with: func(f *fake) { f.err["preview"] = broken }, code: cli.ExitError, steps: "preflight ok, preview fail", called: []string{"preview"}},
		"up fails":        {args: []string{"--yes"}, with: func(f *fake) { f.err["up"] = broken }, code: cli.ExitError, steps: looked + ", confirm skip, up fail", called: []string{"preview", "up"}, says: []string{`"failed"`, "broken"}},
		"not well":        {args: []string{"--yes"}, with: func(f *fake) { f.err["health"] = cli.WithCode(cli.ExitUnreachable, broken) }, code: cli.ExitUnreachable, steps: looked + ", confirm skip, up ok, health fail", called: []string{"preview", "up", "outputs"}},
		"not configured":  {settings: "  calldata-foundation:configure: \"false\"\n", args: []string{"--yes"}, steps: looked + ", confirm skip, up ok, health skip, smoke skip", called: []string{"preview", "up", "outputs"}, says: []string{"configure is false"}},
		"rehearsed first": {args: []string{"--yes", "--rehearse"}, steps: "rehearsal ok, " + looked + ", confirm skip, up ok, health ok, smoke ok", called: []string{"preview", "up", "outputs"}},
		"rehearsal fails": {args: []string{"--yes", "--rehearse"}, with: func(f *fake) { f.err["rehearse"] = broken }, code: cli.ExitError, steps: "rehearsal fail"},
		"no such step":    {args: []string{"--yes", "--skip", "policies"}, code: cli.ExitUsage},
		"yes to nothing":  {args: []string{"--yes", "--dry-run"}, code: cli.ExitUsage},
		"wrong settings":  {settings: "  calldata-foundation:instanceType: t3.enormous\n", args: []string{"--yes"}, code: cli.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTrial(t, test.settings)
			if test.with != nil {
				test.with(x.fake)
			}
			err := x.call(t, test.typed, append(test.args, "--json")...)
			assert.Equal(t, test.code, cli.Code(err), "%v", err)
			assert.Equal(t, test.steps, x.statuses(), "%v", err)
			assert.Equal(t, test.called, x.called)
			for _, text := range test.says {
				assert.Contains(t, x.out.String(), text)
			}
			assert.NotContains(t, x.out.String()+x.err.String(), x.secret)
		})
	}
}

func TestRunForACommandOfAnother(t *testing.T) {
	t.Parallel()
	x := newTrial(t, "")
	x.state = `{"resources":[{"urn":"` + urn("dev-uc-1") + `","type":"aws:ec2/instance:Instance","custom":true,"id":"i-1","protect":true}]}`
	x.o.KeepProtected, x.o.Question, x.o.Message = true, "Stack dev goes back.", "roll back"
	x.planned = []automation.Change{change("update", "dev-uc-1"), change("delete", "other")}
	require.Error(t, x.call(t, "y\n"))
	require.NoError(t, x.call(t, "dev\n"), "of what is protected nothing goes away")
	assert.Contains(t, x.err.String(), "Stack dev goes back. Type dev to go on: ")
	assert.Equal(t, "roll back", x.message)

	x.called = nil
	x.planned = []automation.Change{change("replace", "dev-uc-1"), change("delete", "other")}
	err := x.call(t, "dev\n")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "1 resources that stack dev protects would be lost, and nothing was changed:\nreplace dev-uc-1 (aws:ec2/instance:Instance)")
	assert.Equal(t, []string{"preview"}, x.called)
}

func TestDeployGoesOnWithWhatFailed(t *testing.T) {
	t.Parallel()
	x := newTrial(t, "")
	x.last = &auto.UpdateSummary{Kind: "update", Result: "failed", StartTime: "2026-11-29T22:10:00Z", Environment: map[string]string{"git.head": "8e0cda90123456789"}}
	x.state = `{"pending_operations":[{"type":"creating","resource":{"urn":"` + urn("dev-uc-1") + `","type":"aws:ec2/instance:Instance","custom":true}}]}`
	require.NoError(t, x.call(t, "y\n"))
	said := x.err.String()
	for _, text := range []string{"the last update, of 2026-11-29T22:10:00Z, of commit 8e0cda901234, ended as: failed", "under way were: creating dev-uc-1", "goes on. Pending:", "create  aws:ec2/instance:Instance  dev-uc-1"} {
		assert.Contains(t, said, text)
	}
	assert.Less(t, strings.Index(said, "Pending:"), strings.Index(said, "Deploy stack dev?"), "shown before the question")
	assert.Contains(t, x.out.String(), "dev: deployed, 1 create")

	x = newTrial(t, "")
	x.last = &auto.UpdateSummary{Kind: "update", Result: "succeeded"}
	require.NoError(t, x.call(t, "", "--yes"))
	assert.NotContains(t, x.err.String(), "goes on")
}

func TestDeployOfAPlan(t *testing.T) {
	t.Parallel()
	save := func(t *testing.T, steps map[string]string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "dev.plan")
		require.NoError(t, os.WriteFile(path, []byte(planOf(steps)), 0o600))
		return path
	}
	x := newTrial(t, "")
	x.steps = map[string]string{"dev-uc-1": "create", "vpc": "same"}
	path := save(t, x.steps)
	require.NoError(t, x.call(t, "", "--yes", "--plan", path))
	assert.Equal(t, path, x.plan, "the engine is held to it")

	x = newTrial(t, "")
	x.steps = map[string]string{"dev-uc-1": "replace", "new": "create"}
	err := x.call(t, "", "--yes", "--json", "--plan", save(t, map[string]string{"dev-uc-1": "update", "old": "delete"}))
	assert.Equal(t, cli.ExitChanges, cli.Code(err))
	assert.ErrorContains(t, err, "dev-uc-1: planned update, now replace\nnew: planned nothing, now create\nold: planned delete, now nothing")
	assert.Equal(t, []string{"preview"}, x.called, "nothing was changed")

	x = newTrial(t, "")
	other := filepath.Join(t.TempDir(), "prod.plan")
	require.NoError(t, os.WriteFile(other, []byte(strings.ReplaceAll(planOf(map[string]string{"a": "create"}), ":dev:", ":prod:")), 0o600))
	err = x.call(t, "", "--yes", "--plan", other)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.ErrorContains(t, err, "is of stack prod, not of dev")
	for _, content := range []string{"{}", "not json"} {
		require.NoError(t, os.WriteFile(other, []byte(content), 0o600))
		err = newTrial(t, "").call(t, "", "--yes", "--plan", other)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
		assert.ErrorContains(t, err, "no saved plan")
	}
}
