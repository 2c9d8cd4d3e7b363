package github

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/yamldoc"
	"github.com/calldata/calldata-foundation/stacks"
)

// defaultFile is the document, relative to the repository.
const defaultFile = ".github/setup.yml"

const (
	// maxReviewers is how many teams and people GitHub asks at most.
	// Source: GitHub Docs, "Managing environments for deployment", required reviewers.
	maxReviewers = 6
	// maxApprovals is the most that a branch may want of a pull request.
	// Source: GitHub REST API, "Update branch protection", required_approving_review_count.
	maxApprovals = 6
)

// Defaults of Document.Requests. Two stacks of pull requests fit beside dev, stage and prod into the five VPCs that a new account has in a
// region, where AWS's own VPC is deleted. Source: Amazon VPC User Guide, "Amazon VPC quotas".
const (
	DefaultLimit = 2
	DefaultHours = 72
)

// Document is .github/setup.yml: what GitHub has to know and the account's stack does not say.
type Document struct {
	// Deploy are the stacks that workflows may deploy. Default: all environments of the account's stack. The GitHub environments of the
	// others are closed: no branch may use them.
	Deploy []string `yaml:"deploy"`
	// Reviewers are asked before a stack is deployed: teams as ORG/TEAM and people by their logins, six at most. One of them has to
	// agree. Stage and prod need some.
	Reviewers map[string][]string `yaml:"reviewers"`
	// Backups are the stacks whose backups are tried every week. Default: those of stage and prod that are deployed.
	Backups []string `yaml:"backups"`
	// Calls are the stacks that the workflow synthetic-calls calls from outside. Default: none.
	Calls []string `yaml:"calls"`
	// Requests is how many stacks of pull requests may stand at once, default DefaultLimit, and for how many hours after their last
	// deployment, default DefaultHours; 0 hours are for ever.
	Requests struct {
		Limit int `yaml:"limit"`
		Hours int `yaml:"hours"`
	} `yaml:"requests"`
	// Approvals is how many a pull request needs, default 1.
	Approvals int `yaml:"approvals"`
	// Runner is the label of the runner that deploys, default ubuntu-24.04.
	Runner string `yaml:"runner"`
}

var (
	// Source: GitHub Docs, "Username considerations for external authentication": letters, digits and single hyphens, 39 at most.
	// Names of teams become such words, too, and may have underscores.
	loginForm = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$`)
	teamForm  = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}/[a-z0-9_-]+$`)
	labelForm = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// parse reads the document, and gives what it does not say the defaults for the account's environments. It answers everything that is
// wrong at once.
func parse(data []byte, environments []stacks.Environment) (Document, error) {
	d := Document{Approvals: 1, Runner: "ubuntu-24.04"}
	d.Requests.Limit, d.Requests.Hours = DefaultLimit, DefaultHours
	if err := yamldoc.Decode(data, &d); err != nil && !errors.Is(err, io.EOF) {
		return d, err
	}
	var names []string
	for _, e := range environments {
		names = append(names, e.Name)
	}
	if d.Deploy == nil {
		d.Deploy = names
	}
	if d.Backups == nil {
		d.Backups = slices.DeleteFunc(slices.Clone(d.Deploy), func(s string) bool { return !reviewed(s) })
	}
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	stacksOf := func(field string, list, of []string, where string) {
		for i, name := range list {
			need(slices.Contains(of, name), "%s: %q is none of %s: %s", field, name, where, strings.Join(of, ", "))
			need(!slices.Contains(list[:i], name), "%s: %q is there twice", field, name)
		}
	}
	stacksOf("deploy", d.Deploy, names, "the account's setting environments")
	for _, stack := range d.Deploy {
		_, known := branchesOf[stack]
		need(known || !slices.Contains(names, stack), "deploy: no workflow deploys %q: leave it out, workflows deploy %s", stack,
			strings.Join(slices.Sorted(maps.Keys(branchesOf)), ", "))
		need(!reviewed(stack) || len(d.Reviewers[stack]) > 0, "reviewers: %s has nobody who agrees to its deployments: name a team or people, or leave %s out of deploy", stack, stack)
	}
	stacksOf("backups", d.Backups, d.Deploy, "deploy")
	stacksOf("calls", d.Calls, names, "the account's setting environments")
	stacksOf("reviewers", slices.Sorted(maps.Keys(d.Reviewers)), d.Deploy, "deploy")
	for _, stack := range slices.Sorted(maps.Keys(d.Reviewers)) {
		list := d.Reviewers[stack]
		need(len(list) <= maxReviewers, "reviewers: %s has %d, GitHub takes %d: name a team", stack, len(list), maxReviewers)
		for i, name := range list {
			need(loginForm.MatchString(name) || teamForm.MatchString(name), "reviewers: %s has %q, want a team as ORG/TEAM or a person's login", stack, name)
			need(!slices.ContainsFunc(list[:i], func(other string) bool { return strings.EqualFold(other, name) }), "reviewers: %s has %q twice", stack, name)
		}
	}
	const empty = "%s: nothing is deployed as %q itself, and stacks of pull requests come and go: leave it out"
	need(!slices.Contains(d.Backups, permission.Requests), empty, "backups", permission.Requests)
	need(!slices.Contains(d.Calls, permission.Requests), empty, "calls", permission.Requests)
	need(d.Requests.Limit >= 1, "requests: limit is %d, want 1 or more; without stacks of pull requests leave %s out of deploy", d.Requests.Limit, permission.Requests)
	need(d.Requests.Hours >= 0, "requests: hours is %d, want 0 or more", d.Requests.Hours)
	need(d.Approvals >= 1 && d.Approvals <= maxApprovals, "approvals is %d, want 1 to %d", d.Approvals, maxApprovals)
	need(labelForm.MatchString(d.Runner), "runner is %q, want the label of a runner like ubuntu-24.04", d.Runner)
	return d, errors.Join(errs...)
}

// reviewed tells whether a stack is deployed only after somebody has agreed.
func reviewed(stack string) bool {
	return stack == string(stacks.KindStage) || stack == string(stacks.KindProd)
}
