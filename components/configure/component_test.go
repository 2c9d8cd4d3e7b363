package configure

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args() Args {
	return Args{
		Inventory: pulumi.String("all: {}\n"), InstanceIDs: pulumi.ToStringArray([]string{"i-1", "i-2"}),
		Stack: "dev", ContentHash: "abc123", Timeout: 45 * time.Minute,
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		group := &componenttest.Child{}
		if err := ctx.RegisterResource("test:index:Child", "address", pulumi.Map{}, group); err != nil {
			return err
		}
		a := args()
		a.After = []pulumi.Resource{group}
		c, err := NewConfigure(ctx, "dev-configure", a)
		if err != nil {
			return err
		}
		c.Stdout.ApplyT(func(out string) error { assert.Equal(t, "done", out); return nil })
		return nil
	}))
	command := rec.One(t, "command:local:Command")
	assert.Equal(t, "calldata:configure:Configure dev-configure", command.Parent)
	assert.Equal(t, []string{"test:index:Child address"}, command.Dependencies)
	assert.Equal(t, map[string]any{
		"create": Script("dev", 45*time.Minute), "update": Script("dev", 45*time.Minute), "dir": "..", "stdin": "all: {}\n",
		"environment": map[string]any{"CALLDATA_CONTENT_HASH": "abc123", "CALLDATA_INSTANCE_IDS": "i-1 i-2"}, "logging": "stdoutAndStderr", "addPreviousOutputInEnv": false,
	}, command.Inputs, "no delete command, no triggers: a change must be an update")
}

// TestScript runs the script with stand-ins for Go and for the command.
func TestScript(t *testing.T) {
	t.Parallel()
	const tell = "#!/bin/sh\necho \"$0 $*\"\ncat\n"
	for name, env := range map[string]struct{ binary, want string }{
		"built from the repository": {"", ".calldata/bin/calldata configure --stack dev --inventory - --timeout 90m\nall: {}\n"},
		"given":                     {"given", "/given configure --stack dev --inventory - --timeout 90m\nall: {}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(path, text string) {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o700)) // #nosec G306 -- a program
			}
			write("tools/go", "#!/bin/sh\nset -eu\n[ \"$*\" = 'build -buildvcs=false -o .calldata/bin/calldata ./infra/calldata' ]\nmkdir -p .calldata/bin\ncp tell .calldata/bin/calldata\n")
			write("tell", tell)
			cmd := exec.Command("/bin/sh", "-c", Script("dev", 90*time.Minute))
			cmd.Dir, cmd.Stdin = dir, strings.NewReader("all: {}\n")
			cmd.Env = []string{"PATH=" + filepath.Join(dir, "tools") + ":" + os.Getenv("PATH")}
			if env.binary != "" {
				write(env.binary, tell)
				require.NoError(t, os.Remove(filepath.Join(dir, "tools/go")))
				cmd.Env = append(cmd.Env, "CALLDATA_BIN="+filepath.Join(dir, env.binary))
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			assert.Equal(t, env.want, strings.TrimPrefix(string(out), dir))
		})
	}
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewConfigure(ctx, "dev-configure", Args{Stack: "dev; rm -rf /", Timeout: 90 * time.Second})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{"configure dev-configure: ", "inventory: it is missing", "instance ids: they are missing", `stack: "dev; rm -rf /"`, "content hash: it is empty", "timeout: 1m30s, want whole minutes"} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}
