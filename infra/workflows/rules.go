package workflows

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// reporter takes what a rule finds, with its line.
type reporter = func(line int, format string, values ...any)

// triggers refuses events that run with the repository's own rights on what somebody outside has written.
// Source: GitHub Docs, "Securely using GitHub Actions", "Mitigating the risks of untrusted code checkout".
func triggers(f File, _ Commands, report reporter) {
	for _, bad := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
		if slices.Contains(f.Triggers(), bad) {
			report(0, "it runs on %s, with the repository's rights on what others have written: use pull_request", bad)
		}
	}
}

// permissions wants none for the workflow, and for each job those that its steps need, no more and no fewer.
func permissions(f File, _ Commands, report reporter) {
	if f.Workflow == nil {
		return
	}
	if p := f.Workflow.Permissions; p == nil || p.All != nil || len(p.Scopes) > 0 {
		report(0, "it does not begin with `permissions: {}`: jobs say what they need")
	}
	for _, j := range f.Jobs {
		if j.Permissions == nil {
			report(j.Pos.Line, "job %s does not say its permissions", j.Name)
			continue
		}
		if j.Permissions.All != nil {
			report(j.Pos.Line, "job %s has %s: name what it needs", j.Name, j.Permissions.All.Value)
			continue
		}
		need := j.needs()
		for name, scope := range j.Permissions.Scopes {
			if need[name] != scope.Value.Value {
				report(j.Pos.Line, "job %s has %s: %s, which no step of it needs", j.Name, name, scope.Value.Value)
			}
			delete(need, name)
		}
		for name, value := range need {
			report(j.Pos.Line, "job %s lacks %s: %s, which a step of it needs", j.Name, name, value)
		}
	}
}

// needed are the permissions that commands need, by what calls them. A later one replaces an earlier one.
var needed = []struct {
	call        *regexp.Regexp
	name, value string
}{
	{regexp.MustCompile(`\bgh run |\.ci/planned\b`), "actions", "read"},
	{regexp.MustCompile(`\bgh pr (list|view) |\.ci/(un)?wanted\b`), "pull-requests", "read"},
	{regexp.MustCompile(`\bgh pr (comment|edit) |\.ci/(comment|tell)\b`), "pull-requests", "write"},
	{regexp.MustCompile(`\bgh (issue|label) |\.ci/issue\b`), "issues", "write"},
}

// needs are the permissions that the job's steps need.
func (j Job) needs() map[string]string {
	need := map[string]string{}
	for _, s := range j.Steps {
		switch action, _, _ := strings.Cut(s.Uses, "@"); action {
		case "actions/checkout":
			need["contents"] = "read"
		case credentialsAction:
			need["id-token"] = "write"
		case "actions/download-artifact":
			if s.With["run-id"] != "" {
				need["actions"] = "read"
			}
		}
		for _, n := range needed {
			if n.call.MatchString(s.Run) {
				need[n.name] = n.value
			}
		}
	}
	return need
}

var (
	secretForm = regexp.MustCompile(`\$\{\{[^}]*\bsecrets\b`)
	keyForm    = regexp.MustCompile(`(?i)aws[-_](access[-_]key[-_]id|secret[-_]access[-_]key)|\bAKIA[0-9A-Z]{16}\b`)
)

// secrets refuses secrets of GitHub's and static keys: roles are assumed with GitHub's tokens, and everything else that is secret is
// in AWS Secrets Manager, where the role decides who reads it.
func secrets(f File, _ Commands, report reporter) {
	for i, line := range f.lines {
		if secretForm.MatchString(line) || strings.Contains(line, "secrets: inherit") {
			report(i+1, "it uses a secret of GitHub's: keep it in AWS Secrets Manager, or use github.token")
		}
		if keyForm.MatchString(line) {
			report(i+1, "it has a static key of AWS's: assume a role")
		}
	}
}

// longestJob is how many minutes GitHub lets a job on its own runners last. Source: GitHub Docs, "Actions limits".
const longestJob = 360

// timeouts wants a limit for each job, as a number.
func timeouts(f File, _ Commands, report reporter) {
	for _, j := range f.Jobs {
		if j.Job == nil || j.WorkflowCall != nil {
			continue
		}
		if m := j.minutes(); m <= 0 || m > longestJob {
			report(j.Pos.Line, "job %s has no timeout-minutes between 1 and %d", j.Name, longestJob)
		}
	}
}

// minutes is the job's limit, 0 where it has none that is a number.
func (j Job) minutes() float64 {
	if j.TimeoutMinutes == nil || j.TimeoutMinutes.Expression != nil {
		return 0
	}
	return j.TimeoutMinutes.Value
}

// injection refuses expressions in scripts: what they become is a part of the script, whoever wrote it. Scripts read variables.
// Source: GitHub Docs, "Script injections".
func injection(f File, _ Commands, report reporter) {
	for _, j := range f.Jobs {
		for _, s := range j.Steps {
			if strings.Contains(s.Run, "${{") || strings.Contains(s.With["script"], "${{") {
				report(s.Line, "an expression ${{ }} is a part of a script: give it to the step as a variable (env)")
			}
		}
	}
}

// sameRepository is the condition that keeps forks out.
const sameRepository = "github.event.pull_request.head.repo.full_name == github.repository"

// forks wants jobs of pull requests that may do something to leave forks out.
func forks(f File, _ Commands, report reporter) {
	if !slices.Contains(f.Triggers(), "pull_request") {
		return
	}
	for _, j := range f.Jobs {
		if j.Permissions == nil {
			continue
		}
		for _, scope := range j.Permissions.Scopes {
			if scope.Value.Value == "write" && (j.If == nil || !strings.Contains(j.If.Value, sameRepository)) {
				report(j.Pos.Line, "job %s has %s: write and runs for forks: its `if` has to say %s", j.Name, scope.Name.Value, sameRepository)
			}
		}
	}
}

// checkouts wants the token to be gone after a checkout: later steps run what was checked out.
func checkouts(f File, _ Commands, report reporter) {
	for _, j := range f.Jobs {
		for _, s := range j.Steps {
			if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
				report(s.Line, "the checkout leaves its token for later steps: persist-credentials: false")
			}
		}
	}
}

// shells wants bash by name, which GitHub starts with pipefail. Where no shell is named, it is without.
// Source: GitHub Docs, "Workflow syntax", jobs.<job_id>.steps[*].shell.
func shells(f File, _ Commands, report reporter) {
	byDefault := f.Workflow != nil && shellOf(f.Workflow.Defaults) == "bash"
	for _, j := range f.Jobs {
		for _, s := range j.Steps {
			if s.Run != "" && s.Shell != "bash" && (s.Shell != "" || !byDefault) {
				report(s.Line, "its shell is not bash, so that a failure in a pipe passes: defaults, run, shell: bash")
			}
		}
	}
}

func shellOf(d *actionlint.Defaults) string {
	if d == nil || d.Run == nil || d.Run.Shell == nil {
		return ""
	}
	return d.Run.Shell.Value
}

// longestScript is how many lines a script in a workflow has at most.
const longestScript = 5

// thin wants scripts to be in the repository, where they can be run and tested.
func thin(f File, _ Commands, report reporter) {
	for _, j := range f.Jobs {
		for _, s := range j.Steps {
			if n := strings.Count(strings.TrimSpace(s.Run), "\n") + 1; n > longestScript {
				report(s.Line, "its script has %d lines: make it a target of the Makefile, a command or a file in .ci", n)
			}
		}
	}
}
