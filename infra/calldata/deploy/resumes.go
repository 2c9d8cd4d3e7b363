package deploy

import (
	"cmp"
	"context"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
)

// succeeded is the result of an operation that ended well, in Pulumi's history.
const succeeded = "succeeded"

// resumes asks the backend how the last operation on the stack ended. It is nil where that was well, or where there was none. A
// deployment that was killed is not in the history: what it was at is in the state.
func resumes(ctx context.Context, stack engine) (*Resumes, error) {
	last, err := stack.Last(ctx)
	if err != nil {
		return nil, err
	}
	state, err := stack.State(ctx)
	if err != nil {
		return nil, err
	}
	r := &Resumes{}
	for _, p := range state.Pending {
		r.Interrupted = append(r.Interrupted, string(p.Type)+" "+automation.Name(string(p.Resource.URN)))
	}
	if last != nil && last.Result != succeeded {
		commit := last.Environment["git.head"]
		r.Kind, r.Result, r.Started, r.Commit = last.Kind, cmp.Or(last.Result, "unknown"), last.StartTime, commit[:min(len(commit), 12)]
	}
	if r.Started == "" && len(r.Interrupted) == 0 {
		return nil, nil
	}
	return r, nil
}
