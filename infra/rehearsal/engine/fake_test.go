package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A world is a repository, a cache and a PATH for one test.
type world struct {
	t    *testing.T
	dir  string
	opts Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.write("repo/go.mod", "module example.org/root\n\nrequire (\n\t"+awsSDKModule+" v6.1.0\n\t"+commandSDKModule+" v1.2.0\n)\n")
	w.write("repo/"+engineDir+"/modules/cli/go.mod", "module cli\n\nrequire "+cliModule+" v3.100.0\n")
	w.write("repo/"+engineDir+"/modules/languagehost/go.mod", "module host\n\nrequire "+sdkModule+" v3.66.0\n")
	w.write("repo/"+engineDir+"/trim/trim.go", "package trim\n")
	w.write("repo/"+engineDir+"/fastwait/fastwait.go", "package fastwait\n")
	w.write("repo/"+engineDir+"/mend/mend.go", "package mend\n")
	w.write("repo/"+providersDir+"/awsprovider/go.mod", "module aws\n")
	w.write("repo/"+providersDir+"/awsprovider/tokens.txt", "resource aws_vpc ec2 Vpc\n")
	w.write("repo/"+providersDir+"/commandprovider/go.mod", "module command\n")
	w.write("repo/"+providersDir+"/commandprovider/main.go", "package main\n")

	w.write("modules/terraform-plugin-sdk/helper/retry/state.go",
		"package retry\n\nfunc (conf *StateChangeConf) WaitForStateContext() {\n}\n")
	w.write("modules/smithy-go/transport/http/internal/io/safe.go",
		"package io\n\nfunc (r *safeWriteToReadCloser) WriteTo(w io.Writer) (int64, error) {\n"+
			"\tif r.safeReadCloser.closed {\n\t\treturn 0, io.EOF\n\t}\n\treturn 1, nil\n}\n")
	w.write("modules/terraform-provider-aws/internal/service/ec2/vpc.go",
		"package ec2\n\n// @SDKResource(\"aws_vpc\")\nfunc resourceVPC() {}\n")
	w.write("modules/terraform-provider-aws/internal/service/s3/bucket_lifecycle_configuration.go",
		"package s3\n\nfunc f() { time.Sleep(lifecycleConfigurationExtraRetryDelay) }\n")
	w.write("modules/terraform-provider-aws/internal/conns/awsclient_gen.go", "package conns\n")
	w.write("modules/terraform-provider-aws/internal/provider/service_packages_gen.go", "package provider\n")

	fakes, err := filepath.Abs("testdata")
	require.NoError(t, err)
	w.opts = Options{
		Root: w.path("repo"), CacheDir: w.path("cache"), Mode: Build,
		Env: []string{
			"PATH=" + filepath.Join(fakes, "bin") + ":/usr/bin:/bin", "HOME=" + w.path("home"), "FAKE_LOG=" + w.path("builds"),
			"FAKE_MODULES=" + w.path("modules"), "FAKE_HOLD=" + w.path("hold"), "FAKE_INSTALLED=" + w.path("installed"),
		},
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, content string) {
	w.t.Helper()
	require.NoError(w.t, os.MkdirAll(filepath.Dir(w.path(name)), 0o755))
	require.NoError(w.t, os.WriteFile(w.path(name), []byte(content), 0o644))
}

// builds answers the names of the programs that were built, in order.
func (w *world) builds() []string {
	w.t.Helper()
	log, err := os.ReadFile(w.path("builds"))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(w.t, err)
	var names []string
	for line := range strings.Lines(string(log)) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	return names
}

// fakePulumi puts testdata/pulumi on PATH: of a version, with plugins as `plugin ls --json` lists them, and a script
// for what happens when one is to be installed.
func (w *world) fakePulumi(version, plugins, install string) {
	w.t.Helper()
	fakes, err := filepath.Abs("testdata")
	require.NoError(w.t, err)
	w.opts.Env = append(w.opts.Env,
		"PATH="+filepath.Join(fakes, "pulumi")+":"+variable(w.opts.Env, "PATH"),
		"FAKE_VERSION="+version, "FAKE_PLUGINS="+plugins, "FAKE_INSTALL="+install)
}
