package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
)

// inspectRepository reports what keeps the repository from being set up at all.
func (f *forge) inspectRepository(ctx context.Context) error {
	var repo struct {
		ID            int64
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
		Archived      bool
		Owner         struct{ ID int64 }
		Permissions   struct{ Admin bool }
	}
	there, err := f.get(ctx, f.path(""), &repo)
	if err != nil {
		return err
	}
	if !there {
		return cli.UsageErrorf("%s, the account's setting githubRepository, is no repository that the login of gh sees: correct it, or log in as somebody else with `gh auth login`", f.slug)
	}
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(strings.EqualFold(repo.FullName, f.slug), "%s is called %s now: set githubRepository of the account's stack, and deploy it", f.slug, repo.FullName)
	need(!repo.Archived, "%s is archived: unarchive it", f.slug)
	need(repo.Permissions.Admin, "the login of gh is no administrator of %s: `gh auth login` as one", f.slug)
	need(repo.DefaultBranch == mainBranch, "the default branch is %q, and workflows start from %s: rename it in GitHub's settings", repo.DefaultBranch, mainBranch)
	if f.repository.ID != 0 {
		need(f.repository.ID == repo.ID && f.repository.OwnerID == repo.Owner.ID, "GitHub's numbers of owner and repository are %d and %d, the account's settings say %d and %d: %s",
			repo.Owner.ID, repo.ID, f.repository.OwnerID, f.repository.ID, numbers(repo.Owner.ID, repo.ID))
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

// numbers is how the account's stack gets the repository's numbers.
func numbers(owner, repository int64) string {
	const set = "`pulumi config set calldata-foundation:%s %d -s %s`, "
	return fmt.Sprintf(set+set+"then deploy it", "githubOwnerId", owner, permission.Account, "githubRepositoryId", repository, permission.Account)
}

// inspectActions wants no actions but GitHub's own and those that the workflows call, and tokens that read.
func (f *forge) inspectActions(ctx context.Context) ([]mend.Setting, error) {
	var has map[string]any // what else is in it stays
	if err := f.call(ctx, http.MethodGet, f.path("/actions/permissions"), nil, &has); err != nil {
		return nil, err
	}
	chosen := mend.Setting{Resource: "actions", Name: "allowed", Want: "those that are chosen", Found: fmt.Sprintf("enabled %v, %v", has["enabled"], has["allowed_actions"])}
	selected := has["enabled"] == true && has["allowed_actions"] == "selected"
	if !selected {
		chosen.Mend = func(ctx context.Context) error {
			body := map[string]any{"enabled": true, "allowed_actions": "selected"}
			if pinned, told := has["sha_pinning_required"]; told {
				body["sha_pinning_required"] = pinned
			}
			return f.call(ctx, http.MethodPut, f.path("/actions/permissions"), body, nil)
		}
	}
	var choice struct {
		GitHub   bool     `json:"github_owned_allowed"`
		Verified bool     `json:"verified_allowed"`
		Patterns []string `json:"patterns_allowed"`
	}
	if selected { // GitHub answers nothing else
		if err := f.call(ctx, http.MethodGet, f.path("/actions/permissions/selected-actions"), nil, &choice); err != nil {
			return nil, err
		}
	}
	choices := mend.Setting{
		Resource: "actions", Name: "chosen", Want: "GitHub's and " + strings.Join(actions, ", "), Missing: !selected,
		Found: fmt.Sprintf("GitHub's %v, verified %v, %s", choice.GitHub, choice.Verified, strings.Join(choice.Patterns, ", ")),
	}
	if !choice.GitHub || choice.Verified || !same(choice.Patterns, actions) {
		choices.Mend = func(ctx context.Context) error {
			body := map[string]any{"github_owned_allowed": true, "verified_allowed": false, "patterns_allowed": actions}
			return f.call(ctx, http.MethodPut, f.path("/actions/permissions/selected-actions"), body, nil)
		}
	}
	var token struct {
		Default string `json:"default_workflow_permissions"`
		Approve bool   `json:"can_approve_pull_request_reviews"`
	}
	if err := f.call(ctx, http.MethodGet, f.path("/actions/permissions/workflow"), nil, &token); err != nil {
		return nil, err
	}
	rights := mend.Setting{
		Resource: "actions", Name: "token", Want: "reads, approves nothing", Found: fmt.Sprintf("%s, approves pull requests: %v", token.Default, token.Approve),
	}
	if token.Default != "read" || token.Approve {
		rights.Mend = func(ctx context.Context) error {
			body := map[string]any{"default_workflow_permissions": "read", "can_approve_pull_request_reviews": false}
			return f.call(ctx, http.MethodPut, f.path("/actions/permissions/workflow"), body, nil)
		}
	}
	return []mend.Setting{chosen, choices, rights}, nil
}

// inspectTokens compares the subject of tokens with what the account's roles trust.
// Source: GitHub Docs, "OpenID Connect reference", "Immutable subject claims".
func (f *forge) inspectTokens(ctx context.Context) ([]mend.Setting, error) {
	endpoint := f.path("/actions/oidc/customization/sub")
	var has struct {
		Default bool   `json:"use_default"`
		Prefix  string `json:"sub_claim_prefix"`
	}
	if err := f.call(ctx, http.MethodGet, endpoint, nil, &has); err != nil {
		return nil, err
	}
	begins := func(r permission.Repository) string { return strings.TrimSuffix(r.Subject(""), ":environment:") }
	trusted, named := begins(f.repository), begins(permission.Repository{Owner: f.repository.Owner, Name: f.repository.Name})
	s := mend.Setting{Resource: "tokens", Name: "subject", Want: trusted + ":environment:NAME", Found: "a template"}
	if has.Default {
		s.Found = has.Prefix
	}
	right := has.Prefix == "" || strings.EqualFold(has.Prefix, trusted) // servers that do not tell have names alone
	switch {
	case !right && !strings.EqualFold(has.Prefix, named): // numbers, and the settings have none
		return nil, fmt.Errorf("GitHub's tokens are of %q, and the account's roles trust %q: set the repository's numbers, %s", has.Prefix, trusted,
			numbers(prefixNumbers(has.Prefix)))
	case !right || !has.Default:
		s.Mend = func(ctx context.Context) error {
			body := map[string]any{"use_default": true}
			if f.repository.ID != 0 {
				body["use_immutable_subject"] = true
			}
			return f.call(ctx, http.MethodPut, endpoint, body, nil)
		}
	}
	return []mend.Setting{s}, nil
}

// prefixNumbers are the numbers in "repo:OWNER@1/NAME@2".
func prefixNumbers(prefix string) (owner, repository int64) {
	first, second, _ := strings.Cut(prefix, "/")
	for text, into := range map[string]*int64{first: &owner, second: &repository} {
		_, number, _ := strings.Cut(text, "@")
		_, _ = fmt.Sscan(number, into) // 0 where there is none
	}
	return owner, repository
}

func (f *forge) inspectLabels(ctx context.Context) ([]mend.Setting, error) {
	var settings []mend.Setting
	for _, name := range slices.Sorted(maps.Keys(f.labels)) {
		there, err := f.get(ctx, f.path("/labels/%s", name), nil)
		if err != nil {
			return nil, err
		}
		s := mend.Setting{Resource: "label " + name, Name: "label", Want: f.labels[name], Missing: !there}
		if !there {
			s.Mend = func(ctx context.Context) error {
				return f.call(ctx, http.MethodPost, f.path("/labels"), map[string]any{"name": name, "description": f.labels[name], "color": "0e8a16"}, nil)
			}
		}
		settings = append(settings, s)
	}
	return settings, nil
}
