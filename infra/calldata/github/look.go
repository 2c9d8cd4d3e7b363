package github

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// forge is the work in hand.
type forge struct {
	client
	wanted
	aws secretAPI
	// reviewerIDs are teams and people as GitHub numbers them, by the names of the document.
	reviewerIDs map[string]reviewer
}

// path is an endpoint of the repository.
func (f *forge) path(format string, args ...any) string {
	return "repos/" + f.slug + fmt.Sprintf(format, args...)
}

// look compares everything with what is wanted, in the order of the work: what limits workflows comes before what switches them on. It
// changes nothing. What a person has to decide before is an error, all of it at once.
func (f *forge) look(ctx context.Context, step progress.Step) ([]mend.Setting, error) {
	if err := f.inspectRepository(ctx); err != nil {
		return nil, err
	}
	parts := []func(context.Context) ([]mend.Setting, error){f.inspectReviewers, f.inspectActions, f.inspectTokens, f.inspectLabels}
	for _, e := range f.environments {
		parts = append(parts, func(ctx context.Context) ([]mend.Setting, error) { return f.inspectEnvironment(ctx, e) })
	}
	for _, name := range f.branches {
		parts = append(parts, func(ctx context.Context) ([]mend.Setting, error) { return f.inspectBranch(ctx, name) })
	}
	parts = append(parts, f.inspectSecrets, f.inspectVariables)
	var all []mend.Setting
	var errs []error
	for i, part := range parts {
		settings, err := part(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if code := cli.Code(err); code == cli.ExitPreflight || code == cli.ExitUnreachable {
			return nil, err // the next call would say the same
		}
		all, errs = append(all, settings...), append(errs, err)
		step.Progress(int64(i+1), int64(len(parts)), "")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, cli.WithCode(cli.ExitUsage, fmt.Errorf("nothing was changed:\n%w", err))
	}
	return all, nil
}

// same tells whether two lists have the same words, in any order.
func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
