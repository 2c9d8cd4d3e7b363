package engine

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	bothPlugins = `[{"name":"aws","kind":"resource","version":"6.1.0"},{"name":"command","kind":"resource","version":"1.2.0"}]`
	installs    = `mkdir -p "$plugin" && printf '#!/bin/sh\n' > "$plugin/pulumi-resource-$name"`
	unreachable = `echo "no such host" >&2; exit 1`
)

func origins(engine *Engine) map[string]string {
	by := map[string]string{}
	for _, part := range engine.Parts {
		by[part.Name] = part.Origin
	}
	return by
}

func TestInstalledDistributionIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fakePulumi("v3.100.0", bothPlugins, unreachable)
	w.write("home/.pulumi/plugins/resource-aws-v6.1.0/pulumi-resource-aws", "")
	w.write("home/.pulumi/plugins/resource-command-v1.2.0/pulumi-resource-command", "")
	for _, mode := range []Mode{Auto, Official} {
		w.opts.Mode = mode
		engine, err := Prepare(t.Context(), w.opts)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{
			cliProgram: OriginFound, languageHost: OriginFound, awsPlugin: OriginOfficial, CommandPlugin: OriginOfficial,
		}, origins(engine))
		assert.False(t, engine.FastWait)
	}
	assert.Empty(t, w.builds())
	assert.NoFileExists(t, w.path("installed"), "nothing is downloaded")
}

func TestMissingPluginsAreDownloadedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fakePulumi("v3.101.0", "[]", installs)
	w.opts.Mode = Auto
	for range 2 {
		engine, err := Prepare(t.Context(), w.opts)
		require.NoError(t, err)
		assert.Equal(t, OriginOfficial, origins(engine)[awsPlugin])
		assert.Equal(t, OriginOfficial, origins(engine)[CommandPlugin])
	}
	log, err := os.ReadFile(w.path("installed"))
	require.NoError(t, err)
	assert.Equal(t, "command v1.2.0\naws v6.1.0\n", string(log))
	assert.NoDirExists(t, w.path("home/.pulumi"), "the person's own Pulumi is left alone")
}

func TestHalfUnpackedPluginIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fakePulumi("v3.100.0", bothPlugins, unreachable)
	w.write("home/.pulumi/plugins/resource-aws-v6.1.0/pulumi-resource-aws", "")
	w.write("home/.pulumi/plugins/resource-aws-v6.1.0.partial", "")
	w.write("home/.pulumi/plugins/resource-command-v1.2.0/pulumi-resource-command", "")
	w.opts.Mode = Auto
	engine, err := Prepare(t.Context(), w.opts)
	require.NoError(t, err)
	assert.Equal(t, OriginBuilt, origins(engine)[awsPlugin])
	assert.Equal(t, OriginOfficial, origins(engine)[CommandPlugin])
}

func TestUnreachablePluginsAreBuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fakePulumi("v3.100.0", "[]", unreachable)
	w.opts.Mode = Auto
	engine, err := Prepare(t.Context(), w.opts)
	require.NoError(t, err)
	assert.Equal(t, []string{CommandPlugin, awsPlugin}, w.builds())
	assert.Equal(t, OriginFound, origins(engine)[cliProgram])
	log, err := os.ReadFile(w.path("installed"))
	require.NoError(t, err)
	assert.Equal(t, "command v1.2.0\n", string(log), "one failed download is enough")

	w.opts.Mode = Official
	_, err = Prepare(t.Context(), w.opts)
	require.ErrorContains(t, err, "pulumi-resource-command is not to be had from Pulumi")
	require.ErrorContains(t, err, "no such host")
}

func TestStalledDownloadIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fakePulumi("v3.100.0", "[]", "sleep 60")
	opts, err := w.opts.complete()
	require.NoError(t, err)
	opts.Mode = Official
	list, err := recipes(opts.Root)
	require.NoError(t, err)
	d := distribution{opts: opts, stall: 300 * time.Millisecond}
	start := time.Now()
	_, err = d.find(t.Context(), list[0])
	require.ErrorContains(t, err, "nothing arrived for 300ms")
	assert.Less(t, time.Since(start), 15*time.Second)
}

func TestUnsuitableCommandLineIsNotUsed(t *testing.T) {
	t.Parallel()
	for version, why := range map[string]string{
		"v3.99.0":   "need v3.100.0 or later",
		"something": "need v3.100.0 or later",
	} {
		w := newWorld(t)
		w.fakePulumi(version, bothPlugins, installs)
		w.opts.Mode = Official
		_, err := Prepare(t.Context(), w.opts)
		require.ErrorContains(t, err, why)
	}
	w := newWorld(t)
	w.opts.Mode = Official
	_, err := Prepare(t.Context(), w.opts)
	require.ErrorContains(t, err, "no pulumi on PATH")
}

func TestBuiltEngineOnPathIsNotADistribution(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	built, err := Prepare(t.Context(), w.opts)
	require.NoError(t, err)
	w.opts.Mode = Auto
	w.opts.Env = append(w.opts.Env, "PATH="+built.Dir+":"+variable(w.opts.Env, "PATH"))
	engine, err := Prepare(t.Context(), w.opts)
	require.NoError(t, err)
	assert.Equal(t, OriginBuilt, origins(engine)[cliProgram])
	assert.Equal(t, built.Dir, engine.Dir)
}
