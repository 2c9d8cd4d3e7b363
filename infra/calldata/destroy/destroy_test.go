package destroy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// fake is a stack with resources; destroying it leaves left of them.
type fake struct {
	resources []string
	protect   string // the one that is protected
	left      int
	err       error
	destroyed int
}

func (f *fake) State(context.Context) (automation.State, error) {
	list := []string{}
	for _, name := range f.resources {
		list = append(list, fmt.Sprintf(`{"urn":"urn:pulumi:dev::p::aws:ec2/eip:Eip::%s","type":"aws:ec2/eip:Eip","custom":true,"id":"%s","protect":%t}`, name, name, name == f.protect))
	}
	if len(list) > 0 {
		list = append(list, `{"urn":"urn:pulumi:dev::p::pulumi:providers:aws::default","type":"pulumi:providers:aws","custom":true}`,
			`{"urn":"urn:pulumi:dev::p::pulumi:pulumi:Stack::dev","type":"pulumi:pulumi:Stack"}`)
	}
	return automation.ParseState([]byte(`{"resources":[` + strings.Join(list, ",") + `]}`))
}

func (f *fake) Destroy(context.Context, progress.Step) (automation.Result, error) {
	f.destroyed++
	gone := len(f.resources) - f.left
	f.resources = f.resources[:f.left]
	return automation.Result{Counts: map[string]int{"delete": gone}}, f.err
}

func call(t *testing.T, f *fake, typed string, args ...string) (out, said string, err error) {
	t.Helper()
	return callIn(t, t.TempDir(), f, typed, args...)
}

func callIn(t *testing.T, dir string, f *fake, typed string, args ...string) (out, said string, err error) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "ansible"), 0o750))
	for name, text := range map[string]string{"Pulumi.yaml": "name: calldata-foundation\nruntime: go\n", "Pulumi.dev.yaml": "config: {}\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	var stdout, stderr bytes.Buffer
	cmd := newCmd(&Options{
		IO:     &cli.IO{In: strings.NewReader(typed), InIsTerminal: typed != "", Out: &stdout, Err: &stderr},
		Source: stackarg.Source{Dir: dir},
		open: func(context.Context, string, string) (opened, error) {
			return opened{engine: f, log: "destroy.log", close: func() error { return nil }}, nil
		},
	})
	cmd.SetArgs(append([]string{"dev"}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

func TestDestroy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fake      fake
		typed     string
		args      []string
		code      int
		destroyed int
		says      string
	}{
		"typed":            {fake: fake{resources: []string{"a", "b"}}, typed: "dev\n", destroyed: 1, says: "dev: nothing is left (2 delete)"},
		"by automation":    {fake: fake{resources: []string{"a"}}, args: []string{"--yes"}, destroyed: 1, says: "nothing is left"},
		"y is not enough":  {fake: fake{resources: []string{"a"}}, typed: "y\n", code: cli.ExitDeclined},
		"another stack":    {fake: fake{resources: []string{"a"}}, typed: "prod\n", code: cli.ExitDeclined},
		"nobody to ask":    {fake: fake{resources: []string{"a"}}, code: cli.ExitUsage},
		"dry run":          {fake: fake{resources: []string{"a"}}, args: []string{"--dry-run"}, says: "dev: 3 resources are left"},
		"yes to nothing":   {fake: fake{resources: []string{"a"}}, args: []string{"--yes", "--dry-run"}, code: cli.ExitUsage},
		"nothing is there": {args: []string{"--yes"}, says: "dev: nothing is left"},
		"protected":        {fake: fake{resources: []string{"a", "b"}, protect: "b"}, args: []string{"--yes"}, code: cli.ExitUsage},
		"fails half-way":   {fake: fake{resources: []string{"a", "b"}, left: 1, err: errors.New("in use")}, args: []string{"--yes"}, code: cli.ExitError, destroyed: 1, says: "dev: 3 resources are left (1 delete)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := call(t, &test.fake, test.typed, test.args...)
			assert.Equal(t, test.code, cli.Code(err), "%v", err)
			assert.Equal(t, test.destroyed, test.fake.destroyed)
			assert.Contains(t, out, test.says)
		})
	}
}

func TestDestroyForgetsHowTheStackWasMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	record := repo.Afresh(dir, "dev")
	remembered := func(f *fake, args ...string) bool {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(record), 0o750))
		require.NoError(t, os.WriteFile(record, []byte("{}"), 0o600))
		_, _, err := callIn(t, dir, f, "", args...)
		require.NoError(t, err)
		_, err = os.Stat(record)
		return err == nil
	}
	assert.False(t, remembered(&fake{resources: []string{"a"}}, "--yes"))
	assert.False(t, remembered(&fake{}, "--yes"), "it was destroyed by other means")
	assert.True(t, remembered(&fake{}, "--dry-run"))
	assert.True(t, remembered(&fake{resources: []string{"a"}}, "--dry-run"))
	assert.True(t, remembered(&fake{resources: []string{"a", "b"}, left: 1}, "--yes"), "half of it is left, and what made it goes on with that")
}

func TestDestroyShowsWhatGoesBeforeItAsks(t *testing.T) {
	t.Parallel()
	_, said, err := call(t, &fake{resources: []string{"b", "a"}}, "no\n")
	require.Error(t, err)
	assert.Contains(t, said, "delete  aws:ec2/eip:Eip  b, a")
	assert.Contains(t, said, "All 2 resources of stack dev will be deleted, with the data in them. Type dev to go on: ")
}

func TestRefusalSaysHowToRelease(t *testing.T) {
	t.Parallel()
	f := &fake{resources: []string{"address", "volume"}, protect: "address"}
	_, _, err := call(t, f, "dev\n")
	for _, text := range []string{"protects 1 resources, and nothing was deleted: address", "pulumi config set calldata-foundation:protect false -s dev", "calldata deploy dev"} {
		require.ErrorContains(t, err, text)
	}
	assert.Zero(t, f.destroyed)
}

func TestFailureTellsThatItGoesOn(t *testing.T) {
	t.Parallel()
	out, _, err := call(t, &fake{resources: []string{"a", "b"}, left: 1, err: errors.New("in use")}, "", "--yes", "--json")
	require.ErrorContains(t, err, "in use\nmend the cause and run it again")
	var report Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.False(t, report.Destroyed)
	assert.Equal(t, 3, report.Left)
	assert.Len(t, report.Resources, 2)
}
