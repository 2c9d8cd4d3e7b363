package github

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/infra/workflows"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

const repository = "../../.."

// all is the setup of a repository whose workflows do everything that they can.
func all(t *testing.T) wanted {
	t.Helper()
	spec := &stacks.AccountSpec{Repository: "example/foundation"}
	deployed := stacks.AccountOutputs{Region: "us-east-1", PreviewRoles: map[string]string{"dev": "arn:aws:iam::111122223333:role/x"}}
	for _, stack := range slices.Sorted(maps.Keys(branchesOf)) {
		spec.Environments = append(spec.Environments, stacks.Environment{Name: stack})
	}
	d, err := parse([]byte(document), spec.Environments)
	require.NoError(t, err)
	w, err := want(spec, deployed, d)
	require.ErrorContains(t, err, "calldata-foundation-pr-deploy", "the roles are of no interest here")
	return w
}

// What is set up is what the workflows use, no more and no less.
func TestSetupSuitsTheWorkflows(t *testing.T) {
	t.Parallel()
	files, err := workflows.Read(repository)
	require.NoError(t, err)
	w := all(t)
	variables, calls, jobs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	environments := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(repository, f.Path))
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`\bvars\.([A-Z_]+)`).FindAllStringSubmatch(string(text), -1) {
			variables[found[1]] = true
		}
		for _, found := range regexp.MustCompile(`(?m)^    environment: (.+)$`).FindAllStringSubmatch(string(text), -1) {
			environments[found[1]] = true
		}
		for _, j := range f.Jobs {
			for _, s := range j.Steps {
				if name, _, _ := strings.Cut(s.Uses, "@"); name != "" && !strings.HasPrefix(name, "actions/") && !strings.HasPrefix(name, "./") {
					calls[name+"@*"] = true
				}
			}
			if name := filepath.Base(f.Path); name == "ci.yml" || name == "security.yml" {
				for _, check := range checkNames(j) {
					jobs[check] = true
				}
			}
		}
	}
	var names []string
	for _, v := range w.variables {
		names = append(names, v.name)
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(variables)), names)
	assert.ElementsMatch(t, slices.Collect(maps.Keys(calls)), actions)
	assert.ElementsMatch(t, slices.Collect(maps.Keys(jobs)), checks)

	made := map[string]bool{"${{ matrix.stack }}-preview": true, "${{ matrix.stack }}": true, "${{ matrix.stack }}-calls": true}
	for _, e := range w.environments {
		made[e.name] = true
	}
	for name := range environments {
		assert.True(t, made[name], name)
	}
	assert.True(t, made[permission.PreviewEnvironment(permission.Account)])
}

// checkNames are a job's checks as GitHub calls them: by name, and by the values of its matrix.
func checkNames(j workflows.Job) []string {
	name := j.Name
	if j.Job.Name != nil {
		name = j.Job.Name.Value
	}
	if j.Strategy == nil || j.Strategy.Matrix == nil {
		return []string{name}
	}
	var all []string
	for _, row := range j.Strategy.Matrix.Rows {
		for _, value := range row.Values {
			all = append(all, name+" ("+strings.Trim(value.String(), `"`)+")")
		}
	}
	return all
}

// A branch whose pushes deploy a stack may use its environment.
func TestBranchesDeployTheirStacks(t *testing.T) {
	t.Parallel()
	for stack, branch := range map[string]string{"dev": "main", "stage": "stage", "prod": "prod"} {
		data, err := os.ReadFile(filepath.Join(repository, ".github", "workflows", "deploy-"+stack+".yml"))
		require.NoError(t, err)
		assert.Contains(t, string(data), "\n    branches: ["+branch+"]\n")
		assert.Contains(t, branchesOf[stack], branch)
	}
}

// The page lists what a change has to pass, every variable, and the secrets.
func TestSetupIsDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(repository, "docs", "github-actions-setup.md"))
	require.NoError(t, err)
	for _, check := range checks {
		assert.Contains(t, string(data), "`"+check+"`")
	}
	for _, v := range all(t).variables {
		assert.Contains(t, string(data), "\n| `"+v.name+"` | ")
	}
	for _, s := range append(secretsOf("STACK", true), callsSecret("STACK")) {
		assert.Contains(t, string(data), "\n| `"+s.name+"` | ")
	}
}

// The document that is committed says no more than is right everywhere: it lacks the people.
func TestCommittedDocument(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(repository, defaultFile))
	require.NoError(t, err)
	environments := []stacks.Environment{{Name: "dev"}, {Name: "stage"}, {Name: "prod"}}
	_, err = parse(data, environments)
	require.EqualError(t, err, "reviewers: stage has nobody who agrees to its deployments: name a team or people, or leave stage out of deploy\n"+
		"reviewers: prod has nobody who agrees to its deployments: name a team or people, or leave prod out of deploy")
	// Its examples are right.
	filled := regexp.MustCompile(`(?m)^# ((deploy|reviewers|  stage|  prod|backups|calls|requests):)`).ReplaceAllString(string(data), "$1")
	d, err := parse([]byte(filled), environments)
	require.NoError(t, err)
	assert.Equal(t, []string{"example/operators"}, d.Reviewers["prod"])
	assert.Equal(t, []string{"stage", "prod"}, d.Backups)
	assert.Equal(t, []string{"prod"}, d.Calls)
	byDefault, err := parse(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, byDefault.Requests, d.Requests)
}

// Each stack that a workflow deploys has settings, variables of Ansible, and a program that lists its machines.
func TestStacksOfWorkflowsAreComplete(t *testing.T) {
	t.Parallel()
	for stack := range branchesOf {
		file, err := stackfile.Read(repository, stack)
		require.NoError(t, err, stack)
		file.FillExamples() // what everybody decides alone
		config, err := stacks.ReadConfig(stack, file)
		require.NoError(t, err, stack)
		topology, err := stacks.New(stack, config)
		require.NoError(t, err, stack)
		assert.Equal(t, stack+"-uc-1", topology.Nodes[0].Name)
		assert.True(t, stack != permission.Requests || topology.Kind == stacks.KindDev && !topology.Protect, "it comes and goes")
		inventory := filepath.Join(repository, "ansible", "inventories", stack)
		assert.FileExists(t, filepath.Join(inventory, "hosts.yml"))
		assert.FileExists(t, filepath.Join(inventory, "group_vars", "all", "shared.yml"))
		program, err := os.Stat(inventory + ".sh")
		require.NoError(t, err)
		assert.NotZero(t, program.Mode()&0o111, stack)
	}
}
