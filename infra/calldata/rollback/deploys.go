package rollback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// Words of Pulumi's history.
const (
	update    = "update"
	destroyed = "destroy"
	succeeded = "succeeded"
	head      = "git.head"
	dirty     = "git.dirty"
)

// said begins what the history says of a rollback.
const said = "roll back to "

// Deploy is a deployment in the stack's history.
type Deploy struct {
	// Commit is what was deployed, empty where Pulumi did not know it; Subject its first line, or what was said of the deployment.
	Commit  string `json:"commit"`
	Subject string `json:"subject"`
	// Time is when it began, as the backend writes it; Result how it ended: "succeeded" or "failed".
	Time   string `json:"time"`
	Result string `json:"result"`
	// Changes is how many resources it did what with.
	Changes map[string]int `json:"changes"`
	// Rollback means that this command did it.
	Rollback bool `json:"rollback"`
	// Dirty means that the tree had changes that the commit has not.
	Dirty bool `json:"dirty"`
	// Here tells whether the clone has the commit. One that it has not can be gone back to after `git fetch`.
	Here bool `json:"here"`
}

// short is enough of a commit for people.
func short(commit string) string { return commit[:min(len(commit), 12)] }

func history(ctx context.Context, root, stack string, n int) ([]auto.UpdateSummary, error) {
	s, err := automation.Open(ctx, automation.Options{Dir: root, Stack: stack})
	if err != nil {
		if automation.IsUnknownStack(err) {
			return nil, cli.UsageErrorf("Pulumi knows no stack %s where it is logged in", stack)
		}
		return nil, fmt.Errorf("%w\nwhere the state is damaged, `calldata rollback %s --state` repairs it", err, stack)
	}
	return s.History(ctx, n)
}

// read opens the clone, and reads as much of the stack's history as is asked for, newest first.
func (o *Options) read(ctx context.Context, root string) (clone, []auto.UpdateSummary, error) {
	c, err := open(ctx, root)
	if err != nil {
		return c, nil, err
	}
	entries, err := o.history(ctx, root, o.Source.Stack, o.Limit)
	return c, entries, err
}

// deploys picks the deployments of a history, newest first.
func deploys(ctx context.Context, c clone, entries []auto.UpdateSummary) []Deploy {
	found := []Deploy{}
	for _, e := range entries {
		if e.Kind != update {
			continue
		}
		message := strings.Trim(e.Message, `"`) // the Automation API's own
		d := Deploy{
			Commit: e.Environment[head], Subject: message, Time: e.StartTime, Result: e.Result,
			Rollback: strings.HasPrefix(message, said), Dirty: e.Environment[dirty] == "true",
		}
		if e.ResourceChanges != nil {
			d.Changes = *e.ResourceChanges
		}
		if subject, err := c.subject(ctx, d.Commit); err == nil {
			d.Subject, d.Here = subject, true
		}
		found = append(found, d)
	}
	return found
}

// previous is where to go without --to: the newest deployment that was whole, of another commit than the last one, or of the same
// where the last one had changes that were not committed. After a rollback that failed it is that once more. After one that did not,
// going back again would bring the commit back that somebody has just taken away.
func previous(all []Deploy) (Deploy, error) {
	if len(all) == 0 {
		return Deploy{}, errors.New("it was not deployed")
	}
	last := all[0]
	if last.Rollback && last.Result == succeeded {
		return Deploy{}, fmt.Errorf("its last deployment was a rollback already, to %s", short(last.Commit))
	}
	if last.Rollback {
		return last, nil
	}
	for _, d := range all {
		if d.Result == succeeded && d.Commit != "" && (d.Commit != last.Commit || (last.Dirty && !d.Dirty)) {
			return d, nil
		}
	}
	return Deploy{}, errors.New("no whole deployment of another commit is before the last one")
}

// DeployList is what `calldata rollback --list` prints.
type DeployList struct {
	Stack   string   `json:"stack"`
	Deploys []Deploy `json:"deploys"`
}

func (o *Options) listDeploys(ctx context.Context, root string) error {
	c, entries, err := o.read(ctx, root)
	if err != nil {
		return err
	}
	list := DeployList{o.Source.Stack, deploys(ctx, c, entries)}
	return o.IO.Print(o.JSON, list, list.write)
}

func (l DeployList) write(w io.Writer) error {
	if len(l.Deploys) == 0 {
		_, err := fmt.Fprintf(w, "%s was never deployed\n", l.Stack)
		return err
	}
	target, err := previous(l.Deploys)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tCOMMIT\tRESULT\tCHANGES\tSUBJECT\tNOTES") // tabwriter keeps errors until Flush
	for i, d := range l.Deploys {
		var notes []string
		add := func(when bool, note string) {
			if when {
				notes = append(notes, note)
			}
		}
		add(i == 0, "the last one")
		add(d.Rollback, "a rollback")
		add(err == nil && d.Time == target.Time, "where --to is not given")
		add(d.Dirty, "with changes that were not committed")
		add(d.Commit != "" && !d.Here, "not in this clone: git fetch")
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Time, dash(short(d.Commit)), dash(d.Result), dash(automation.Describe(d.Changes)), dash(d.Subject), strings.Join(notes, "; "))
	}
	return table.Flush()
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
