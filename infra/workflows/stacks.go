package workflows

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/stacks"
)

const credentialsAction = "aws-actions/configure-aws-credentials" //nolint:gosec // a name, no credential

// Uses of a role.
const (
	usePreview = "preview"
	useDeploy  = "deploy"
	useCalls   = "calls"
)

// longestSession is how many seconds the account's stack lets a session of each role last: see components/baseline.
var longestSession = map[string]int{usePreview: 3600, useDeploy: 6 * 3600, useCalls: 3600}

// roleForm is the ARN of a role of the account's stack: see permission.Scope. The stack may be an expression.
var roleForm = regexp.MustCompile(`^arn:aws:iam::\$\{\{ vars\.AWS_ACCOUNT_ID \}\}:role/` + stacks.Project + `-(.+)-(preview|deploy|calls)$`)

// assumed is a role that a step assumes.
type assumed struct {
	line       int
	stack, use string
}

// roles wants each role to be one of the account's stack, in the environment that its trust policy names, for longer than the job may
// last: credentials are not renewed, and a deployment that loses them loses its state.
func roles(f File, _ Commands, report reporter) {
	for _, j := range f.Jobs {
		for _, s := range j.Steps {
			if !strings.HasPrefix(s.Uses, credentialsAction+"@") {
				continue
			}
			if j.Job == nil {
				report(s.Line, "an action assumes a role: do it in the job, where its environment and its limit can be seen")
				continue
			}
			j.checkRole(s, report)
		}
	}
}

func (j Job) checkRole(s Step, report reporter) {
	role, ok := role(s)
	if !ok {
		report(s.Line, "the role is %q, want one of the account's stack: arn:aws:iam::${{ vars.AWS_ACCOUNT_ID }}:role/%s-STACK-preview, -deploy or -calls",
			s.With["role-to-assume"], stacks.Project)
		return
	}
	want := role.stack
	switch role.use {
	case usePreview:
		want = permission.PreviewEnvironment(role.stack)
	case useCalls:
		want = permission.CallsEnvironment(role.stack)
	}
	if got := j.environment(); got != want {
		report(s.Line, "job %s is in the environment %q, and the role trusts jobs of %q alone", j.Name, got, want)
	}
	if s.With["allowed-account-ids"] != "${{ vars.AWS_ACCOUNT_ID }}" {
		report(s.Line, "it takes credentials of any account: allowed-account-ids")
	}
	seconds, err := strconv.Atoi(s.With["role-duration-seconds"])
	switch {
	case err != nil:
		report(s.Line, "role-duration-seconds is %q, want a number", s.With["role-duration-seconds"])
	case float64(seconds) <= j.minutes()*60:
		report(s.Line, "the session ends after %d s, and job %s may last %.0f s: credentials are not renewed", seconds, j.Name, j.minutes()*60)
	case seconds > longestSession[role.use]:
		report(s.Line, "the session is to last %d s, and the account's stack allows %d s", seconds, longestSession[role.use])
	}
}

func role(s Step) (assumed, bool) {
	found := roleForm.FindStringSubmatch(s.With["role-to-assume"])
	if found == nil {
		return assumed{}, false
	}
	return assumed{line: s.Line, stack: found[1], use: found[2]}, true
}

func (j Job) environment() string {
	if j.Environment == nil || j.Environment.Name == nil {
		return ""
	}
	return j.Environment.Name.Value
}

// groupOf are the concurrency groups of jobs that change a stack. A pull request's own goes by its number, which the event or a matrix tells.
func groupOf(stack string) []string {
	if stack != permission.Requests {
		return []string{"stack-" + stack}
	}
	return []string{"stack-" + stack + "-${{ github.event.pull_request.number }}", "stack-" + stack + "-${{ matrix.number }}"}
}

// concurrency wants one job at a time for a stack, and that none is cancelled: a deployment that is killed leaves its lock, and
// changes that nobody has recorded.
func concurrency(f File, _ Commands, report reporter) {
	for _, j := range f.Jobs {
		for _, s := range j.Steps {
			role, ok := role(s)
			if j.Job == nil || !ok || role.use != useDeploy {
				continue
			}
			c, want := j.Concurrency, groupOf(role.stack)
			if c == nil {
				c = f.Workflow.Concurrency
			}
			if c == nil || c.Group == nil || !slices.Contains(want, c.Group.Value) {
				report(j.Pos.Line, "job %s changes stack %s and is not in the concurrency group %s", j.Name, role.stack, strings.Join(want, " or "))
			}
			for _, c := range []*actionlint.Concurrency{j.Concurrency, f.Workflow.Concurrency} {
				if c != nil && c.CancelInProgress != nil && (c.CancelInProgress.Value || c.CancelInProgress.Expression != nil) {
					report(j.Pos.Line, "job %s changes stack %s and may be cancelled: cancel-in-progress: false", j.Name, role.stack)
				}
			}
		}
	}
}
