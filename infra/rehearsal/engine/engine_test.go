package engine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var allParts = []string{CommandPlugin, languageHost, cliProgram, awsPlugin}

func TestPrepareBuildsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	engine, err := Prepare(t.Context(), w.opts)
	require.NoError(t, err)
	assert.Equal(t, allParts, w.builds())
	assert.True(t, engine.FastWait)
	for _, part := range engine.Parts {
		assert.Equal(t, OriginBuilt, part.Origin, part.Name)
		assert.FileExists(t, filepath.Join(engine.Dir, part.Name))
	}
	assert.Equal(t, "6.1.0 (Terraform AWS provider 5.82)", engine.Parts[3].Version)
	assert.FileExists(t, filepath.Join(filepath.Dir(engine.Parts[3].Path), "schema.json"))
	assert.NoDirExists(t, w.path("cache/work"), "nothing of a build stays behind")

	again, err := Prepare(t.Context(), w.opts)
	require.NoError(t, err)
	assert.Equal(t, allParts, w.builds(), "the cache has everything")
	assert.Equal(t, engine.Dir, again.Dir)
	assert.Zero(t, again.Parts[3].Took)
}

func TestPrepareBuildsAgainWhatChanged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, content string
		want                []string
	}{
		{"a provider's source", providersDir + "/commandprovider/main.go", "package main // changed", []string{CommandPlugin}},
		{"a new file", providersDir + "/commandprovider/more.go", "package main", []string{CommandPlugin}},
		{"hashes of modules", providersDir + "/awsprovider/go.sum", "x", []string{awsPlugin}},
		{"what writes the overlay", engineDir + "/fastwait/scale.go.txt", "x", []string{awsPlugin}},
		{"a pinned version", engineDir + "/modules/cli/go.mod", "module cli\n\nrequire " + cliModule + " v3.200.0\n", []string{cliProgram}},
		{"a test", providersDir + "/commandprovider/main_test.go", "package main", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before, err := Prepare(t.Context(), w.opts)
			require.NoError(t, err)
			w.write("repo/"+test.file, test.content)
			after, err := Prepare(t.Context(), w.opts)
			require.NoError(t, err)
			assert.Equal(t, append(slices.Clone(allParts), test.want...), w.builds())
			assert.Equal(t, len(test.want) == 0, before.Dir == after.Dir)
		})
	}
}

func TestPrepareReportsABrokenBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := w.opts
	broken.Env = append(broken.Env, "FAKE_BROKEN="+cliProgram)
	_, err := Prepare(t.Context(), broken)
	require.ErrorContains(t, err, "build pulumi: go build: exit status 1")
	require.ErrorContains(t, err, "it does not compile")
	assert.NotContains(t, err.Error(), "example.org/a", "progress is no error text")

	_, err = Prepare(t.Context(), w.opts)
	require.NoError(t, err)
	assert.Equal(t, []string{CommandPlugin, languageHost, cliProgram, cliProgram, awsPlugin}, w.builds(),
		"what had been finished before the failure is kept")
}

func TestPrepareStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("hold/"+languageHost, "")
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	go func() {
		assert.Eventually(t, func() bool { return len(w.builds()) == 2 }, 20*time.Second, 10*time.Millisecond)
		cancel(interrupted)
	}()
	_, err := Prepare(ctx, w.opts)
	require.ErrorIs(t, err, interrupted)
}

func TestPrepareGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("hold/"+cliProgram, "")
	child := exec.Command(os.Args[0], "-test.run=^TestPrepareInAChild$")
	child.Env = append(os.Environ(), "CALLDATA_TEST_ENV="+strings.Join(w.opts.Env, "\n"), "CALLDATA_TEST_DIR="+w.dir)
	require.NoError(t, child.Start())
	require.Eventually(t, func() bool { return len(w.builds()) == 3 }, 20*time.Second, 10*time.Millisecond,
		"two parts are finished and the third is being built")
	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	require.Error(t, child.Wait())
	assert.DirExists(t, w.path("cache/work/"+cliProgram))

	require.NoError(t, os.Remove(w.path("hold/"+cliProgram)))
	engine, err := Prepare(t.Context(), w.opts)
	require.NoError(t, err)
	assert.Equal(t, append(slices.Clone(allParts[:3]), cliProgram, awsPlugin), w.builds())
	assert.FileExists(t, filepath.Join(engine.Dir, cliProgram))
	assert.NoDirExists(t, w.path("cache/work"))
}

// TestPrepareInAChild is the process that TestPrepareGoesOnAfterAKill kills.
func TestPrepareInAChild(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("CALLDATA_TEST_DIR")
	if dir == "" {
		t.Skip("only as the child of another test")
	}
	_, err := Prepare(t.Context(), Options{
		Root: filepath.Join(dir, "repo"), CacheDir: filepath.Join(dir, "cache"), Mode: Build,
		Env: strings.Split(os.Getenv("CALLDATA_TEST_ENV"), "\n"),
	})
	require.NoError(t, err)
}

func TestConcurrentCallsBuildOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			engine, err := Prepare(t.Context(), w.opts)
			if assert.NoError(t, err) {
				assert.FileExists(t, filepath.Join(engine.Dir, awsPlugin))
			}
		})
	}
	calls.Wait()
	assert.Equal(t, allParts, w.builds())
}

func TestPrepareRefusesBadOptions(t *testing.T) {
	for _, name := range []string{"CALLDATA_CACHE", "XDG_CACHE_HOME", "HOME"} {
		t.Setenv(name, "")
	}
	_, err := Prepare(t.Context(), Options{Root: t.TempDir(), Mode: "magic"})
	require.ErrorContains(t, err, `engine mode "magic"`)
	require.ErrorContains(t, err, "find the providers' sources")
	require.ErrorContains(t, err, "no cache directory")
}

func TestPrepareWithoutGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opts.Env = append(w.opts.Env, "PATH=/nowhere")
	_, err := Prepare(t.Context(), w.opts)
	require.ErrorIs(t, err, exec.ErrNotFound)
	require.ErrorContains(t, err, "install Go, or Pulumi")
}

func TestEnv(t *testing.T) {
	t.Parallel()
	env := (&Engine{Dir: "/e", path: "/usr/bin"}).Env("/home")
	assert.Contains(t, env, "PATH=/e:/usr/bin")
	assert.Contains(t, env, "PULUMI_HOME=/home")
	assert.NotContains(t, env, "CALLDATA_REHEARSAL_FAST_WAIT=1", "official providers do not know it")
	assert.Contains(t, (&Engine{FastWait: true}).Env(""), "CALLDATA_REHEARSAL_FAST_WAIT=1")
}

// Not parallel: a process forked meanwhile would hold the scripts open, and Linux does not start a file that is open
// for writing.
func TestLanguageHostGetsTheProgram(t *testing.T) {
	out := t.TempDir()
	host := filepath.Join(out, languageHost)
	require.NoError(t, os.WriteFile(host, []byte("#!/bin/sh\necho \"$@\"\n"), 0o755))
	require.NoError(t, wrapLanguageHost(workshop{}, out))
	link := filepath.Join(t.TempDir(), "host")
	require.NoError(t, os.Symlink(host, link))
	for program, want := range map[string]string{"": "127.0.0.1:1\n", "/a b": "-binary /a b 127.0.0.1:1\n"} {
		cmd := exec.Command(link, "127.0.0.1:1")
		cmd.Env = []string{"PATH=/usr/bin:/bin", ProgramVariable + "=" + program}
		got, err := cmd.Output()
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}

// The providers tell the engine the version of the SDK that the program uses.
func TestProvidersNameTheSDKsVersions(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	for provider, module := range map[string]string{
		"awsprovider/provider.go": awsSDKModule, "commandprovider/provider.go": commandSDKModule,
	} {
		version, err := requiredVersion(filepath.Join(root, "go.mod"), module)
		require.NoError(t, err)
		source, err := os.ReadFile(filepath.Join(root, providersDir, provider))
		require.NoError(t, err)
		assert.Regexp(t, `version\s+= "`+version+`"`, string(source), provider)
	}
}
