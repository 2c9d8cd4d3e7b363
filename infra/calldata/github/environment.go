package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
)

// environmentState is what GitHub says of an environment.
type environmentState struct {
	Rules []struct {
		Type              string
		WaitTimer         int  `json:"wait_timer"`
		PreventSelfReview bool `json:"prevent_self_review"`
		Reviewers         []struct {
			Type     string
			Reviewer struct {
				ID          int64
				Login, Slug string
			}
		}
	} `json:"protection_rules"`
	// Branches is nil where every branch may use it.
	Branches *branchRule `json:"deployment_branch_policy"`
	// Bypass is whether administrators need not wait for reviewers; nil where the server does not tell.
	Bypass *bool `json:"can_admins_bypass"`
}

type branchRule struct {
	Protected bool `json:"protected_branches"`
	Custom    bool `json:"custom_branch_policies"`
}

// rules are an environment's, in the form that GitHub takes.
type rules struct {
	reviewers []reviewer
	names     []string
	noSelf    bool
	bypass    bool
	wait      int
	branches  *branchRule
}

func (s environmentState) rules() rules {
	r := rules{branches: s.Branches, bypass: s.Bypass != nil && *s.Bypass}
	for _, rule := range s.Rules {
		r.wait = max(r.wait, rule.WaitTimer)
		r.noSelf = r.noSelf || rule.PreventSelfReview
		for _, who := range rule.Reviewers {
			r.reviewers = append(r.reviewers, reviewer{who.Type, who.Reviewer.ID})
			r.names = append(r.names, who.Reviewer.Login+who.Reviewer.Slug)
		}
	}
	return r
}

// equal compares what the command sets. The order of reviewers means nothing.
func (r rules) equal(other rules) bool {
	words := func(list []reviewer) []string {
		var all []string
		for _, who := range list {
			all = append(all, fmt.Sprint(who))
		}
		return all
	}
	sameBranches := r.branches == other.branches || r.branches != nil && other.branches != nil && *r.branches == *other.branches
	return sameBranches && same(words(r.reviewers), words(other.reviewers)) && r.noSelf == other.noSelf && r.bypass == other.bypass && r.wait == other.wait
}

func (r rules) String() string {
	text := "any branch"
	switch {
	case r.branches != nil && r.branches.Custom:
		text = "chosen branches"
	case r.branches != nil:
		text = "protected branches"
	}
	if r.wait > 0 {
		text += fmt.Sprintf(", waits %d minutes", r.wait)
	}
	if len(r.reviewers) == 0 {
		return text + ", nobody is asked"
	}
	text += ", asks " + strings.Join(r.names, ", ")
	if !r.noSelf {
		text += ", also about their own"
	}
	if r.bypass {
		text += ", administrators may pass"
	}
	return text
}

// body is the rules as GitHub takes them. Plans without reviewers refuse every word about them, so that there is none where nobody is
// asked.
func (r rules) body() map[string]any {
	body := map[string]any{"deployment_branch_policy": r.branches}
	if r.wait > 0 {
		body["wait_timer"] = r.wait
	}
	if len(r.reviewers) > 0 {
		body["reviewers"], body["prevent_self_review"], body["can_admins_bypass"] = r.reviewers, r.noSelf, r.bypass
	}
	return body
}

// rules are what an environment is to have, given what it has: reviewers and a wait that others have set stay where none are wanted.
func (f *forge) rules(e environment, has rules) rules {
	w := has
	if w.branches = nil; !e.any {
		w.branches = &branchRule{Custom: true}
	}
	if len(e.reviewers) > 0 {
		w.reviewers, w.names, w.noSelf, w.bypass = nil, e.reviewers, true, false
		for _, name := range e.reviewers {
			w.reviewers = append(w.reviewers, f.reviewerIDs[name])
		}
	}
	return w
}

// inspectEnvironment compares an environment: who is asked, and which branches may use it.
func (f *forge) inspectEnvironment(ctx context.Context, e environment) ([]mend.Setting, error) {
	endpoint := f.path("/environments/%s", e.name)
	var state environmentState
	there, err := f.get(ctx, endpoint, &state)
	if err != nil {
		return nil, err
	}
	has := state.rules()
	wants := f.rules(e, has)
	who := mend.Setting{Resource: "environment " + e.name, Name: "rules", Found: has.String(), Want: wants.String(), Missing: !there}
	if !there || !wants.equal(has) {
		who.Mend = func(ctx context.Context) error { return f.call(ctx, http.MethodPut, endpoint, wants.body(), nil) }
	}
	if e.any {
		return []mend.Setting{who}, nil
	}
	chosen := there && has.branches != nil && has.branches.Custom
	var policies []policy
	if chosen {
		if policies, err = f.policies(ctx, e.name); err != nil {
			return nil, err
		}
	}
	which := mend.Setting{
		Resource: who.Resource, Name: "branches", Found: branchNames(policies), Missing: !there, Want: strings.Join(e.branches, ", "),
	}
	if len(e.branches) == 0 {
		which.Want = "none: workflows do not deploy this stack"
	}
	unchosen := there && !chosen // what was chosen once before counts again as soon as branches are chosen
	if unchosen {
		which.Found = "not chosen"
	}
	if extra, missing := differ(policies, e.branches); unchosen || len(extra)+len(missing) > 0 {
		which.Mend = func(ctx context.Context) error { return f.choose(ctx, e) }
	}
	return []mend.Setting{who, which}, nil
}

// policy is a branch that may use an environment.
type policy struct {
	ID         int64
	Name, Type string
}

func (f *forge) policies(ctx context.Context, environment string) ([]policy, error) {
	var has struct {
		Policies []policy `json:"branch_policies"`
	}
	err := f.call(ctx, http.MethodGet, f.path("/environments/%s/deployment-branch-policies?per_page=100", environment), nil, &has)
	return has.Policies, err
}

// differ tells which policies are not wanted, and which branches have none.
func differ(has []policy, branches []string) (extra []policy, missing []string) {
	missing = slices.Clone(branches)
	for _, p := range has {
		i := slices.Index(missing, p.Name)
		if i < 0 || p.Type == "tag" {
			extra = append(extra, p)
			continue
		}
		missing = slices.Delete(missing, i, i+1)
	}
	return extra, missing
}

func branchNames(policies []policy) string {
	var names []string
	for _, p := range policies {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// choose lets an environment's branches in, and no others. Those go first: each may deploy.
func (f *forge) choose(ctx context.Context, e environment) error {
	has, err := f.policies(ctx, e.name)
	if err != nil {
		return err
	}
	endpoint := f.path("/environments/%s/deployment-branch-policies", e.name)
	extra, missing := differ(has, e.branches)
	for _, p := range extra {
		if err := f.call(ctx, http.MethodDelete, fmt.Sprintf("%s/%d", endpoint, p.ID), nil, nil); err != nil {
			return err
		}
	}
	for _, name := range missing {
		if err := f.call(ctx, http.MethodPost, endpoint, map[string]any{"name": name}, nil); err != nil {
			return err
		}
	}
	return nil
}
