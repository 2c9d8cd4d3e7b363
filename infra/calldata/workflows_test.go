package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/workflows"
)

const repository = "../.."

func scriptCommands(t *testing.T) workflows.Commands {
	t.Helper()
	targets, err := workflows.Targets(repository)
	require.NoError(t, err)
	tree := func() *cobra.Command {
		return root(&cli.IO{In: bytes.NewReader(nil), Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }})
	}
	return workflows.Commands{Root: repository, Calldata: tree, Targets: targets}
}

func TestWorkflowsKeepTheRules(t *testing.T) {
	t.Parallel()
	files, err := workflows.Read(repository)
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(f.Path))
	}
	assert.Subset(t, names, []string{
		"ci.yml", "preview.yml", "deploy-dev.yml", "deploy-stage.yml", "deploy-prod.yml", "apply-prod.yml", "destroy-dev.yml", "drift.yml", "pr-environment.yml",
		"security.yml", "backup-verify.yml", "synthetic-calls.yml",
	})
	assert.Empty(t, workflows.Audit(files, scriptCommands(t)))
}

// Workflows take the newest patch of the Go that the module wants.
func TestWorkflowsHaveTheModulesGo(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	require.NoError(t, err)
	files, err := workflows.Read(repository)
	require.NoError(t, err)
	found := 0
	for _, f := range files {
		for _, j := range f.Jobs {
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/setup-go@") {
					found++
					assert.Contains(t, string(module), "\ngo "+s.With["go-version"]+".", f.Path)
				}
			}
		}
	}
	assert.NotZero(t, found)
}

// What takes a stack down has waited for its turn, in which somebody may have deployed it: it has to ask again.
func TestWorkflowsAskAgainBeforeAPullRequestsStackGoes(t *testing.T) {
	t.Parallel()
	files, err := workflows.Read(repository)
	require.NoError(t, err)
	found := 0
	for _, f := range files {
		for _, j := range f.Jobs {
			asked := "nothing in this job"
			for i, s := range j.Steps {
				switch {
				case strings.HasPrefix(s.Run, ".ci/unwanted "):
					asked = "contains(fromJSON(steps." + j.Job.Steps[i].ID.Value + ".outputs.gone).*.number, matrix.number)"
				case strings.Contains(s.Run, "calldata pr end"):
					found++
					require.NotNil(t, j.Job.Steps[i].If, f.Path)
					assert.Equal(t, asked, j.Job.Steps[i].If.Value, f.Path)
				}
			}
		}
	}
	assert.NotZero(t, found)
}

func TestWorkflowsPassActionlint(t *testing.T) {
	t.Parallel()
	findings, err := workflows.Lint(repository)
	require.NoError(t, err)
	assert.Empty(t, findings)
}

// The page names every workflow.
func TestWorkflowsAreDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(repository, "docs", "github-actions-setup.md"))
	require.NoError(t, err)
	files, err := workflows.Read(repository)
	require.NoError(t, err)
	for _, f := range files {
		if f.Workflow == nil {
			continue
		}
		name := f.Workflow.Name.Value
		assert.Equal(t, name+".yml", filepath.Base(f.Path))
		assert.Contains(t, string(data), "\n| `"+name+"` | ")
	}
}

// What the scripts of workflows call exists.
func TestWorkflowScripts(t *testing.T) {
	t.Parallel()
	commands := scriptCommands(t)
	scripts, err := filepath.Glob(filepath.Join(repository, ".ci", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	for _, path := range scripts {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Empty(t, commands.Check(string(data)), path)
	}
}
