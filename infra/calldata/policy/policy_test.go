package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/policy"
)

// exported is a state of one database, which prod minds and dev does not.
func exported(stack string, public bool) string {
	tags := `{"Project":"p","Environment":"e","Owner":"o","CostCenter":"c","ManagedBy":"pulumi"}`
	return fmt.Sprintf(`{"version":3,"deployment":{"manifest":{},"resources":[{"urn":"urn:pulumi:%s::calldata-foundation::aws:rds/instance:Instance::db","custom":true,"id":"db-1",
	"type":"aws:rds/instance:Instance","inputs":{"storageEncrypted":true,"manageMasterUserPassword":true,"masterUserSecretKmsKeyId":"k","instanceClass":"db.t3.medium","tags":%s},
	"outputs":{"storageEncrypted":true,"publiclyAccessible":%t,"tags":%s}}]}}`, stack, tags, public, tags)
}

// project is a project with the stacks dev and europe.
func project(t *testing.T, exceptions string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ansible"), 0o750))
	for name, text := range map[string]string{
		"Pulumi.yaml":        "name: calldata-foundation\nruntime: go\nconfig:\n  topology:\n    type: string\n    default: \"\"\n",
		"Pulumi.dev.yaml":    "config:\n  calldata-foundation:policyExceptions:" + exceptions + "\n",
		"Pulumi.europe.yaml": "config:\n  calldata-foundation:topology: prod\n",
		"Pulumi.alice.yaml":  "config: {}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// call runs the command and answers what it printed.
func call(t *testing.T, o *Options, stdin string, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	o.IO = &cli.IO{In: strings.NewReader(stdin), Out: &out, Err: &errs, Getenv: func(string) string { return "" }}
	cmd := newCmd(o)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		exceptions string
		stdin      string
		args       []string
		code       int
		want       []string
	}{
		"sound":                   {exceptions: " []", stdin: exported("dev", false), args: []string{"dev", "--file", "-"}, want: []string{"1 resources of dev judged by", "for dev: 0 mandatory and 0 advisory violations, 0 excepted"}},
		"the file names it":       {exceptions: " []", stdin: exported("dev", false), args: []string{"--file", "-"}, want: []string{"for dev: 0 mandatory"}},
		"a violation":             {exceptions: " []", stdin: exported("dev", true), args: []string{"--file", "-"}, code: cli.ExitUnhealthy, want: []string{"LEVEL", "mandatory  CD-23  db", "take publiclyAccessible away"}},
		"excepted":                {exceptions: "\n    - \"CD-23 d*: a test database\"", stdin: exported("dev", true), args: []string{"--file", "-"}, want: []string{"excepted  CD-23  db", "a test database (it has a public address", "0 mandatory"}},
		"stale":                   {exceptions: "\n    - CD-23 a test database", stdin: exported("dev", false), args: []string{"--file", "-"}, want: []string{"stale  CD-23  -", "nothing needs this exception any more"}},
		"prod by its topology":    {exceptions: " []", stdin: exported("europe", false), args: []string{"europe", "--file", "-"}, code: cli.ExitUnhealthy, want: []string{"CD-25", "CD-46  -", "for prod"}},
		"prod by the flag":        {exceptions: " []", stdin: exported("dev", false), args: []string{"--file", "-", "--scope", "prod"}, code: cli.ExitUnhealthy, want: []string{"for prod"}},
		"no topology of the name": {exceptions: " []", args: []string{"alice"}, code: cli.ExitUsage},
		"a flag helps":            {exceptions: " []", stdin: exported("alice", false), args: []string{"alice", "--file", "-", "--scope", "dev"}, want: []string{"for dev"}},
		"another stack":           {exceptions: " []", stdin: exported("dev", false), args: []string{"europe", "--file", "-"}, code: cli.ExitUsage},
		"no reason":               {exceptions: "\n    - CD-23", args: []string{"dev"}, code: cli.ExitUsage},
		"no list":                 {exceptions: " {a: b}", args: []string{"dev"}, code: cli.ExitUsage},
		"no stack":                {exceptions: " []", code: cli.ExitUsage},
		"two stacks":              {exceptions: " []", args: []string{"dev", "prod"}, code: cli.ExitUsage},
		"no such stack":           {exceptions: " []", args: []string{"bob"}, code: cli.ExitUsage},
		"no such scope":           {exceptions: " []", args: []string{"dev", "--scope", "production"}, code: cli.ExitUsage},
		"no such file":            {exceptions: " []", args: []string{"dev", "--file", "/nowhere/state.json"}, code: cli.ExitUsage},
		"no state":                {exceptions: " []", stdin: "{}", args: []string{"dev", "--file", "-"}, code: cli.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := call(t, &Options{Dir: project(t, test.exceptions)}, test.stdin, test.args...)
			assert.Equal(t, test.code, cli.Code(err), "%v", err)
			for _, want := range test.want {
				assert.Contains(t, out, want)
			}
			if test.code == cli.ExitUsage {
				assert.Empty(t, out)
			}
		})
	}
}

func TestPolicyAsksPulumi(t *testing.T) {
	t.Parallel()
	dir := project(t, " []")
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "pulumi")
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
		return path
	}
	asked := filepath.Join(t.TempDir(), "args")
	out, err := call(t, &Options{Dir: dir, pulumi: script("echo \"$PWD $*\" >" + asked + "\ncat <<'END'\n" + exported("dev", true) + "\nEND")}, "", "dev", "--json")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	var report policy.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Len(t, report.Violations, 1)
	assert.Equal(t, policy.Violation{Rule: "CD-23", Level: policy.Mandatory, Resource: "db", Type: "aws:rds/instance:Instance", URN: "urn:pulumi:dev::calldata-foundation::aws:rds/instance:Instance::db",
		Message: report.Violations[0].Message}, report.Violations[0])
	assert.Equal(t, []policy.Exception{}, report.Stale, "lists are never null")
	args, err := os.ReadFile(asked)
	require.NoError(t, err)
	assert.Equal(t, dir+" stack export --stack dev --non-interactive\n", string(args))

	_, err = call(t, &Options{Dir: dir, pulumi: script("echo 'no stack named dev' >&2; exit 255")}, "", "dev")
	assert.ErrorContains(t, err, "no stack named dev")
	assert.Equal(t, cli.ExitError, cli.Code(err))
	_, err = call(t, &Options{Dir: dir, pulumi: "/nowhere/pulumi"}, "", "dev")
	assert.ErrorContains(t, err, "install the Pulumi CLI")
	assert.Equal(t, cli.ExitPreflight, cli.Code(err))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var sink bytes.Buffer
	err = run(ctx, &Options{IO: &cli.IO{Out: &sink, Err: &sink}, Stack: "dev", Dir: dir, pulumi: script("exec sleep 60")})
	assert.Equal(t, cli.ExitInterrupted, cli.Code(err))
}
