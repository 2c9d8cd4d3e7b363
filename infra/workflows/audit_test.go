package workflows

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// good breaks no rule.
const good = `name: good
on:
  pull_request:
permissions: {}
defaults:
  run:
    shell: bash
jobs:
  deploy:
    if: github.event.pull_request.head.repo.full_name == github.repository
    environment: dev
    concurrency:
      group: stack-dev
      cancel-in-progress: false
    timeout-minutes: 60
    runs-on: ubuntu-24.04
    permissions:
      contents: read
      id-token: write
    steps:
      - uses: actions/checkout@1111111111111111111111111111111111111111 # v6.0.2
        with:
          persist-credentials: false
      - uses: ./.github/actions/operator
      - uses: aws-actions/configure-aws-credentials@2222222222222222222222222222222222222222 # v6.0.0
        with:
          role-to-assume: arn:aws:iam::${{ vars.AWS_ACCOUNT_ID }}:role/calldata-foundation-dev-deploy
          role-duration-seconds: 7200
          allowed-account-ids: ${{ vars.AWS_ACCOUNT_ID }}
          aws-region: ${{ vars.AWS_REGION }}
      - env:
          STACK: dev
        run: .ci/summary bin/calldata deploy "$STACK" --yes | tee log
      - run: make lint JOBS=2
`

const action = `name: operator
description: Installs
runs:
  using: composite
  steps:
    - uses: actions/setup-go@3333333333333333333333333333333333333333 # v6.3.0
    - shell: bash
      run: make lint
`

// fixture is a repository with what good calls.
func fixture(t *testing.T) Commands {
	t.Helper()
	root := t.TempDir()
	for name, mode := range map[string]os.FileMode{".ci/summary": 0o700, ".ci/plain": 0o600, ".github/actions/operator/action.yml": 0o600} {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(action), mode))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "Pulumi.pr.yaml"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, "Makefile"), []byte("lint:\n\tcalldata deploy $(ARGS)\n"), 0o600))
	return Commands{Root: root, Calldata: calldata, Targets: []string{"lint"}}
}

// calldata is a command with what good calls.
func calldata() *cobra.Command {
	run := func(*cobra.Command, []string) {}
	tree := &cobra.Command{Use: "calldata"}
	deploy := &cobra.Command{Use: "deploy STACK", Args: cobra.MaximumNArgs(1), Run: run}
	deploy.Flags().BoolP("yes", "y", false, "")
	deploy.Flags().Duration("wait", time.Minute, "")
	backup := &cobra.Command{Use: "backup"}
	backup.AddCommand(&cobra.Command{Use: "list", Run: run})
	tree.AddCommand(deploy, backup)
	return tree
}

func audit(t *testing.T, path, text string) []Finding {
	t.Helper()
	f, err := Parse(path, []byte(text))
	require.NoError(t, err)
	return Audit([]File{f}, fixture(t))
}

func TestGoodWorkflowBreaksNoRule(t *testing.T) {
	t.Parallel()
	assert.Empty(t, audit(t, workflowDir+"/good.yml", good))
	assert.Empty(t, audit(t, actionDir+"/operator/action.yml", action))
}

// Lines of good.
const (
	file  = ""
	job   = "  deploy:"
	check = "actions/checkout@"
	setup = ".github/actions/"
	creds = "aws-actions/configure-aws-credentials@"
	verb  = "run: .ci/summary"
	last  = "      - run:"
)

// badOnes each turn one thing of good bad: old becomes new.
var badOnes = map[string]struct {
	old, new, rule string
	// at is in the line that is named, text in what is said.
	at, text string
}{
	"target":                   {"  pull_request:\n", "  pull_request_target:\n", "triggers", file, "pull_request_target"},
	"runs after others":        {"  pull_request:\n", "  workflow_run:\n    workflows: [ci]\n", "triggers", file, "workflow_run"},
	"no permissions":           {"permissions: {}\n", "", "permissions", file, "permissions: {}"},
	"read for all jobs":        {"permissions: {}\n", "permissions:\n  contents: read\n", "permissions", file, "permissions: {}"},
	"all for all jobs":         {"permissions: {}\n", "permissions: write-all\n", "permissions", file, "permissions: {}"},
	"job without":              {"    permissions:\n      contents: read\n      id-token: write\n", "", "permissions", job, "does not say its permissions"},
	"job with all":             {"    permissions:\n      contents: read\n      id-token: write\n", "    permissions: read-all\n", "permissions", job, "read-all"},
	"too much":                 {"contents: read", "contents: write", "permissions", job, "contents: write, which no step"},
	"token nobody needs":       {"      id-token: write\n", "      id-token: write\n      packages: read\n", "permissions", job, "packages: read, which no step"},
	"token for no role":        {"aws-actions/configure-aws-credentials@", "aws-actions/other@", "permissions", job, "id-token: write, which no step"},
	"no token":                 {"      id-token: write\n", "", "permissions", job, "lacks id-token: write"},
	"no permission for issues": {"make lint JOBS=2", "gh issue list", "permissions", job, "lacks issues: write"},
	"no permission for runs":   {"make lint JOBS=2", "gh run list", "permissions", job, "lacks actions: read"},
	"secret":                   {"STACK: dev", "STACK: ${{ secrets.STACK }}", "secrets", "STACK", "Secrets Manager"},
	"secret in an index":       {"STACK: dev", "STACK: ${{ fromJSON(secrets['X']) }}", "secrets", "STACK", "Secrets Manager"},
	"static key":               {"STACK: dev", "AWS_SECRET_ACCESS_KEY: x", "secrets", "AWS_SECRET", "assume a role"},
	"static key as input":      {"role-duration-seconds: 7200", "role-duration-seconds: 7200\n          aws-access-key-id: x", "secrets", "aws-access-key-id", "assume a role"},
	"any role":                 {"role/calldata-foundation-dev-deploy", "role/admin", "role", creds, "want one of the account's stack"},
	"any account":              {"          allowed-account-ids: ${{ vars.AWS_ACCOUNT_ID }}\n", "", "role", creds, "allowed-account-ids"},
	"no environment":           {"    environment: dev\n", "", "role", creds, `the environment ""`},
	"another environment":      {"environment: dev", "environment: prod", "role", creds, `trusts jobs of "dev" alone`},
	"session as long as job":   {"role-duration-seconds: 7200", "role-duration-seconds: 3600", "role", creds, "may last 3600 s"},
	"session without length":   {"          role-duration-seconds: 7200\n", "", "role", creds, "want a number"},
	"session too long":         {"role-duration-seconds: 7200", "role-duration-seconds: 21601", "role", creds, "allows 21600 s"},
	"no limit":                 {"    timeout-minutes: 60\n", "", "timeout", job, "timeout-minutes"},
	"limit by somebody":        {"timeout-minutes: 60", "timeout-minutes: ${{ fromJSON(vars.X) }}", "timeout", job, "timeout-minutes"},
	"two at a time":            {"    concurrency:\n      group: stack-dev\n      cancel-in-progress: false\n", "", "concurrency", job, "group stack-dev"},
	"another group":            {"group: stack-dev", "group: ${{ github.ref }}", "concurrency", job, "group stack-dev"},
	"cancelled":                {"cancel-in-progress: false", "cancel-in-progress: true", "concurrency", job, "may be cancelled"},
	"cancelled by somebody":    {"cancel-in-progress: false", "cancel-in-progress: ${{ true }}", "concurrency", job, "may be cancelled"},
	"cancelled with workflow":  {"permissions: {}\n", "permissions: {}\nconcurrency:\n  group: a\n  cancel-in-progress: true\n", "concurrency", job, "may be cancelled"},
	"tag":                      {"@1111111111111111111111111111111111111111 # v6.0.2", "@v6", "pin", check, "is not pinned"},
	"short commit":             {"@1111111111111111111111111111111111111111", "@1111111", "pin", check, "is not pinned"},
	"image":                    {"./.github/actions/operator", "docker://alpine:3", "pin", "docker://", "is not pinned"},
	"no version":               {" # v6.0.2", "", "pin", check, "does not say its version"},
	"part of a version":        {" # v6.0.2", " # v6", "pin", check, "does not say its version"},
	"no such action":           {"actions/operator", "actions/other", "pin", setup, "does not exist"},
	"injected title":           {`deploy "$STACK"`, `deploy "${{ github.event.pull_request.title }}"`, "injection", verb, "variable"},
	"injected branch":          {"make lint JOBS=2", "echo ${{ github.head_ref }}", "injection", last, "variable"},
	"injected input":           {"make lint JOBS=2", "echo ${{ inputs.x }}", "injection", last, "variable"},
	"injected in JavaScript":   {"./.github/actions/operator", "./.github/actions/operator\n        with:\n          script: ${{ github.head_ref }}", "injection", setup, "variable"},
	"for forks":                {"    if: github.event.pull_request.head.repo.full_name == github.repository\n", "", "forks", job, "runs for forks"},
	"token stays":              {"        with:\n          persist-credentials: false\n", "", "checkout", check, "persist-credentials"},
	"no pipefail":              {"defaults:\n  run:\n    shell: bash\n", "", "shell", verb, "not bash"},
	"another shell":            {"run: make lint JOBS=2", "run: make lint JOBS=2\n        shell: sh", "shell", last, "not bash"},
	"long script":              {"run: make lint JOBS=2", "run: |" + strings.Repeat("\n          true", longestScript+1), "thin", last, "6 lines"},
	"no such target":           {"make lint", "make lint nothing", "command", last, "no target nothing"},
	"no such flag by make":     {"make lint", "make lint ARGS=--yse", "command", last, "no flag --yse"},
	"no such verb":             {"calldata deploy", "calldata deplyo", "command", verb, "deplyo"},
	"no such verb below":       {`calldata deploy "$STACK" --yes`, "calldata backup lst", "command", verb, "no such verb"},
	"no such flag":             {"--yes", "--yse", "command", verb, "no flag --yse"},
	"two stacks":               {`"$STACK"`, `"$STACK" prod`, "command", verb, "at most 1"},
	"no number":                {"--yes", "--wait soon", "command", verb, "invalid argument"},
	"no stack":                 {`"$STACK"`, "nowhere", "command", verb, "Pulumi.nowhere.yaml"},
	"nothing of Pulumi's":      {"make lint", "pulumi stack upgrade; make lint", "command", last, "no such command"},
	"no stack of Pulumi's":     {"make lint", "pulumi up -s nowhere; make lint", "command", last, "Pulumi.nowhere.yaml"},
	"no such letter":           {"--yes", "-x", "command", verb, "no flag -x"},
	"no such file":             {"make lint", ".ci/nothing; make lint", "command", last, ".ci/nothing"},
	"a file that cannot run":   {"make lint", ".ci/plain; make lint", "command", last, ".ci/plain"},
	"no bash":                  {"make lint JOBS=2", "if true; then", "command", last, "then"},
}

// What is bad is found where it is, by its rule and by no other.
func TestRulesFindWhatIsBad(t *testing.T) {
	t.Parallel()
	for name, c := range badOnes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, c.old)
			bad := strings.Replace(good, c.old, c.new, 1)
			findings := audit(t, workflowDir+"/bad.yml", bad)
			require.NotEmpty(t, findings)
			for _, f := range findings {
				assert.Equal(t, c.rule, f.Rule, f.String())
			}
			assert.Contains(t, findings[0].Text, c.text)
			assert.Contains(t, append([]string{""}, strings.Split(bad, "\n")...)[findings[0].Line], c.at, findings[0].String())
			assert.Equal(t, c.at == file, findings[0].Line == 0)
		})
	}
}

// A pull request's stack has a group of its own: two of them are deployed at the same time, and one never is by two jobs.
func TestGroupsOfPullRequests(t *testing.T) {
	t.Parallel()
	of := func(group string) []Finding {
		text := strings.NewReplacer("environment: dev", "environment: pr", "calldata-foundation-dev-deploy", "calldata-foundation-pr-deploy", "group: stack-dev", "group: "+group).Replace(good)
		return audit(t, workflowDir+"/pr.yml", text)
	}
	for _, number := range []string{"github.event.pull_request.number", "matrix.number"} {
		assert.Empty(t, of("stack-pr-${{ "+number+" }}"), number)
	}
	for _, group := range []string{"stack-pr", "stack-pr-${{ github.head_ref }}", "stack-pr-12"} {
		findings := of(group)
		require.Len(t, findings, 1, group)
		assert.Equal(t, "concurrency", findings[0].Rule)
	}
}

func TestEveryRuleHasABadExample(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, c := range badOnes {
		tried[c.rule] = true
	}
	for _, r := range rules {
		assert.True(t, tried[r.name], r.name)
	}
}

func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/github-actions-setup.md")
	require.NoError(t, err)
	for _, r := range rules {
		assert.Contains(t, string(page), "\n| "+r.name+" | ")
	}
}

func TestJobsCannotOutlastTheRunner(t *testing.T) {
	t.Parallel()
	text := "on: push\npermissions: {}\njobs:\n  a:\n    timeout-minutes: MINUTES\n    permissions: {}\n    runs-on: ubuntu-24.04\n    steps:\n      - uses: ./.github/actions/operator\n"
	assert.Empty(t, audit(t, "x.yml", strings.Replace(text, "MINUTES", "360", 1)))
	assert.Len(t, audit(t, "x.yml", strings.Replace(text, "MINUTES", "361", 1)), 1)
}

func TestActionsKeepTheRulesToo(t *testing.T) {
	t.Parallel()
	path := actionDir + "/operator/action.yml"
	for rule, change := range map[string][2]string{
		"pin": {" # v6.3.0", ""}, "injection": {"make lint", "echo ${{ inputs.x }}"}, "shell": {"shell: bash", "shell: sh"}, "command": {"make lint", "make nothing"},
		"role": {"actions/setup-go@", credentialsAction + "@"}, "secrets": {"make lint", "echo AWS_ACCESS_KEY_ID"},
	} {
		findings := audit(t, path, strings.Replace(action, change[0], change[1], 1))
		require.Len(t, findings, 1, rule)
		assert.Equal(t, rule, findings[0].Rule)
		assert.Equal(t, path, findings[0].Path)
	}
}

func TestActionsHaveOneVersionEverywhere(t *testing.T) {
	t.Parallel()
	first, err := Parse("a.yml", []byte(good))
	require.NoError(t, err)
	for _, change := range [][2]string{{"1111 # v6.0.2", "1112 # v6.0.2"}, {"# v6.0.2", "# v6.0.3"}} {
		second, err := Parse("b.yml", []byte(strings.Replace(good, change[0], change[1], 1)))
		require.NoError(t, err)
		findings := Audit([]File{first, second}, fixture(t))
		require.Len(t, findings, 1)
		assert.Equal(t, "b.yml:21: pin: actions/checkout is another one than in a.yml", findings[0].String())
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for path, text := range map[string]string{
		"x.yml": "on: [", "y.yml": "on: push\njobs: 3\n", "a/action.yml": "runs: [", "b/action.yml": "runs:\n  using: node24\n",
	} {
		_, err := Parse(path, []byte(text))
		require.ErrorContains(t, err, path)
	}
}

func TestLintFindsWhatGitHubWouldRefuse(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, workflowDir), 0o700))
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, workflowDir, "x.yml"), []byte(text), 0o600))
	}
	write("on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo\n")
	findings, err := Lint(root)
	require.NoError(t, err)
	assert.Empty(t, findings)
	write("on: push\njobs:\n  a:\n    needs: b\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo\n")
	findings, err = Lint(root)
	require.NoError(t, err)
	require.Len(t, findings, 1)
	assert.Contains(t, findings[0].Text, `"b"`)
}

func TestTargets(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "Makefile"), []byte("X := 1\n.PHONY: a\na: b ## A\n\tc:\ntest-short: ## B\n"), 0o600))
	names, err := Targets(root)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "test-short"}, names)
}

// What takes any number of words, or a word that is not written out, is not held against a script.
func TestWordsThatAreNotWrittenOut(t *testing.T) {
	t.Parallel()
	c := fixture(t)
	for _, script := range []string{
		`calldata deploy $ARGS`, `calldata deploy "$@" --yes`, `calldata deploy --wait "$TIME" "$STACK"`, `calldata deploy "--wait=$x"`, `calldata deploy STACK --help`,
		`pulumi stack init new`, `pulumi stack -s pr --show-urns`, `pulumi up -s pr-12 --yes`, `calldata deploy pr-12`, `calldata deploy "pr-$NUMBER"`, `pulumi config set --path 'a[0]' b`, `make lint $ARGS`,
	} {
		assert.Empty(t, c.Check(script), script)
	}
	assert.NotEmpty(t, c.Check(`calldata deploy --wait $TIME --yse`))
	assert.NotEmpty(t, c.Check(`calldata deploy "$STACK" "$STACK"`))
}

// What make would run is read alike within a make and outside of one, whose remarks between the commands differ.
func TestMakeWithinMake(t *testing.T) {
	c := fixture(t)
	require.NoError(t, os.WriteFile(filepath.Join(c.Root, "lint"), nil, 0o600)) // nothing is left to do
	for _, level := range []string{"0", "1"} {
		t.Setenv("MAKELEVEL", level)
		t.Setenv("MAKEFLAGS", "w")
		assert.Empty(t, c.Mention("make lint"), level)
		assert.NotEmpty(t, c.Check("make lint ARGS=--yse"), level)
	}
}

func TestMention(t *testing.T) {
	t.Parallel()
	c := fixture(t)
	for _, text := range []string{"calldata", "calldata deploy", "calldata backup", "calldata deploy --yes", "calldata deploy --wait", "calldata deploy STACK", "make lint", "grep x"} {
		assert.Empty(t, c.Mention(text), text)
	}
	for _, text := range []string{"calldata deplyo", "calldata deploy --yse", "calldata backup lst", "calldata deploy STACK prod", "calldata deploy nowhere", "make nothing"} {
		assert.NotEmpty(t, c.Mention(text), text)
	}
}
