package rollback

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// readers is how many files of the backend are read at once.
const readers = 8

// Copy is a state in the backend, with what was found in it.
type Copy struct {
	statestore.Checkpoint
	// Kind, Result and Commit are of the operation that left it, where the history knows: "update", "succeeded", and what was deployed.
	Kind   string `json:"kind,omitempty"`
	Result string `json:"result,omitempty"`
	Commit string `json:"commit,omitempty"`
	// Resources is how many it has; of a damaged one, how many can still be read.
	Resources int `json:"resources"`
	// Damaged is what is wrong with it, empty where it is whole.
	Damaged string `json:"damaged,omitempty"`

	data  []byte
	state automation.Checkpoint
}

// inspect reads a file of the backend.
func inspect(ctx context.Context, s statestore.Stack, c statestore.Checkpoint) (*Copy, error) {
	data, err := s.Read(ctx, c.Key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.Key, err)
	}
	found := &Copy{Checkpoint: c, data: data}
	if found.state, err = automation.ParseCheckpoint(data); err != nil {
		found.Damaged = err.Error()
	}
	found.Resources = len(found.state.Resources)
	operation, err := s.Update(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read the record of %s: %w", c.Key, err)
	}
	if operation != nil {
		found.Kind, found.Result, found.Commit = operation.Kind, operation.Result, operation.Environment[head]
	}
	return found, nil
}

// copies reads the newest checkpoints, at most n. Pulumi keeps some twice: of equal ones the history's counts.
func copies(ctx context.Context, s statestore.Stack, n int) ([]*Copy, error) {
	checkpoints, err := s.Checkpoints(ctx)
	if err != nil {
		return nil, err
	}
	read := make([]*Copy, min(2*n, len(checkpoints)))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i := range read {
		group.Go(func() (err error) {
			read[i], err = inspect(ctx, s, checkpoints[i])
			if errors.Is(err, statestore.ErrNotFound) { // gone since it was listed
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	known := map[[sha256.Size]byte]int{}
	found := []*Copy{}
	for _, c := range read {
		if c == nil {
			continue
		}
		sum := sha256.Sum256(c.data)
		if at, twice := known[sum]; !twice {
			known[sum] = len(found)
			found = append(found, c)
		} else if c.From == statestore.FromHistory && found[at].From != statestore.FromHistory {
			found[at] = c
		}
	}
	return found[:min(n, len(found))], nil
}

// choose answers the copy that an ID, or the beginning of one, means; of none the newest whole one.
func choose(all []*Copy, id string) (*Copy, error) {
	var found []*Copy
	for _, c := range all {
		switch {
		case id == "" && c.Damaged == "":
			return c, nil
		case id != "" && strings.HasPrefix(c.ID, id):
			found = append(found, c)
		}
	}
	switch {
	case id == "":
		return nil, fmt.Errorf("of %d copies of the state that were looked at none is whole: --limit looks further back", len(all))
	case len(found) == 0:
		return nil, fmt.Errorf("--to is %q, and of %d copies of the state that were looked at none begins so: --list shows them, --limit looks further back", id, len(all))
	case len(found) > 1:
		var ids []string
		for _, c := range found {
			ids = append(ids, c.ID)
		}
		return nil, fmt.Errorf("--to is %q, which may be any of %s: give more of it", id, strings.Join(ids, ", "))
	case found[0].Damaged != "":
		return nil, fmt.Errorf("--to is %q, and this copy is damaged too: %s; choose another", id, found[0].Damaged)
	}
	return found[0], nil
}

// stack opens what the backend keeps of the stack.
func (o *Options) stack(ctx context.Context, root string) (statestore.Stack, error) {
	file, err := stackfile.Read(root, o.Source.Stack)
	if err != nil {
		return statestore.Stack{}, cli.WithCode(cli.ExitUsage, err)
	}
	store, err := o.store(ctx, statestore.URL(o.IO.Getenv, file.Backend), root)
	return statestore.Stack{Store: store, Project: stacks.Project, Name: o.Source.Stack}, err
}

// CopyList is what `calldata rollback --state --list` prints.
type CopyList struct {
	Stack string `json:"stack"`
	// Present is the state as it is now, absent where there is none.
	Present *Copy   `json:"present,omitempty"`
	Copies  []*Copy `json:"copies"`
}

func (o *Options) listCheckpoints(ctx context.Context, root string) error {
	s, err := o.stack(ctx, root)
	if err != nil {
		return err
	}
	list := CopyList{Stack: o.Source.Stack}
	if list.Present, err = present(ctx, s); err != nil {
		return err
	}
	if list.Copies, err = copies(ctx, s, o.Limit); err != nil {
		return err
	}
	return o.IO.Print(o.JSON, list, list.write)
}

// present reads the state as it is now. It is nil where there is none.
func present(ctx context.Context, s statestore.Stack) (*Copy, error) {
	file, ok, err := s.Present(ctx)
	if err != nil || !ok {
		return nil, err
	}
	return inspect(ctx, s, statestore.NewCheckpoint(statestore.FromPresent, file))
}

func (l CopyList) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tFROM\tAFTER\tCOMMIT\tRESOURCES\tSTATE") // tabwriter keeps errors until Flush
	rows := l.Copies
	if l.Present != nil {
		rows = append([]*Copy{l.Present}, rows...)
	}
	for _, c := range rows {
		state := "whole"
		if c.Damaged != "" {
			state = "damaged: " + c.Damaged
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", c.ID, c.From, dash(strings.TrimSpace(c.Kind+" "+c.Result)), dash(short(c.Commit)), c.Resources, state)
	}
	if l.Present == nil {
		_, _ = fmt.Fprintf(table, "-\t%s\t-\t-\t0\tmissing\n", statestore.FromPresent)
	}
	return table.Flush()
}
