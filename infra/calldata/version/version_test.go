package version

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

func TestWhatTheCompilerNoted(t *testing.T) {
	t.Parallel()
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	assert.Equal(t, "devel", from(nil).Version)
	assert.Equal(t, "unknown", from(nil).Commit)
	assert.Equal(t, runtime.Version(), from(nil).Go)
	clean := from(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{setting("vcs.revision", "abc"), setting("vcs.modified", "false")}})
	assert.Equal(t, "v1.2.3", clean.Version)
	assert.Equal(t, "abc", clean.Commit)
	changed := from(&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{setting("vcs.revision", "abc"), setting("vcs.modified", "true")}})
	assert.Equal(t, "devel", changed.Version)
	assert.Equal(t, "abc-dirty", changed.Commit)
}

// TestWhatMakeNotes compiles a program with the names that the Makefile uses: a wrong one is no error of the compiler's.
func TestWhatMakeNotes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles a program")
	}
	const name = "github.com/calldata/calldata-foundation/infra/calldata/version"
	binary := filepath.Join(t.TempDir(), "tell")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags", "-X "+name+".number=v9.8.7 -X "+name+".commit=cafe", "-o", binary, "./testdata/tell").CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.CommandContext(t.Context(), binary).Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "calldata v9.8.7, commit cafe, go")
}

func TestCommand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cmd := NewCmdVersion(&cli.IO{Out: &out})
	cmd.SetArgs([]string{"--json"})
	require.NoError(t, cmd.ExecuteContext(t.Context()))
	var got Info
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	assert.Equal(t, Get(), got)
	out.Reset()
	cmd = NewCmdVersion(&cli.IO{Out: &out})
	cmd.SetArgs(nil)
	require.NoError(t, cmd.ExecuteContext(t.Context()))
	assert.Equal(t, Get().String()+"\n", out.String())
}
