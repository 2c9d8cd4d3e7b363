package fastwait

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// waiterSource waits like terraform-plugin-sdk does, and tells what it did: the delay, then each interval.
const waiterSource = `package retry

import (
	"context"
	"fmt"
	"time"
)

type StateRefreshFunc func() (result interface{}, state string, err error)

type StateChangeConf struct {
	Delay, MinTimeout, PollInterval, Timeout time.Duration
	Refresh                                  StateRefreshFunc
}

func (conf *StateChangeConf) WaitForStateContext(ctx context.Context) (interface{}, error) {
	fmt.Println("delay", conf.Delay)
	for range 8 {
		if _, state, err := conf.Refresh(); state == "done" || err != nil {
			return nil, err
		}
		fmt.Println("wait", conf.PollInterval, conf.MinTimeout, conf.Timeout)
	}
	return nil, nil
}
`

const waiterProgram = `package main

import (
	"context"
	"time"

	"example.org/sdk/helper/retry"
)

func main() {
	calls := 0
	conf := &retry.StateChangeConf{Delay: time.Minute, MinTimeout: 10 * time.Second, Timeout: time.Hour}
	conf.Refresh = func() (interface{}, string, error) {
		calls++
		if calls == 8 {
			return nil, "done", nil
		}
		return nil, "pending", nil
	}
	conf.WaitForStateContext(context.Background())
	if conf.Delay != time.Minute {
		panic("the caller's settings were changed")
	}
}
`

const sleeper = `package s3

func read() { time.Sleep(lifecycleConfigurationExtraRetryDelay) }
`

func write(t *testing.T, file, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
}

func modules(t *testing.T, state, sleep string) (sdk, provider Module) {
	t.Helper()
	sdk = Module{Source: filepath.Join(t.TempDir(), "sdk"), At: "/at/sdk"}
	provider = Module{Source: filepath.Join(t.TempDir(), "provider"), At: "/at/provider"}
	write(t, filepath.Join(sdk.Source, stateFile), state)
	write(t, filepath.Join(provider.Source, pauses[0].file), sleep)
	return sdk, provider
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	sdk, provider := modules(t, waiterSource, sleeper)
	replace, err := Overlay(sdk, provider, t.TempDir())
	require.NoError(t, err)
	assert.Len(t, replace, 3)
	slept, err := os.ReadFile(replace[filepath.Join(provider.At, pauses[0].file)])
	require.NoError(t, err)
	assert.Contains(t, string(slept), "{ retry.CalldataPause(lifecycleConfigurationExtraRetryDelay) }")
}

func TestOverlayRefusesUnexpectedSource(t *testing.T) {
	t.Parallel()
	sdk, provider := modules(t, strings.Replace(waiterSource, waiter, "Other", 1), sleeper)
	_, err := Overlay(sdk, provider, t.TempDir())
	require.ErrorContains(t, err, "has no method WaitForStateContext")

	sdk, provider = modules(t, waiterSource, "package s3\n")
	_, err = Overlay(sdk, provider, t.TempDir())
	require.ErrorContains(t, err, "0 times, want once")
}

// The patched waiter is compiled and run: it must keep its times without the variable, and poll sooner with it.
func TestPatchedWaiter(t *testing.T) {
	t.Parallel()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to compile with")
	}
	sdk, provider := modules(t, waiterSource, sleeper)
	replace, err := Overlay(sdk, provider, t.TempDir())
	require.NoError(t, err)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.org/sdk\n\ngo 1.24\n")
	write(t, filepath.Join(dir, "main.go"), waiterProgram)
	for _, name := range []string{stateFile, scaleFile} {
		content, err := os.ReadFile(replace[filepath.Join(sdk.At, name)])
		require.NoError(t, err)
		write(t, filepath.Join(dir, name), string(content))
	}
	build := exec.Command(goTool, "build", "-o", "waiter", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	for value, want := range map[string]string{
		"":  "delay 1m0s\n" + strings.Repeat("wait 0s 10s 1h0m0s\n", 7),
		"0": "delay 1m0s\n" + strings.Repeat("wait 0s 10s 1h0m0s\n", 7),
		"1": "delay 0s\nwait 40ms 0s 1h0m0s\nwait 80ms 0s 1h0m0s\nwait 160ms 0s 1h0m0s\nwait 320ms 0s 1h0m0s\n" +
			"wait 640ms 0s 1h0m0s\nwait 1s 0s 1h0m0s\nwait 1s 0s 1h0m0s\n",
	} {
		run := exec.Command(filepath.Join(dir, "waiter"))
		run.Env = append(os.Environ(), Variable+"="+value)
		out, err := run.CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Equal(t, want, string(out), "%s=%q", Variable, value)
	}
}

func TestVariableIsTheSourcesOwn(t *testing.T) {
	t.Parallel()
	assert.Contains(t, string(scaleSource), `"`+Variable+`"`)
}
