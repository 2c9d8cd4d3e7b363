package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/enginetest"
	"github.com/calldata/calldata-foundation/infra/rehearsal"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/stacks"
)

// Nobody holds the private half of this key.
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV test"

// project makes a directory in which Pulumi deploys dev to an emulator, makes it the working directory, and gives this process the
// environment of an operator there. No machine is configured: there are none.
func project(t *testing.T) string {
	t.Helper()
	dir, _ := projectOf(t, stacks.KindDev)
	return dir
}

// projectOf is project with a stack of a kind, called like it. It answers the emulator, too.
func projectOf(t *testing.T, kind stacks.Kind) (string, *emulator.Emulator) {
	t.Helper()
	e, name := emulatortest.Start(t), string(kind)
	require.NoError(t, rehearsal.SetScene(t.Context(), e.AWSConfig(), kind))
	made := enginetest.Environment(t, "./infra", e.Env()...)
	dir := filepath.Join(t.TempDir(), "work")
	settings := rehearsal.EmulatorSettings()
	maps.Copy(settings, e.Settings())
	maps.Copy(settings, rehearsal.SceneSettings(name, kind, publicKey))
	settings["aws:region"], settings[stacks.Project+":configure"] = "us-east-1", "false"
	require.NoError(t, rehearsal.Workspace(dir, made.Repo, name, made.Program, settings))
	require.NoError(t, os.Remove(filepath.Join(dir, ".calldata"))) // logs and the policy pack are this test's own

	// The directory is a project without its sources: Go finds them in the repository.
	tool, err := exec.LookPath("go")
	require.NoError(t, err)
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), fmt.Appendf(nil, "#!/bin/sh\ncd %s && exec %s \"$@\"\n", made.Repo, tool), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Chdir(dir)
	pulumi(t, "stack", "init", name, "--no-select")
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "an operator")
		t.Setenv("GIT_"+who+"_EMAIL", "operator@example.com")
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("/.calldata/\n"), 0o600))
	output(t, "git", "init", "--quiet")
	return dir, e
}

// commit commits the project and answers the commit.
func commit(t *testing.T, message string) string {
	t.Helper()
	output(t, "git", "add", "--all")
	output(t, "git", "commit", "--quiet", "--message", message)
	return strings.TrimSpace(output(t, "git", "rev-parse", "HEAD"))
}

// resources are what the stored state knows.
func resources(t *testing.T) []string {
	t.Helper()
	var export struct {
		Deployment struct{ Resources []struct{ URN, ID string } }
	}
	require.NoError(t, json.Unmarshal([]byte(pulumi(t, "stack", "export", "--stack", "dev")), &export))
	var list []string
	for _, r := range export.Deployment.Resources {
		list = append(list, r.URN+" "+r.ID)
	}
	return list
}

func pulumi(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, "pulumi", append(args, "--non-interactive", "--color", "never")...)
}

// output is what a program prints that has to succeed.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// calldata runs the command as a person who types at a terminal, or where nothing is typed as automation.
func calldata(t *testing.T, typed string, args ...string) (string, int) {
	t.Helper()
	var out, said bytes.Buffer
	io := &cli.IO{In: strings.NewReader(typed), InIsTerminal: typed != "", Out: &out, Err: &said, Getenv: os.Getenv}
	err := execute(t.Context(), root(io), args)
	t.Logf("calldata %s: %v\n%s%s", strings.Join(args, " "), err, said.String(), out.String())
	return out.String(), cli.Code(err)
}

// TestLifeOfAStack takes dev from nothing to nothing with the real engine: planned, deployed by the plan, changed, taken down.
func TestLifeOfAStack(t *testing.T) {
	dir := project(t)
	plan := filepath.Join(t.TempDir(), "dev.plan")
	first := commit(t, "The first")

	out, code := calldata(t, "", "preview", "dev", "--save-plan", plan)
	require.Equal(t, cli.ExitOK, code)
	assert.Contains(t, out, "create  aws:ec2/instance:Instance")
	info, err := os.Stat(plan)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	out, code = calldata(t, "", "deploy", "dev", "--yes", "--skip", "preflight", "--plan", plan, "--json")
	require.Equal(t, cli.ExitOK, code)
	var report struct {
		Result    string
		Changed   map[string]int
		Endpoints stacks.Endpoints
		Log       string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.Equal(t, "deployed", report.Result)
	assert.Greater(t, report.Changed["create"], 10)
	assert.FileExists(t, filepath.Join(dir, report.Log))

	out, code = calldata(t, "", "outputs", "dev", "endpoints.web")
	require.Equal(t, cli.ExitOK, code)
	assert.Equal(t, report.Endpoints.Web+"\n", out)

	// Half of the state is lost, and found again in the history.
	before := resources(t)
	backend := strings.TrimPrefix(os.Getenv("PULUMI_BACKEND_URL"), "file://")
	state := filepath.Join(backend, ".pulumi", "stacks", stacks.Project, "dev.json")
	info, err = os.Stat(state)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(state, info.Size()/2))
	_, code = calldata(t, "", "preview", "dev")
	require.Equal(t, cli.ExitError, code)
	_, code = calldata(t, "dev\n", "rollback", "dev", "--state")
	require.Equal(t, cli.ExitOK, code)
	assert.Equal(t, before, resources(t))
	_, code = calldata(t, "", "preview", "dev", "--refresh", "--expect-no-changes")
	assert.Equal(t, cli.ExitOK, code, "what was deployed has not drifted")

	// Another setting: the plan is of another time.
	pulumi(t, "config", "set", "calldata-foundation:owner", "night-shift", "--stack", "dev")
	second := commit(t, "The night shift owns it")
	_, code = calldata(t, "", "deploy", "dev", "--yes", "--skip", "preflight", "--plan", plan)
	assert.Equal(t, cli.ExitChanges, code)
	out, code = calldata(t, "y\n", "deploy", "dev", "--skip", "preflight")
	assert.Equal(t, cli.ExitOK, code)
	assert.Contains(t, out, "dev: deployed")

	// Back to the first commit, whose program, settings and ansible are no longer those of the clone.
	out, code = calldata(t, "", "rollback", "dev", "--yes", "--skip", "preflight", "--json")
	require.Equal(t, cli.ExitOK, code)
	var back struct {
		From, To   string
		Deployment struct {
			Result  string
			Changed map[string]int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &back))
	assert.Equal(t, []string{second, first, "deployed"}, []string{back.From, back.To, back.Deployment.Result})
	assert.Greater(t, back.Deployment.Changed["update"], 10)
	assert.NotContains(t, pulumi(t, "stack", "export", "--stack", "dev"), "night-shift")
	_, code = calldata(t, "", "preview", "dev", "--expect-no-changes")
	assert.Equal(t, cli.ExitChanges, code, "the clone has the second commit")
	out, code = calldata(t, "", "rollback", "dev", "--list", "--json")
	require.Equal(t, cli.ExitOK, code)
	var list struct {
		Deploys []struct {
			Commit   string
			Rollback bool
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Len(t, list.Deploys, 3)
	assert.Equal(t, first, list.Deploys[0].Commit, "the history knows what was deployed, and not what the clone had")
	assert.True(t, list.Deploys[0].Rollback)
	_, code = calldata(t, "", "rollback", "dev", "--yes", "--skip", "preflight")
	assert.Equal(t, cli.ExitUsage, code, "not back to what was taken back")

	_, code = calldata(t, "prod\n", "destroy", "dev")
	assert.Equal(t, cli.ExitDeclined, code)
	out, code = calldata(t, "dev\n", "destroy", "dev")
	require.Equal(t, cli.ExitOK, code)
	assert.Contains(t, out, "dev: nothing is left")

	selected, err := exec.Command("pulumi", "stack", "--show-name", "--non-interactive").CombinedOutput()
	require.Error(t, err, "which stack is selected is the operator's business: %s", selected)
}
