package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/stacks"
)

// shared is a stack whose state is in the emulator's S3, as a team has it, driven by Pulumi's command line.
type shared struct {
	dir string
	bin string
	env []string
}

func newShared(t *testing.T, b *bench) *shared {
	t.Helper()
	require.NoError(t, b.emulator.CreateBackend(t.Context(), stateBucket))
	settings := SceneSettings("dev", stacks.KindDev, testKey)
	settings["calldata-foundation:configure"] = "false"
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	require.NoError(t, os.WriteFile(passphrase, []byte("for this test alone"), 0o600))
	s := &shared{dir: b.workspace(t, "dev", settings), bin: filepath.Join(b.engine.Dir, "pulumi")}
	s.env = append(os.Environ(), b.engine.Env(t.TempDir())...)
	s.env = append(s.env, b.emulator.Env()...)
	s.env = append(s.env, engine.ProgramVariable+"="+b.program, "PULUMI_BACKEND_URL="+b.emulator.BackendURL(stateBucket), "PULUMI_CONFIG_PASSPHRASE_FILE="+passphrase)
	out, err := s.pulumi(t.Context(), "stack", "init", "dev")
	require.NoError(t, err, out)
	return s
}

// command is a Pulumi that leads a process group of its own.
func (s *shared) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.bin, append(args, "--non-interactive", "--color", "never")...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	return cmd
}

func (s *shared) pulumi(ctx context.Context, args ...string) (string, error) {
	out, err := s.command(ctx, args...).CombinedOutput()
	return string(out), err
}

func (s *shared) up(t *testing.T) {
	t.Helper()
	out, err := s.pulumi(t.Context(), "up", "--yes", "--skip-preview", "--stack", "dev")
	require.NoError(t, err, out)
}

// begin starts a deployment and answers once it has made something.
func (s *shared) begin(t *testing.T, b *bench) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	cmd := s.command(t.Context(), "up", "--yes", "--skip-preview", "--stack", "dev", "--parallel", "1")
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	require.Eventually(t, func() bool { return len(b.things(t)) > 0 }, time.Minute, 50*time.Millisecond, "the deployment must begin")
	return cmd, &out
}

func TestKilledDeploymentConverges(t *testing.T) {
	b := newBench(t)
	s := newShared(t, b)
	cmd, _ := s.begin(t, b)
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
	_ = cmd.Wait()

	out, err := s.pulumi(t.Context(), "up", "--yes", "--skip-preview", "--stack", "dev")
	require.Error(t, err, "the killed deployment's lock is still there")
	assert.Contains(t, out, "locked")

	out, err = s.pulumi(t.Context(), "cancel", "--yes", "--stack", "dev")
	require.NoError(t, err, out)
	s.up(t)
	out, err = s.pulumi(t.Context(), "preview", "--stack", "dev", "--expect-no-changes")
	require.NoError(t, err, out)
	out, err = s.pulumi(t.Context(), "destroy", "--yes", "--skip-preview", "--stack", "dev")
	require.NoError(t, err, out)
	out, err = s.pulumi(t.Context(), "stack", "export", "--stack", "dev")
	require.NoError(t, err, out)
	var state struct {
		Deployment struct {
			Resources []json.RawMessage `json:"resources"`
			Pending   []json.RawMessage `json:"pending_operations"`
		} `json:"deployment"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &state))
	assert.Empty(t, state.Deployment.Resources)
}

func TestSecondDeploymentIsRefused(t *testing.T) {
	b := newBench(t)
	s := newShared(t, b)
	cmd, first := s.begin(t, b)
	out, err := s.pulumi(t.Context(), "up", "--yes", "--skip-preview", "--stack", "dev")
	require.Error(t, err)
	assert.Contains(t, out, "locked")
	user, _ := os.Hostname()
	assert.Contains(t, out, user, "the message must say who holds the lock")
	require.NoError(t, cmd.Wait(), "the first deployment goes on: %s", first)
}
