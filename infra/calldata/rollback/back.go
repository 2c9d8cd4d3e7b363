package rollback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
)

// Report is what came of going back to an earlier deployment.
type Report struct {
	// Stack is the stack's name.
	Stack string `json:"stack"`
	// From is the commit that was deployed last, empty where that is not known; To the one that is gone back to.
	From string `json:"from,omitempty"`
	To   string `json:"to"`
	// Subject is the first line of To.
	Subject string `json:"subject"`
	// TakenBack are the commits of From that To does not have, Added the others way round, each with its subject.
	TakenBack []string `json:"takenBack"`
	Added     []string `json:"added"`
	// Notes are what an operator should know before agreeing.
	Notes []string `json:"notes"`
	// Deployment is what came of deploying To.
	Deployment *deploy.Report `json:"deployment"`
}

// Variables that name files, and those that name programs, which may be on PATH. A checkout is another directory than the clone: a
// relative path means another file there.
var (
	fileVariables = []string{
		"CALLDATA_SECRETS_FILE", "CALLDATA_SSH_KEY", "CALLDATA_KNOWN_HOSTS", "CALLDATA_VAULT_PASSWORD_FILE", "CALLDATA_WAZO_ANSIBLE",
		"PULUMI_CONFIG_PASSPHRASE_FILE",
	}
	programVariables = []string{"CALLDATA_ANSIBLE_PLAYBOOK", "CALLDATA_BIN"}
)

// relative answers the variables whose paths would mean another file in a checkout.
func relative(getenv func(string) string) error {
	var errs []error
	for _, name := range slices.Concat(fileVariables, programVariables) {
		path := getenv(name)
		onPath := slices.Contains(programVariables, name) && !strings.ContainsRune(path, '/')
		if path != "" && !onPath && !filepath.IsAbs(path) {
			errs = append(errs, fmt.Errorf("%s is %q, want a path from the root: an earlier commit is deployed from another directory", name, path))
		}
	}
	return errors.Join(errs...)
}

func (o *Options) back(ctx context.Context, root string) error {
	c, entries, err := o.read(ctx, root)
	if err != nil {
		return err
	}
	r, err := o.plan(ctx, c, entries)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	if err := r.writePlan(o.IO.Err); err != nil {
		return err
	}
	dir, end, err := c.checkout(ctx, o.Source.Stack, r.To)
	if err != nil {
		return err
	}
	defer end()
	d := &deploy.Options{
		IO: o.IO, Source: o.Source, Skip: o.Skip, Wait: o.Wait, DryRun: o.DryRun, Yes: o.Yes, KeepProtected: true,
		Question: fmt.Sprintf("Stack %s goes back to commit %s.", r.Stack, short(r.To)),
		Message:  fmt.Sprintf(said+"%s: %s", short(r.To), r.Subject),
	}
	d.Source.Dir = dir
	if r.Deployment, err = o.deploy(ctx, d); r.Deployment == nil {
		return fmt.Errorf("commit %s: %w\nwhere this command does not understand its settings, that commit's own does: check it out, and run its `calldata deploy %s`",
			short(r.To), err, r.Stack)
	}
	return errors.Join(o.IO.Print(o.JSON, r, r.Deployment.WriteTable), err)
}

// plan says where it goes, or everything that speaks against it.
func (o *Options) plan(ctx context.Context, c clone, entries []auto.UpdateSummary) (*Report, error) {
	all := deploys(ctx, c, entries)
	r := &Report{Stack: o.Source.Stack, TakenBack: []string{}, Added: []string{}, Notes: []string{}}
	errs := []error{relative(o.IO.Getenv)}
	to := o.To
	if to == "" {
		target, err := previous(all)
		if err != nil {
			err = fmt.Errorf("of the last %d operations on stack %s: %w; name a commit with --to, or look further with --limit", o.Limit, r.Stack, err)
			return nil, errors.Join(append(errs, err)...)
		}
		to = target.Commit
	}
	var err error
	if r.To, err = c.resolve(ctx, to); err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	if r.Subject, err = c.subject(ctx, r.To); err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	for _, file := range []string{"Pulumi.yaml", "Pulumi." + r.Stack + ".yaml", "ansible"} {
		if !c.has(ctx, r.To, file) {
			errs = append(errs, fmt.Errorf("commit %s has no %s, so that it cannot have deployed stack %s: choose another", short(r.To), file, r.Stack))
		}
	}
	errs = append(errs, o.compare(ctx, c, all, r))
	r.note(entries, all)
	return r, errors.Join(errs...)
}

// compare says what lies between the commits.
func (o *Options) compare(ctx context.Context, c clone, all []Deploy, r *Report) error {
	if len(all) == 0 || all[0].Commit == "" {
		return o.doubt(r, "which commit is deployed now is not known, so that migrations of the database cannot be compared")
	}
	r.From = all[0].Commit
	if !all[0].Here {
		return o.doubt(r, "commit %s, which is deployed now, is not in this clone, so that migrations of the database cannot be compared: `git fetch --all`", short(r.From))
	}
	var errs []error
	for _, way := range []struct {
		from, to string
		list     *[]string
	}{{r.From, r.To, &r.TakenBack}, {r.To, r.From, &r.Added}} {
		commits, err := c.without(ctx, way.from, way.to)
		errs = append(errs, err)
		*way.list = append(*way.list, commits...)
	}
	var here []string
	for i, d := range all {
		if !d.Here && slices.ContainsFunc(all[i:], func(older Deploy) bool { return older.Commit == r.To }) {
			errs = append(errs, o.doubt(r, "commit %s, which was deployed since, is not in this clone, so that its migrations of the database are not known: `git fetch --all`", short(d.Commit)))
		}
		if d.Here && !slices.Contains(here, d.Commit) {
			here = append(here, d.Commit)
		}
	}
	lacking, err := c.unknownMigrations(ctx, here, r.To)
	errs = append(errs, err)
	if len(lacking) > 0 {
		errs = append(errs, o.doubt(r, "the database may have migrations that commit %s does not know: %s; its Routers may fail with them", short(r.To), strings.Join(lacking, ", ")))
	}
	return errors.Join(errs...)
}

// doubt notes why the older Routers may not work with the database, and is an error of that unless --newer-schema was given.
func (o *Options) doubt(r *Report, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	r.Notes = append(r.Notes, text)
	if o.NewerSchema {
		return nil
	}
	return errors.New(text + "; --newer-schema goes on where you know that calls work")
}

// note adds what the history says.
func (r *Report) note(entries []auto.UpdateSummary, all []Deploy) {
	for _, e := range entries {
		if e.Kind == destroyed {
			r.Notes = append(r.Notes, "the stack was taken down at "+e.StartTime+": it is made anew")
		}
		if e.Kind == destroyed || e.Kind == update {
			break
		}
	}
	if len(all) > 0 && all[0].Dirty {
		r.Notes = append(r.Notes, "what is deployed now had changes that were not committed: no commit brings them back")
	}
	for _, d := range all {
		if d.Commit != r.To {
			continue
		}
		r.Notes = append(r.Notes, fmt.Sprintf("it was deployed at %s, and that %s", d.Time, dash(d.Result)))
		if d.Dirty {
			r.Notes = append(r.Notes, "that deployment had changes that were not committed: they do not come back")
		}
		return
	}
	r.Notes = append(r.Notes, "among the deployments that were looked at, none is of this commit")
}

func (r *Report) writePlan(w io.Writer) error {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "stack %s: back to %s %s\n", r.Stack, short(r.To), r.Subject)
	for _, part := range []struct {
		title   string
		commits []string
	}{{"taken back", r.TakenBack}, {"new", r.Added}} {
		for _, commit := range part.commits[:min(most, len(part.commits))] {
			_, _ = fmt.Fprintf(&text, "  %s: %s\n", part.title, commit)
		}
		if more := len(part.commits) - most; more > 0 {
			_, _ = fmt.Fprintf(&text, "  %s: %d more\n", part.title, more)
		}
	}
	for _, note := range r.Notes {
		_, _ = fmt.Fprintf(&text, "  %s\n", note)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
