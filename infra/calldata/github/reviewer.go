package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
)

// reviewer is a team or a person, as the body of an environment names them.
type reviewer struct {
	Type string `json:"type"`
	ID   int64  `json:"id"`
}

// inspectReviewers finds the numbers of all reviewers. GitHub takes none who cannot read the repository, and asks nobody then.
func (f *forge) inspectReviewers(ctx context.Context) ([]mend.Setting, error) {
	f.reviewerIDs = map[string]reviewer{}
	var names []string
	for _, e := range f.environments {
		names = append(names, e.reviewers...)
	}
	slices.Sort(names)
	var errs []error
	for _, name := range slices.Compact(names) {
		kind, who, access := "User", "users/"+name, f.path("/collaborators/%s", name)
		if org, team, isTeam := strings.Cut(name, "/"); isTeam {
			kind, who = "Team", "orgs/"+org+"/teams/"+team
			access = who + "/repos/" + f.slug
		}
		var found struct{ ID int64 }
		there, err := f.get(ctx, who, &found)
		if err == nil && there {
			there, err = f.get(ctx, access, nil)
		}
		switch {
		case err != nil:
			errs = append(errs, err)
		case found.ID == 0:
			errs = append(errs, fmt.Errorf("reviewers: GitHub shows no %s %s to the login of gh: correct the name, or `gh auth refresh -s read:org`", strings.ToLower(kind), name))
		case !there:
			errs = append(errs, fmt.Errorf("reviewers: %s cannot read %s, so that GitHub would not ask: give the %s access", name, f.slug, strings.ToLower(kind)))
		}
		f.reviewerIDs[name] = reviewer{kind, found.ID}
	}
	return nil, errors.Join(errs...)
}
