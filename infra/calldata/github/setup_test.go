package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
)

const settings = `config:
  aws:region: eu-central-1
  calldata-foundation:githubRepository: example/foundation
  calldata-foundation:alertEmails: [ops@example.com]
`

const document = "reviewers:\n  stage: [example/operators]\n  prod: [example/operators, alice]\n"

// vault is Secrets Manager. Nothing can be read but whether a secret is there.
type vault struct {
	missing, leaving string
	err              error
}

func (v vault) DescribeSecret(_ context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	switch name := aws.ToString(in.SecretId); {
	case v.err != nil:
		return nil, v.err
	case name == v.missing:
		return nil, &types.ResourceNotFoundException{}
	case name == v.leaving:
		return &secretsmanager.DescribeSecretOutput{DeletedDate: aws.Time(time.Unix(0, 0))}, nil
	}
	return &secretsmanager.DescribeSecretOutput{}, nil
}

// bench is a clone, an account and a GitHub.
type bench struct {
	*forgery
	settings, document string
	stacks             []string // with roles
	vault              vault
	typed              string
	gh                 func() (runner, error)
}

func newBench() *bench {
	g := fresh()
	return &bench{forgery: g, settings: settings, document: document, stacks: []string{"account", "dev", "stage", "prod"}, gh: func() (runner, error) { return g.run, nil }}
}

func (b *bench) outputs() string {
	roles := map[string]map[string]string{"preview": {}, "deploy": {}, "calls": {}}
	for use, all := range roles {
		for _, stack := range b.stacks {
			all[stack] = fmt.Sprintf("arn:aws:iam::111122223333:role/calldata-foundation-%s-%s", stack, use)
		}
	}
	delete(roles["deploy"], "account")
	delete(roles["calls"], "account")
	text, _ := json.Marshal(object{"stack": "account", "region": "eu-central-1", "previewRoles": roles["preview"], "deployRoles": roles["deploy"], "callsRoles": roles["calls"]})
	return string(text)
}

// setup runs the command, and answers its report, what it said and its error.
func (b *bench) setup(t *testing.T, args ...string) (Report, string, error) {
	t.Helper()
	dir := t.TempDir()
	project, err := os.ReadFile("../../../Pulumi.yaml")
	require.NoError(t, err)
	for name, text := range map[string]string{"Pulumi.yaml": string(project), "Pulumi.account.yaml": b.settings, defaultFile: b.document, "ansible/x": "", "outputs.json": b.outputs()} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	var out, said bytes.Buffer
	cmd := newCmdSetup(&Options{
		IO: &cli.IO{In: strings.NewReader(b.typed), InIsTerminal: b.typed != "", Out: &out, Err: &said}, Dir: dir, gh: b.gh,
		secrets: func(_ context.Context, region string) (secretAPI, error) {
			assert.Equal(t, "eu-central-1", region)
			return b.vault, nil
		},
	})
	cmd.SetArgs(append(args, "--json", "--outputs", filepath.Join(dir, "outputs.json")))
	cmd.SetContext(t.Context())
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.Execute()
	var report Report
	if out.Len() > 0 {
		require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	}
	return report, said.String(), err
}

// result is what became of one setting.
func result(t *testing.T, r Report, resource, setting string) mend.Item {
	t.Helper()
	for _, item := range r.Settings {
		if item.Resource == resource && item.Setting == setting {
			return item
		}
	}
	require.Fail(t, "no such setting", "%s: %s", resource, setting)
	return mend.Item{}
}

func TestSetupMakesEverythingOnce(t *testing.T) {
	t.Parallel()
	b := newBench()
	report, _, err := b.setup(t, "--check")
	assert.Equal(t, cli.ExitChanges, cli.Code(err), "%v", err)
	assert.Empty(t, b.Calls, "a check changes nothing")
	planned := report.Changes
	assert.NotZero(t, planned)

	report, _, err = b.setup(t, "--yes")
	require.NoError(t, err)
	assert.False(t, report.DryRun)
	assert.Equal(t, planned, report.Changes)
	assert.Equal(t, map[string]string{
		"AWS_ACCOUNT_ID": "111122223333", "AWS_REGION": "eu-central-1", "RUNNER": "ubuntu-24.04", "PR_ENVIRONMENT": "false", "PR_LIMIT": "2", "PR_HOURS": "72",
		"PULUMI_BACKEND_URL": "s3://calldata-foundation-state-111122223333-eu-central-1?region=eu-central-1",
		"STACKS":             `["account","dev","stage","prod"]`, "BACKUP_STACKS": `["stage","prod"]`, "CALL_STACKS": "[]",
	}, b.Variables)
	assert.Len(t, b.Environments, 10)
	assert.Nil(t, b.Environments["prod-preview"]["deployment_branch_policy"])
	assert.JSONEq(t, `{"reviewers":[{"type":"Team","id":7},{"type":"User","id":8}],"prevent_self_review":true,"can_admins_bypass":false,
		"deployment_branch_policy":{"protected_branches":false,"custom_branch_policies":true}}`, text(t, b.Environments["prod"]))
	assert.JSONEq(t, `{"deployment_branch_policy":{"protected_branches":false,"custom_branch_policies":true}}`, text(t, b.Environments["dev"]))
	for stack, branches := range map[string][]string{"dev": {"main"}, "stage": {"stage", "main"}, "prod": {"prod", "main"}} {
		var names []string
		for _, p := range b.Policies[stack] {
			names = append(names, p["name"].(string))
		}
		assert.Equal(t, branches, names)
	}
	for _, branch := range []string{"main", "stage", "prod"} {
		assert.Equal(t, object{"enabled": true}, b.Branches[branch]["enforce_admins"], branch)
		assert.Equal(t, object{"enabled": false}, b.Branches[branch]["allow_force_pushes"], branch)
	}
	assert.JSONEq(t, `{"enabled":true,"allowed_actions":"selected","sha_pinning_required":true}`, text(t, b.Permissions))
	assert.Empty(t, b.Labels)
	assert.Equal(t, "POST /actions/variables", b.Calls[len(b.Calls)-1])
	assert.Equal(t, "AWS_ACCOUNT_ID", report.Settings[len(report.Settings)-1].Setting, "what switches workflows on comes last")

	b.Calls = nil
	report, _, err = b.setup(t, "--yes")
	require.NoError(t, err)
	assert.Zero(t, report.Changes)
	assert.Empty(t, b.Calls)
	_, _, err = b.setup(t, "--check")
	require.NoError(t, err)
}

func TestSetupOfCallsFromOutside(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.document += "calls: [prod]\n"
	b.vault.missing = "calldata/prod/calls"
	report, _, err := b.setup(t, "--yes")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err), "the secret is left to a person")
	assert.Equal(t, `["prod"]`, b.Variables["CALL_STACKS"])
	assert.Len(t, b.Environments, 10)
	assert.JSONEq(t, `{"deployment_branch_policy":{"protected_branches":false,"custom_branch_policies":true}}`, text(t, b.Environments["prod-calls"]), "nobody is asked at every call")
	require.Len(t, b.Policies["prod-calls"], 1)
	assert.Equal(t, "main", b.Policies["prod-calls"][0]["name"])
	assert.Contains(t, result(t, report, "secrets in AWS", "calldata/prod/calls").Detail, "aws secretsmanager create-secret --region eu-central-1 --name calldata/prod/calls")

	b = newBench()
	b.document += "calls: [test]\n"
	_, _, err = b.setup(t, "--check")
	require.ErrorContains(t, err, `calls: "test" is none of the account's setting environments`)
}

func text(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

func TestSetupMendsWhatOthersChangedAndKeepsWhatIsStricter(t *testing.T) {
	t.Parallel()
	b := newBench()
	_, _, err := b.setup(t, "--yes")
	require.NoError(t, err)
	b.Environments["stage"]["can_admins_bypass"] = true
	b.Environments["stage"]["wait_timer"] = 5
	b.Environments["dev"]["reviewers"] = []any{object{"type": "User", "id": 8}}
	b.Environments["dev"]["deployment_branch_policy"] = nil
	b.Policies["dev"] = append(b.Policies["dev"], object{"id": int64(98), "name": "forgotten", "type": "branch"})
	b.Policies["prod"] = append(b.Policies["prod"], object{"id": int64(99), "name": "feature", "type": "branch"})
	b.Branches["main"]["allow_force_pushes"] = object{"enabled": true}
	b.Branches["main"]["required_linear_history"] = object{"enabled": true}
	b.Branches["main"]["required_status_checks"].(object)["checks"] = []any{
		object{"context": "lint", "app_id": 7}, object{"context": "theirs", "app_id": 8}, object{"context": "anybody's", "app_id": nil},
	}
	b.Branches["main"]["required_pull_request_reviews"].(object)["required_approving_review_count"] = 2
	reviews := b.Branches["main"]["required_pull_request_reviews"].(object)
	reviews["bypass_pull_request_allowances"] = object{"users": []object{{"login": "mallory"}}}
	reviews["dismissal_restrictions"] = object{"users": []object{{"login": "bob"}}}
	b.Branches["main"]["restrictions"] = object{"users": []object{{"login": "alice"}}, "teams": []object{}, "apps": []object{}}
	b.Variables["AWS_REGION"] = "us-east-1"
	b.Selected["patterns_allowed"] = append(b.Selected["patterns_allowed"].([]any), "anybody/*")

	report, _, err := b.setup(t, "--check")
	assert.Equal(t, cli.ExitChanges, cli.Code(err))
	for resource, setting := range map[string]string{
		"environment stage": "rules", "environment dev": "rules", "environment prod": "branches", "branch main": "protection", "variables": "AWS_REGION", "actions": "chosen",
	} {
		item := result(t, report, resource, setting)
		assert.Equal(t, mend.ToMend, item.Result, "%s: %s", resource, setting)
		assert.Contains(t, item.Detail, "(was: ")
	}
	assert.Equal(t, 7, report.Changes, "and the branches of dev, which nothing chose any more")

	_, _, err = b.setup(t, "--yes")
	require.NoError(t, err)
	assert.Equal(t, false, b.Environments["stage"]["can_admins_bypass"])
	assert.EqualValues(t, 5, b.Environments["stage"]["wait_timer"])
	assert.Len(t, b.Environments["dev"]["reviewers"], 1)
	assert.Len(t, b.Policies["dev"], 1)
	assert.Len(t, b.Policies["prod"], 2)
	main := text(t, b.Branches["main"])
	for _, kept := range []string{`{"app_id":7,"context":"lint"}`, `{"app_id":8,"context":"theirs"}`, `{"app_id":null,"context":"anybody's"}`} {
		assert.Contains(t, main, kept)
	}
	assert.Equal(t, 1, strings.Count(main, `"lint"`))
	assert.Contains(t, main, `{"app_id":15368,"context":"rehearsal"}`)
	assert.Contains(t, main, `"required_approving_review_count":2`)
	assert.Contains(t, main, `"required_linear_history":{"enabled":true}`)
	assert.Contains(t, main, `"allow_force_pushes":{"enabled":false}`)
	assert.Contains(t, main, `{"login":"alice"}`)
	assert.Contains(t, main, `{"login":"bob"}`)
	assert.NotContains(t, main, "mallory")
	_, _, err = b.setup(t, "--check")
	require.NoError(t, err)
}

func TestSetupAsks(t *testing.T) {
	t.Parallel()
	b := newBench()
	_, _, err := b.setup(t)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "--yes")
	b.typed = "n\n"
	_, said, err := b.setup(t)
	assert.Equal(t, cli.ExitDeclined, cli.Code(err))
	assert.Contains(t, said, "environment prod")
	assert.Regexp(t, `Make these \d+ changes to example/foundation\?`, said)
	assert.Empty(t, b.Calls)
	b.typed = "y\n"
	_, _, err = b.setup(t)
	require.NoError(t, err)
	b.typed = "n\n"
	_, said, err = b.setup(t)
	require.NoError(t, err, "nobody is asked about nothing")
	assert.NotContains(t, said, "[y/N]")
	_, _, err = b.setup(t, "--check", "--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

func TestStacksThatWorkflowsDoNotDeployAreClosed(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Enterprise = false
	b.document = "deploy: [dev]\n"
	_, _, err := b.setup(t, "--yes")
	require.NoError(t, err, "without reviewers, no plan is needed")
	assert.JSONEq(t, `{"deployment_branch_policy":{"protected_branches":false,"custom_branch_policies":true}}`, text(t, b.Environments["prod"]))
	assert.Empty(t, b.Policies["prod"])
	assert.NotContains(t, b.Branches, "prod")
	assert.Equal(t, "[]", b.Variables["BACKUP_STACKS"])

	b.document = document
	_, _, err = b.setup(t, "--yes")
	require.ErrorContains(t, err, "environment stage, rules: PUT repos/example/foundation/environments/stage: Failed to create the environment protection rule.")
	require.ErrorContains(t, err, "GitHub Enterprise")
	require.ErrorContains(t, err, "it goes on from here")
	assert.Empty(t, b.Policies["stage"], "nobody was asked, so that nothing is let in")
}

func TestStackOfPullRequests(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.settings += "  calldata-foundation:environments: [\"dev=100\", \"pr=50\"]\n"
	b.stacks = []string{"account", "dev", "pr"}
	b.document = ""
	_, _, err := b.setup(t, "--yes")
	require.NoError(t, err)
	assert.Contains(t, b.Labels, "environment")
	assert.Equal(t, "true", b.Variables["PR_ENVIRONMENT"])
	assert.Equal(t, "2", b.Variables["PR_LIMIT"])
	assert.Equal(t, "72", b.Variables["PR_HOURS"])
	assert.Equal(t, `["account","dev"]`, b.Variables["STACKS"])
	assert.JSONEq(t, `{"deployment_branch_policy":null}`, text(t, b.Environments["pr"]))

	b.document = "requests: {hours: 8}\n"
	_, _, err = b.setup(t, "--yes")
	require.NoError(t, err)
	assert.Equal(t, "2 8", b.Variables["PR_LIMIT"]+" "+b.Variables["PR_HOURS"])
	b.document = "requests: {limit: 0, hours: -1}\ncalls: [pr]\nbackups: [pr]\n"
	_, _, err = b.setup(t, "--yes")
	for _, part := range []string{"limit is 0", "hours is -1", `calls: nothing is deployed as "pr"`, `backups: nothing is deployed as "pr"`} {
		require.ErrorContains(t, err, part)
	}
}

func TestTokensNameTheRepositoryAsRolesDo(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Prefix = "repo:example@11/foundation@22"
	_, _, err := b.setup(t, "--yes")
	for _, part := range []string{"githubOwnerId 11", "githubRepositoryId 22", "then deploy it"} {
		require.ErrorContains(t, err, part)
	}
	assert.Empty(t, b.Calls)
	b.settings += "  calldata-foundation:githubOwnerId: 11\n  calldata-foundation:githubRepositoryId: 22\n"
	b.Template = true
	_, _, err = b.setup(t, "--yes")
	require.NoError(t, err)
	assert.False(t, b.Template)

	b.Prefix = "repo:example/foundation"
	_, _, err = b.setup(t, "--yes")
	require.NoError(t, err)
	assert.Equal(t, "repo:example@11/foundation@22", b.Prefix, "names alone are mended, where the roles have numbers")
	b.ID = 23
	_, _, err = b.setup(t, "--check")
	require.ErrorContains(t, err, "are 11 and 23, the account's settings say 11 and 22")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

func TestSecretsAreLookedForByName(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.vault = vault{missing: "calldata/prod/backup-key", leaving: "calldata/dev/ssh-key"}
	b.Secrets = []string{"SLACK", "AWS_SECRET_ACCESS_KEY"}
	report, _, err := b.setup(t, "--yes")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	require.ErrorContains(t, err, "3 settings are left to do by hand")
	for name, part := range map[string]string{"calldata/prod/backup-key": "create-secret --region eu-central-1 --name calldata/prod/backup-key", "calldata/dev/ssh-key": "restore-secret"} {
		item := result(t, report, "secrets in AWS", name)
		assert.Equal(t, mend.ByHand, item.Result)
		assert.Contains(t, item.Detail, part)
	}
	assert.Contains(t, result(t, report, "secrets in GitHub", "keys of AWS").Detail, "gh secret delete AWS_SECRET_ACCESS_KEY")
	_, _, err = b.setup(t, "--check")
	assert.Equal(t, cli.ExitChanges, cli.Code(err))
	b.vault = vault{err: errors.New("no credentials")}
	report, _, _ = b.setup(t, "--check")
	assert.Contains(t, result(t, report, "secrets in AWS", "calldata/dev/secrets").Detail, "no credentials")
}

func TestWhatIsWrongIsSaidAtOnceAndBeforeAnythingChanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*bench)
		code   int
		says   []string
	}{
		"document": {func(b *bench) {
			b.document = "deploy: [dev, stage, qa, dev]\nreviewers: {stage: [\"-x\"], prod: [a]}\nbackups: [prod]\napprovals: 9\nrunner: \"\"\n"
		}, cli.ExitUsage, []string{`deploy: "qa" is none of`, `deploy: "dev" is there twice`, `stage has "-x"`, `reviewers: "prod" is none of`, `backups: "prod"`, "approvals is 9", `runner is ""`}},
		"no reviewers":     {func(b *bench) { b.document = "" }, cli.ExitUsage, []string{"reviewers: stage has nobody", "reviewers: prod has nobody"}},
		"unknown field":    {func(b *bench) { b.document = "reviewer: x\n" }, cli.ExitUsage, []string{"field reviewer not found"}},
		"settings":         {func(b *bench) { b.settings = "config: {}\n" }, cli.ExitUsage, []string{"githubRepository is not set"}},
		"no part":          {func(b *bench) { b.settings += "  calldata-foundation:accountPartsOff: [github]\n" }, cli.ExitUsage, []string{"take github out"}},
		"no roles":         {func(b *bench) { b.stacks = []string{"account", "dev"} }, cli.ExitUsage, []string{"calldata-foundation-stage-preview", "calldata-foundation-prod-deploy"}},
		"no workflow":      {func(b *bench) { b.settings += "  calldata-foundation:environments: [\"qa=9\"]\n" }, cli.ExitUsage, []string{`no workflow deploys "qa"`}},
		"not logged in":    {func(b *bench) { b.Login = "" }, cli.ExitPreflight, []string{"gh auth login"}},
		"unreachable":      {func(b *bench) { b.Unreachable = true }, cli.ExitUnreachable, []string{"error connecting"}},
		"no repository":    {func(b *bench) { b.Slug = "example/other" }, cli.ExitUsage, []string{"no repository that the login of gh sees"}},
		"several at once":  {func(b *bench) { b.Admin, b.DefaultBranch = false, "master" }, cli.ExitUsage, []string{"no administrator", `default branch is "master"`}},
		"unknown team":     {func(b *bench) { b.Teams = nil }, cli.ExitUsage, []string{"no team example/operators"}},
		"no access":        {func(b *bench) { b.document = "deploy: [stage]\nreviewers: {stage: [mallory]}\n" }, cli.ExitUsage, []string{"mallory cannot read"}},
		"free plan":        {func(b *bench) { b.Protection = false }, cli.ExitUsage, []string{"branches/main/protection", "Upgrade to", "GitHub Pro"}},
		"no main":          {func(b *bench) { b.Branches = nil }, cli.ExitUsage, []string{"no branch main: push it"}},
		"GitHub is broken": {func(b *bench) { b.Broken = "repos/example/foundation/actions/secrets" }, cli.ExitUsage, []string{"GET repos/example/foundation/actions/secrets?per_page=100: Server Error (HTTP 500)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			test.change(b)
			_, _, err := b.setup(t, "--yes")
			require.Error(t, err)
			assert.Equal(t, test.code, cli.Code(err), "%v", err)
			for _, part := range test.says {
				assert.ErrorContains(t, err, part)
			}
			assert.Empty(t, b.Calls)
		})
	}
}

func TestItGoesOnWhereItWasBrokenOff(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Broken = "repos/example/foundation/git/refs"
	report, _, err := b.setup(t, "--yes")
	assert.Equal(t, cli.ExitError, cli.Code(err))
	require.ErrorContains(t, err, "branch stage, branch: POST repos/example/foundation/git/refs: Server Error (HTTP 500); run the command again")
	assert.Equal(t, mend.NotDone, result(t, report, "variables", "AWS_ACCOUNT_ID").Result)
	assert.Empty(t, b.Variables)
	done := report.Changes
	b.Broken = ""
	again, _, err := b.setup(t, "--yes")
	require.NoError(t, err)
	assert.Equal(t, len(again.Settings), done+again.Changes+unchanged(report))
}

// unchanged is how many settings were right from the beginning.
func unchanged(r Report) int {
	n := 0
	for _, item := range r.Settings {
		if item.Result == mend.Found {
			n++
		}
	}
	return n
}

// With gh as a process: what is sent, and what comes back, is as with the real one.
func TestCallsByTheProgram(t *testing.T) {
	g := fresh()
	file := g.put(t)
	run, err := onPath()
	require.NoError(t, err)
	c := client{run}
	require.NoError(t, c.call(t.Context(), "POST", "repos/example/foundation/actions/variables", object{"name": "A", "value": "it's \"1\"\n"}, nil))
	var has struct{ Value string }
	there, err := c.get(t.Context(), "repos/example/foundation/actions/variables/A", &has)
	require.NoError(t, err)
	assert.True(t, there)
	assert.Equal(t, "it's \"1\"\n", has.Value)
	there, err = c.get(t.Context(), "repos/example/foundation/labels/none", nil)
	require.NoError(t, err)
	assert.False(t, there)
	err = c.call(t.Context(), "PUT", "repos/example/foundation/actions/permissions/selected-actions", object{}, nil)
	require.ErrorContains(t, err, "PUT repos/example/foundation/actions/permissions/selected-actions: Conflict (HTTP 409): an organisation")

	require.NoError(t, os.WriteFile(file, []byte(`{}`), 0o600))
	err = c.call(t.Context(), "GET", "repos/example/foundation", nil, nil)
	assert.Equal(t, cli.ExitPreflight, cli.Code(err), "%v", err)
}

func TestWithoutGH(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b := newBench()
	b.gh = onPath
	_, _, err := b.setup(t, "--check")
	assert.Equal(t, cli.ExitPreflight, cli.Code(err))
	require.ErrorContains(t, err, "cli.github.com")
}

func TestPlansAreExplained(t *testing.T) {
	t.Parallel()
	for f, part := range map[failure]string{
		{endpoint: "repos/a/b/environments/x", text: "Please ensure the billing plan supports"}: "leave the stack out of deploy",
		{endpoint: "repos/a/b/branches/x/protection", text: "Upgrade to GitHub Pro"}:            "GitHub Pro, Team or Enterprise",
		{status: 403, text: "API rate limit exceeded"}:                                          "wait",
		{status: 404}: "gh auth refresh -s repo,read:org",
		{status: 409}: "ask its owner",
		{status: 401}: "gh auth login",
	} {
		assert.ErrorContains(t, &f, part)
	}
}
