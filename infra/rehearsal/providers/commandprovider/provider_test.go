package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const urn = "urn:pulumi:dev::calldata::command:local:Command::configure"

// A journal is a logger that remembers.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) log(_, line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string{}, j.lines...)
}

func newTestProvider() (*provider, *journal) {
	j := &journal{}
	return newProvider(j.log), j
}

func props(t *testing.T, values map[string]any) *structpb.Struct {
	t.Helper()
	return wire(t, resource.NewPropertyMapFromMap(values))
}

func wire(t *testing.T, m resource.PropertyMap) *structpb.Struct {
	t.Helper()
	s, err := write(m, "test")
	require.NoError(t, err)
	return s
}

func back(t *testing.T, s *structpb.Struct) resource.PropertyMap {
	t.Helper()
	m, err := read(s, "test")
	require.NoError(t, err)
	return m
}

func create(t *testing.T, p *provider, inputs map[string]any) (resource.PropertyMap, error) {
	t.Helper()
	response, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: props(t, inputs)})
	if err != nil {
		return nil, err
	}
	assert.NotEmpty(t, response.GetId())
	return back(t, response.GetProperties()), nil
}

func TestCreateRunsTheCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, test := range []struct {
		name           string
		inputs         map[string]any
		stdout, stderr string
	}{
		{"shell", map[string]any{"create": "echo out; echo err >&2"}, "out", "err"},
		{"only the last line end is cut", map[string]any{"create": `printf ' a\n\n'`}, " a\n", ""},
		{"standard input", map[string]any{"create": "cat", "stdin": "one\ntwo"}, "one\ntwo", ""},
		{"no standard input", map[string]any{"create": "cat"}, "", ""},
		{"environment", map[string]any{"create": `echo "$A $B"`, "environment": map[string]any{"A": "1", "B": "x y"}}, "1 x y", ""},
		{"directory", map[string]any{"create": "pwd", "dir": dir}, dir, ""},
		{"interpreter", map[string]any{"create": "a b", "interpreter": []any{"/bin/echo", "-n", "x"}}, "x a b", ""},
		{"no earlier output", map[string]any{"create": `echo "${PULUMI_COMMAND_STDOUT-none}"`}, "none", ""},
		{"nothing to run", map[string]any{"delete": "echo gone"}, "", ""},
		{"no UTF-8", map[string]any{"create": `printf 'a\nb'`, "logging": "none"}, "a\nb", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, _ := newTestProvider()
			state, err := create(t, p, test.inputs)
			require.NoError(t, err)
			assert.Equal(t, test.stdout, state[propStdout].StringValue())
			assert.Equal(t, test.stderr, state[propStderr].StringValue())
			for name := range test.inputs {
				assert.Contains(t, state, resource.PropertyKey(name), "inputs are part of the state")
			}
		})
	}
}

func TestFailureShowsTheEndOfStandardError(t *testing.T) {
	t.Parallel()
	p, _ := newTestProvider()
	_, err := create(t, p, map[string]any{"create": `seq 1 5000 >&2; echo "bad $((1+1))" >&2; : hidden; exit 3`})
	require.ErrorContains(t, err, "the create command failed: exit status 3")
	assert.ErrorContains(t, err, "bad 2")
	assert.NotContains(t, err.Error(), "hidden", "a script may hold secrets")
	assert.Less(t, len(err.Error()), errorTail+200)

	_, err = create(t, p, map[string]any{"create": "true", "dir": "/does/not/exist"})
	require.ErrorContains(t, err, "/does/not/exist")
}

func TestLogging(t *testing.T) {
	t.Parallel()
	for logging, want := range map[string][]string{
		"":                {"out", "err"},
		"stdoutAndStderr": {"out", "err"},
		"stdout":          {"out"},
		"stderr":          {"err"},
		"none":            {},
	} {
		inputs := map[string]any{"create": "echo out; echo err >&2"}
		if logging != "" {
			inputs["logging"] = logging
		}
		p, j := newTestProvider()
		state, err := create(t, p, inputs)
		require.NoError(t, err)
		assert.ElementsMatch(t, want, j.all(), logging)
		assert.Equal(t, "out", state[propStdout].StringValue(), "captured whatever is logged")
	}
}

func TestLinesAreLoggedAsTheyCome(t *testing.T) {
	t.Parallel()
	p, j := newTestProvider()
	gate := filepath.Join(t.TempDir(), "gate")
	done := make(chan error, 1)
	go func() {
		_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: props(t, map[string]any{
			"create": `echo first; while [ ! -e "$GATE" ]; do sleep 0.02; done; printf 'no end'`, "environment": map[string]any{"GATE": gate},
		})})
		done <- err
	}()
	require.Eventually(t, func() bool { return len(j.all()) == 1 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, os.WriteFile(gate, nil, 0o600))
	require.NoError(t, <-done)
	assert.Equal(t, []string{"first", "no end"}, j.all())
}

func TestPreviewRunsNothing(t *testing.T) {
	t.Parallel()
	p, _ := newTestProvider()
	mark := filepath.Join(t.TempDir(), "mark")
	inputs := resource.PropertyMap{
		propCreate: resource.NewStringProperty("touch " + mark),
		propStdin:  resource.MakeComputed(resource.NewStringProperty("")),
	}
	created, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Preview: true, Properties: wire(t, inputs)})
	require.NoError(t, err)
	updated, err := p.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: urn, Preview: true, Olds: props(t, nil), News: wire(t, inputs)})
	require.NoError(t, err)
	for _, state := range []resource.PropertyMap{back(t, created.GetProperties()), back(t, updated.GetProperties())} {
		assert.True(t, state[propStdout].IsComputed())
		assert.True(t, state[propStderr].IsComputed())
		assert.True(t, state[propStdin].IsComputed())
	}
	assert.NoFileExists(t, mark)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	old := map[string]any{"stdout": "before", "stderr": "warned"}
	show := `; echo "${PULUMI_COMMAND_STDOUT-none} ${PULUMI_COMMAND_STDERR-none}"`
	for _, test := range []struct {
		name, want string
		news       map[string]any
	}{
		{"update", "u\nbefore warned", map[string]any{"create": "echo c", "update": "echo u" + show}},
		{"create if there is no update", "c\nbefore warned", map[string]any{"create": "echo c" + show}},
		{"no earlier output wanted", "c\nnone none", map[string]any{"create": "echo c" + show, "addPreviousOutputInEnv": false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, _ := newTestProvider()
			response, err := p.Update(t.Context(), &pulumirpc.UpdateRequest{Urn: urn, Olds: props(t, old), News: props(t, test.news)})
			require.NoError(t, err)
			assert.Equal(t, test.want, back(t, response.GetProperties())[propStdout].StringValue())
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	p, j := newTestProvider()
	_, err := p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn, Properties: props(t, map[string]any{
		"delete": `echo "gone after $PULUMI_COMMAND_STDOUT on $HOST"`, "stdout": "work", "stderr": "",
		"environment": map[string]any{"HOST": "a"},
	})})
	require.NoError(t, err)
	assert.Equal(t, []string{"gone after work on a"}, j.all())

	_, err = p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn, Properties: props(t, map[string]any{"create": "false"})})
	require.NoError(t, err, "without a delete command there is nothing to run")

	_, err = p.Delete(t.Context(), &pulumirpc.DeleteRequest{Urn: urn, Properties: props(t, map[string]any{"delete": "exit 2"})})
	require.ErrorContains(t, err, "the delete command failed: exit status 2")
}

func TestDiff(t *testing.T) {
	t.Parallel()
	const (
		update  = pulumirpc.PropertyDiff_UPDATE
		replace = pulumirpc.PropertyDiff_UPDATE_REPLACE
	)
	unknown := resource.MakeComputed(resource.NewStringProperty(""))
	list := func(values ...resource.PropertyValue) resource.PropertyValue {
		return resource.NewArrayProperty(values)
	}
	text := resource.NewStringProperty
	type m = resource.PropertyMap
	for _, test := range []struct {
		name       string
		olds, news m
		ignore     []string
		want       map[string]pulumirpc.PropertyDiff_Kind
	}{
		{name: "nothing", olds: m{"create": text("a")}, news: m{"create": text("a")}},
		{name: "a default filled in", olds: m{"create": text("a")}, news: m{"create": text("a"), "addPreviousOutputInEnv": resource.NewBoolProperty(true)}},
		{name: "now secret", olds: m{"stdin": text("a")}, news: m{"stdin": resource.MakeSecret(text("a"))}},
		{name: "now secret inside", olds: m{"triggers": list(text("a"))}, news: m{"triggers": list(resource.MakeSecret(text("a")))}},
		{name: "create", olds: m{"create": text("a")}, news: m{"create": text("b")}, want: map[string]pulumirpc.PropertyDiff_Kind{"create": update}},
		{name: "added and removed", olds: m{"dir": text("a")}, news: m{"stdin": text("b")}, want: map[string]pulumirpc.PropertyDiff_Kind{
			"dir": pulumirpc.PropertyDiff_DELETE, "stdin": pulumirpc.PropertyDiff_ADD}},
		{name: "triggers", olds: m{"triggers": list(text("a"))}, news: m{"triggers": list(text("b"))}, want: map[string]pulumirpc.PropertyDiff_Kind{"triggers": replace}},
		{name: "more triggers", olds: m{"triggers": list(text("a"))}, news: m{"triggers": list(text("a"), text("b"))}, want: map[string]pulumirpc.PropertyDiff_Kind{"triggers": replace}},
		{name: "first triggers", olds: m{}, news: m{"triggers": list(text("a"))}, want: map[string]pulumirpc.PropertyDiff_Kind{"triggers": pulumirpc.PropertyDiff_ADD_REPLACE}},
		{name: "no triggers left", olds: m{"triggers": list(text("a"))}, news: m{}, want: map[string]pulumirpc.PropertyDiff_Kind{"triggers": pulumirpc.PropertyDiff_DELETE_REPLACE}},
		{name: "triggers not known yet", olds: m{"triggers": list(text("a"))}, news: m{"triggers": list(unknown)}, want: map[string]pulumirpc.PropertyDiff_Kind{"triggers": replace}},
		{name: "input not known yet", olds: m{"stdin": text("a")}, news: m{"stdin": unknown}, want: map[string]pulumirpc.PropertyDiff_Kind{"stdin": update}},
		{name: "ignored", olds: m{"create": text("a")}, news: m{"create": text("b")}, ignore: []string{"create"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, _ := newTestProvider()
			response, err := p.Diff(t.Context(), &pulumirpc.DiffRequest{
				Urn: urn, OldInputs: wire(t, test.olds), News: wire(t, test.news), IgnoreChanges: test.ignore,
			})
			require.NoError(t, err)
			got := map[string]pulumirpc.PropertyDiff_Kind{}
			var replaces []string
			for name, kind := range response.GetDetailedDiff() {
				got[name] = kind.GetKind()
				if name == "triggers" {
					replaces = append(replaces, name)
				}
			}
			if test.want == nil {
				test.want = map[string]pulumirpc.PropertyDiff_Kind{}
			}
			assert.Equal(t, test.want, got)
			assert.Equal(t, replaces, response.GetReplaces())
			assert.Equal(t, len(test.want) > 0, response.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME)
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p, _ := newTestProvider()
	unknown := resource.MakeComputed(resource.NewStringProperty(""))
	good := resource.PropertyMap{
		propCreate: resource.MakeSecret(unknown), propLogging: unknown, propInterpreter: unknown, propTriggers: unknown,
		propEnvironment: resource.NewObjectProperty(resource.PropertyMap{"A": unknown}),
		propArchives:    resource.NewArrayProperty(nil),
	}
	response, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: wire(t, good)})
	require.NoError(t, err)
	assert.Empty(t, response.GetFailures())
	assert.True(t, back(t, response.GetInputs())[propAddPrevious].BoolValue())

	response, err = p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: props(t, map[string]any{
		"create": 1.0, "logging": "loud", "interpreter": []any{}, "environment": map[string]any{"A=B": "x"}, "triggers": "x",
		"assetPaths": []any{"*.txt"}, "archivePaths": []any{"*"}, "crate": "typo", "addPreviousOutputInEnv": "yes",
	})})
	require.NoError(t, err)
	var failed []string
	for _, failure := range response.GetFailures() {
		failed = append(failed, failure.GetProperty())
		assert.True(t, strings.HasPrefix(failure.GetReason(), failure.GetProperty()+" "), failure.GetReason())
	}
	assert.Equal(t, []string{"addPreviousOutputInEnv", "archivePaths", "assetPaths", "crate", "create", "environment", "interpreter", "logging", "triggers"}, failed)
}

func TestSecretInputsMakeSecretOutputs(t *testing.T) {
	t.Parallel()
	p, _ := newTestProvider()
	response, err := p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: wire(t, resource.PropertyMap{
		propCreate: resource.NewStringProperty("cat"), propStdin: resource.MakeSecret(resource.NewStringProperty("word")),
	})})
	require.NoError(t, err)
	state := back(t, response.GetProperties())
	assert.True(t, state[propStdin].IsSecret())
	require.True(t, state[propStdout].IsSecret())
	assert.Equal(t, "word", state[propStdout].SecretValue().Element.StringValue())
}

func TestWhatIsNotOfferedIsRefused(t *testing.T) {
	t.Parallel()
	p, _ := newTestProvider()
	_, err := p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: "urn:pulumi:dev::calldata::command:remote:Command::x", News: props(t, nil)})
	require.ErrorContains(t, err, "command:remote:Command is not offered")
	_, err = p.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: "command:local:run"})
	require.ErrorContains(t, err, "command:local:run is not offered")
	_, err = p.Read(t.Context(), &pulumirpc.ReadRequest{Urn: urn, Id: "x"})
	require.ErrorContains(t, err, "cannot be imported")

	kept, err := p.Read(t.Context(), &pulumirpc.ReadRequest{Urn: urn, Id: "x", Properties: props(t, map[string]any{"stdout": "o"})})
	require.NoError(t, err)
	assert.Equal(t, "x", kept.GetId())
	assert.Equal(t, "o", back(t, kept.GetProperties())[propStdout].StringValue())
}

func TestCancelEndsRunningCommands(t *testing.T) {
	t.Parallel()
	p, j := newTestProvider()
	done := make(chan error, 1)
	go func() {
		_, err := p.Create(context.Background(), &pulumirpc.CreateRequest{Urn: urn, Properties: props(t, map[string]any{
			"create": `trap 'echo cleaned up; exit 1' TERM; sleep 300 & echo "$!"; wait`,
		})})
		done <- err
	}()
	require.Eventually(t, func() bool { return len(j.all()) == 1 }, 10*time.Second, 5*time.Millisecond)
	start := time.Now()
	_, err := p.Cancel(t.Context(), &emptypb.Empty{})
	require.NoError(t, err)
	err = <-done
	assert.Equal(t, codes.Canceled, status.Code(err))
	require.ErrorContains(t, err, "the create command was stopped: the operation was cancelled")
	assert.Less(t, time.Since(start), termGrace)
	assert.Contains(t, j.all(), "cleaned up", "the command had the time to end well")
	assertGone(t, j.all()[0])

	_, err = create(t, p, map[string]any{"create": "true"})
	assert.Equal(t, codes.Canceled, status.Code(err), "nothing starts after a cancel")
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	p, _ := newTestProvider()
	_, err := p.Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Timeout: 0.1, Properties: props(t, map[string]any{"create": "sleep 300"}),
	})
	require.ErrorContains(t, err, "it took longer than its timeout of 100ms")
}
