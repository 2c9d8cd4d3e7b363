package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
)

// fake is an engine that answers what it is told, and remembers what it was asked.
type fake struct {
	result automation.Result
	err    error
	asked  automation.PreviewOptions
}

func (f *fake) Preview(_ context.Context, _ progress.Step, o automation.PreviewOptions) (automation.Result, error) {
	f.asked = o
	return f.result, f.err
}

// call runs the command in a project with the stack dev.
func call(t *testing.T, f *fake, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	project, err := os.ReadFile("../../../Pulumi.yaml")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ansible"), 0o750))
	for name, text := range map[string]string{"Pulumi.yaml": string(project), "Pulumi.dev.yaml": `config:
  aws:region: us-east-1
  calldata-foundation:adminCidrs: ["203.0.113.7/32"]
  calldata-foundation:sshPublicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV test
`} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	var out, said bytes.Buffer
	cmd := newCmd(&Options{
		IO:     &cli.IO{Out: &out, Err: &said, Getenv: func(string) string { return "" }},
		Source: stackarg.Source{Dir: dir},
		open: func(context.Context, string, string) (opened, error) {
			return opened{Engine: f, log: "preview.log", close: func() error { return nil }}, nil
		},
		policies: func(context.Context, string, progress.Step) (string, error) { return "pack", nil },
	})
	cmd.SetArgs(append([]string{"dev"}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func change(op, kind, name string, properties ...string) automation.Change {
	return automation.Change{Op: op, Type: kind, Name: name, Properties: properties}
}

// some are changes of every kind, in the order in which an engine would come to them.
func some() automation.Result {
	return automation.Result{Text: "the engine's own words\n", Counts: map[string]int{"create": 7, "update": 1, "replace": 1, "delete": 1, "same": 30}, Changes: []automation.Change{
		{Op: "create", Type: "calldata:vpc:Vpc", Name: "dev", Component: true},
		change("create", "aws:ec2/subnet:Subnet", "a"), change("create", "aws:ec2/vpc:Vpc", "vpc"), change("create", "aws:ec2/subnet:Subnet", "b"),
		change("create", "aws:ec2/subnet:Subnet", "c"), change("create", "aws:ec2/subnet:Subnet", "d"), change("create", "aws:ec2/subnet:Subnet", "e"),
		change("update", "aws:ec2/instance:Instance", "uc-1", "instanceType", "tags.Owner"),
		change("replace", "aws:s3/bucketObject:BucketObject", "bundle", "key"), change("delete", "aws:ec2/eip:Eip", "old"),
	}}
}

func TestTableBeginsWithWhatIsDangerous(t *testing.T) {
	t.Parallel()
	out, err := call(t, &fake{result: some()})
	require.NoError(t, err)
	assert.Equal(t, `CHANGE   TYPE                              NAME                   WHAT
delete   aws:ec2/eip:Eip                   old                    -
replace  aws:s3/bucketObject:BucketObject  bundle                 key
update   aws:ec2/instance:Instance         uc-1                   instanceType, tags.Owner
create   aws:ec2/subnet:Subnet             a, b, c, d and 1 more  -
create   aws:ec2/vpc:Vpc                   vpc                    -
dev: 7 create, 1 update, 1 replace, 1 delete, 30 same
`, out)
}

func TestPreview(t *testing.T) {
	t.Parallel()
	same := automation.Result{Counts: map[string]int{"same": 30}}
	broken := some()
	broken.Judged = []apitype.PolicyEvent{
		{PolicyName: "CD-24", EnforcementLevel: "mandatory", ResourceURN: "urn:pulumi:dev::p::t::db", Message: "is lost with its zone"},
		{PolicyName: "CD-21", EnforcementLevel: "advisory", Message: "one region"}, {PolicyName: "CD-21", EnforcementLevel: "advisory", Message: "one region"},
	}
	for name, test := range map[string]struct {
		result automation.Result
		err    error
		args   []string
		code   int
		says   []string
	}{
		"changes":              {result: some(), says: []string{"dev: 7 create"}},
		"no change":            {result: same, args: []string{"--expect-no-changes"}, says: []string{"dev: 30 same"}},
		"unexpected":           {result: some(), args: []string{"--expect-no-changes"}, code: cli.ExitChanges, says: []string{"dev: 7 create"}},
		"in the engine's form": {result: some(), args: []string{"--diff"}, says: []string{"the engine's own words\ndev: 7 create"}},
		"policies":             {result: broken, err: errors.New("exit status 1"), code: cli.ExitUnhealthy, says: []string{"mandatory policy  CD-24: db: is lost with its zone\nadvice  CD-21: one region\ndev:"}},
		"the engine fails":     {err: errors.New("no credentials"), code: cli.ExitError},
		"plan of what is new":  {args: []string{"--refresh", "--save-plan", "x"}, code: cli.ExitUsage},
		"plan of nothing":      {args: []string{"--expect-no-changes", "--save-plan", "x"}, code: cli.ExitUsage},
		"diff as JSON":         {args: []string{"--diff", "--json"}, code: cli.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := call(t, &fake{result: test.result, err: test.err}, test.args...)
			assert.Equal(t, test.code, cli.Code(err), "%v", err)
			for _, text := range test.says {
				assert.Contains(t, out, text)
			}
		})
	}
}

func TestPreviewAsJSON(t *testing.T) {
	t.Parallel()
	f := &fake{result: some()}
	out, err := call(t, f, "--json", "--refresh")
	require.NoError(t, err)
	assert.True(t, f.asked.Refresh)
	assert.Equal(t, []string{"pack"}, f.asked.Policies)
	var report Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.Equal(t, 30, report.Counts["same"])
	assert.Len(t, report.Changes, 10)
	assert.Equal(t, "preview.log", report.Log)
	assert.Contains(t, out, `"mandatory": []`, "a list, also where there is none")
}

func TestPlanIsPrivateAndNeverOverwritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dev.plan")
	f := &fake{result: some()}
	out, err := call(t, f, "--save-plan", path)
	require.NoError(t, err)
	assert.Equal(t, path, f.asked.Plan)
	assert.Contains(t, out, "saved: calldata deploy dev --plan "+path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	_, err = call(t, f, "--save-plan", path)
	assert.Equal(t, cli.ExitUsage, cli.Code(err), "an approved plan stays what it is")

	_, err = call(t, &fake{err: errors.New("no credentials")}, "--save-plan", path+".new")
	require.Error(t, err)
	assert.NoFileExists(t, path+".new", "half a plan is none")
}
