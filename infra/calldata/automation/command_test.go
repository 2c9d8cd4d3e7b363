package automation

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// onPath puts a pulumi that is a shell script first on PATH.
func onPath(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\nif [ \"$1\" = version ]; then echo v3.259.0; exit; fi\n" + script + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pulumi"), []byte(text), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestOperatorLeavesTheSelectedStackAlone(t *testing.T) {
	onPath(t, `echo "$@"; echo "$MORE" >&2; exit 3`)
	pulumi, err := Operator()
	require.NoError(t, err)
	var heard bytes.Buffer
	out, errOut, code, err := pulumi.Run(t.Context(), t.TempDir(), nil, []io.Writer{&heard}, nil, []string{"MORE=variables"}, "stack", "select", "--stack", "dev")
	require.Error(t, err)
	assert.Equal(t, "--non-interactive stack --stack dev\n", out)
	assert.Equal(t, out, heard.String())
	assert.Equal(t, "variables\n", errOut)
	assert.Equal(t, 3, code)
}

func TestOperatorAsksOnceAndWaits(t *testing.T) {
	onPath(t, `trap 'echo asked; sleep 0.5; echo finished; exit 1' INT
echo begun
while :; do sleep 0.05; done`)
	pulumi, err := Operator()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	began := begins{make(chan struct{}, 9)}
	go func() {
		<-began.begun
		cancel()
	}()
	out, _, code, err := pulumi.Run(ctx, t.TempDir(), nil, []io.Writer{began}, nil, nil, "up")
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "begun\nasked\nfinished\n", out, "what is under way is finished")
	assert.Equal(t, 1, code)
}

// begins tells of the first output.
type begins struct{ begun chan struct{} }

func (b begins) Write(p []byte) (int, error) {
	b.begun <- struct{}{}
	return len(p), nil
}

func TestOperateSaysWhatIsMissing(t *testing.T) {
	t.Run("the stack", func(t *testing.T) {
		onPath(t, `echo "error: no stack named 'dev' found" >&2; exit 255`)
		dir := t.TempDir()
		_, err := Operate(t.Context(), dir, "dev", "deploy")
		assert.Equal(t, cli.ExitUsage, cli.Code(err), "%v", err)
		assert.True(t, IsUnknownStack(err))
		assert.EqualError(t, err, "Pulumi knows no stack dev where it is logged in, which `pulumi whoami -v` shows: `calldata bootstrap` prints the line that makes it, with the key for its secrets")

		require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte("name: calldata-foundation\nruntime: go\n"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.dev.yaml"), []byte("secretsprovider: awskms://alias/x?region=us-east-1\nencryptedkey: AQ==\n"), 0o600))
		_, err = Operate(t.Context(), dir, "dev", "deploy")
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
		assert.ErrorContains(t, err, "Pulumi.dev.yaml says that it was made already, with awskms://alias/x?region=us-east-1: log in where its state is")
	})
	t.Run("a newer Pulumi", func(t *testing.T) {
		onPath(t, "")
		first := filepath.SplitList(os.Getenv("PATH"))[0]
		require.NoError(t, os.WriteFile(filepath.Join(first, "pulumi"), []byte("#!/bin/sh\necho v3.257.1\n"), 0o700))
		_, err := Operate(t.Context(), t.TempDir(), "dev", "deploy")
		assert.Equal(t, cli.ExitPreflight, cli.Code(err))
		assert.ErrorContains(t, err, "v3.257.1")
	})
	t.Run("Pulumi", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := Operate(t.Context(), t.TempDir(), "dev", "deploy")
		assert.Equal(t, cli.ExitPreflight, cli.Code(err))
	})
}

func TestLogIsPrivate(t *testing.T) {
	onPath(t, "")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte("name: p\nruntime: go\n"), 0o600))
	s, err := Operate(t.Context(), dir, "dev", "deploy")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	info, err := os.Stat(filepath.Join(dir, s.LogFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	assert.WithinDuration(t, time.Now(), info.ModTime(), time.Minute)
}
