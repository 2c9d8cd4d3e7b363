package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
)

// flag is a switch as GitHub tells it of a branch.
type flag struct{ Enabled bool }

// protectionState is what GitHub says of a branch's protection.
type protectionState struct {
	Checks *struct {
		Strict bool
		Checks []check
	} `json:"required_status_checks"`
	Reviews *struct {
		Count    int  `json:"required_approving_review_count"`
		Dismiss  bool `json:"dismiss_stale_reviews"`
		Owners   bool `json:"require_code_owner_reviews"`
		LastPush bool `json:"require_last_push_approval"`
		// Bypass is who needs no pull request, Dismissal who may take approvals back.
		Bypass    *actors `json:"bypass_pull_request_allowances"`
		Dismissal *actors `json:"dismissal_restrictions"`
	} `json:"required_pull_request_reviews"`
	Restrictions *actors
	Admins       flag `json:"enforce_admins"`
	ForcePushes  flag `json:"allow_force_pushes"`
	Deletions    flag `json:"allow_deletions"`
	Linear       flag `json:"required_linear_history"`
	Creations    flag `json:"block_creations"`
	Conversation flag `json:"required_conversation_resolution"`
	Lock         flag `json:"lock_branch"`
	ForkSync     flag `json:"allow_fork_syncing"`
}

// check is one that a change has to pass.
type check struct {
	Context string `json:"context"`
	// App is the number of the GitHub app that has to report it. GitHub tells null and takes -1 for any app; without it, it chooses the
	// one that reported last.
	App *int64 `json:"app_id,omitempty"`
}

// actors are people, teams and apps.
type actors struct {
	Users []struct{ Login string }
	Teams []struct{ Slug string }
	Apps  []struct{ Slug string }
}

// names are the actors in the form that GitHub takes.
func (a actors) names() map[string]any {
	users, teams, apps := []string{}, []string{}, []string{}
	for _, u := range a.Users {
		users = append(users, u.Login)
	}
	for _, t := range a.Teams {
		teams = append(teams, t.Slug)
	}
	for _, app := range a.Apps {
		apps = append(apps, app.Slug)
	}
	return map[string]any{"users": users, "teams": teams, "apps": apps}
}

// protect is the protection that a branch is to have, in the form that GitHub takes: what is wanted, and what is stricter already. Wrong
// says what is missing of it.
// Source: GitHub REST API, "Update branch protection"; it takes all of the protection, so that what is left out would go.
func protect(has protectionState, approvals int) (body map[string]any, wrong []string) {
	need := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	var required []check
	if c := has.Checks; c != nil {
		for _, one := range c.Checks {
			if one.App == nil {
				one.App = new(int64(-1))
			}
			required = append(required, one)
		}
		need(c.Strict, "branches need not be up to date")
	}
	there := len(required)
	for _, name := range checks {
		if !slices.ContainsFunc(required, func(c check) bool { return c.Context == name }) {
			required = append(required, check{Context: name})
		}
	}
	need(there > 0, "no checks are wanted")
	need(there == 0 || there == len(required), "not all checks are wanted")
	owners, count := false, approvals
	if r := has.Reviews; r != nil {
		owners, count = r.Owners, max(count, r.Count)
		need(r.Count >= approvals, fmt.Sprintf("%d approvals are enough", r.Count))
		need(r.Dismiss, "approvals outlive new commits")
		need(r.LastPush, "who pushes last may approve")
		need(r.Bypass == nil || len(r.Bypass.Users)+len(r.Bypass.Teams)+len(r.Bypass.Apps) == 0, "some need no pull request")
	} else {
		need(false, "no approval is wanted")
	}
	need(has.Admins.Enabled, "not for administrators")
	need(!has.ForcePushes.Enabled, "history may be rewritten")
	need(!has.Deletions.Enabled, "it may be deleted")
	reviews := map[string]any{
		"required_approving_review_count": count, "dismiss_stale_reviews": true, "require_code_owner_reviews": owners, "require_last_push_approval": true,
	}
	if has.Reviews != nil && has.Reviews.Dismissal != nil {
		reviews["dismissal_restrictions"] = has.Reviews.Dismissal.names()
	}
	body = map[string]any{
		"required_status_checks": map[string]any{"strict": true, "checks": required}, "required_pull_request_reviews": reviews,
		"enforce_admins": true, "restrictions": nil, "allow_force_pushes": false, "allow_deletions": false,
		"required_linear_history": has.Linear.Enabled, "block_creations": has.Creations.Enabled,
		"required_conversation_resolution": has.Conversation.Enabled, "lock_branch": has.Lock.Enabled, "allow_fork_syncing": has.ForkSync.Enabled,
	}
	if has.Restrictions != nil {
		body["restrictions"] = has.Restrictions.names()
	}
	return body, wrong
}

// inspectBranch wants a branch and its protection.
func (f *forge) inspectBranch(ctx context.Context, name string) ([]mend.Setting, error) {
	there, err := f.get(ctx, f.path("/branches/%s", name), nil)
	if err != nil {
		return nil, err
	}
	if !there && name == mainBranch {
		return nil, fmt.Errorf("there is no branch %s: push it", mainBranch)
	}
	var has protectionState
	endpoint := f.path("/branches/%s/protection", name)
	protected := false
	if there {
		if protected, err = f.get(ctx, endpoint, &has); err != nil {
			return nil, err
		}
	}
	branch := mend.Setting{Resource: "branch " + name, Name: "branch", Found: "there", Want: "there", Missing: !there}
	if !there {
		branch.Want = "made from " + mainBranch
		branch.Mend = func(ctx context.Context) error { return f.createBranch(ctx, name) }
	}
	body, wrong := protect(has, f.approvals)
	protection := mend.Setting{
		Resource: branch.Resource, Name: "protection", Found: strings.Join(wrong, ", "), Missing: !protected,
		Want: fmt.Sprintf("pull requests, approvals: %d, checks: %d, for administrators too", f.approvals, len(checks)),
	}
	if len(wrong) > 0 {
		protection.Mend = func(ctx context.Context) error { return f.call(ctx, http.MethodPut, endpoint, body, nil) }
	}
	return []mend.Setting{branch, protection}, nil
}

// createBranch makes a branch where main is.
func (f *forge) createBranch(ctx context.Context, name string) error {
	var at struct{ Object struct{ SHA string } }
	if err := f.call(ctx, http.MethodGet, f.path("/git/ref/heads/%s", mainBranch), nil, &at); err != nil {
		return err
	}
	return f.call(ctx, http.MethodPost, f.path("/git/refs"), map[string]any{"ref": "refs/heads/" + name, "sha": at.Object.SHA}, nil)
}
