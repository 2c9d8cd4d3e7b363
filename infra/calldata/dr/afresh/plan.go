package afresh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// Plan is what comes back, and where.
type Plan struct {
	// Kind is what the new stack is for, From the stack that it is made from.
	Kind Kind   `json:"kind"`
	From string `json:"from"`
	// Stack is the new one's name, Region and Zones are where it is, Domain is its name for people and phones.
	Stack  string   `json:"stack"`
	Region string   `json:"region"`
	Zones  []string `json:"zones"`
	Domain string   `json:"domain"`
	// Set are the settings that somebody has chosen for it, each "NAME=VALUE".
	Set []string `json:"set,omitempty"`
	// Resumes tells whether an earlier run has begun it.
	Resumes bool `json:"resumes"`
	// Returns is what comes back.
	Returns []Return `json:"returns"`
	// Steps are what is done, as somebody would do it by hand.
	Steps []string `json:"commands"`
	// Left are the secret settings that cannot be carried over.
	Left []string `json:"leftOut,omitempty"`
}

// Return is something that comes back.
type Return struct {
	// What is the database or an engine, by its new name; Source is the snapshot or the backup that it comes from.
	What   string `json:"what"`
	Source string `json:"source"`
	// Age is how old its data is, in seconds.
	Age float64 `json:"ageSeconds"`
}

// task is one stack that is made afresh.
type task struct {
	*Options
	root string
	old  old
	// bucket is where the backups are, as --from of `calldata backup restore` names it.
	bucket string
	home   home
	record *record
	// resumes tells whether the record is of an earlier run.
	resumes bool
	plan    Plan
	report  *Report
	// file and topology are what the new stack's settings say, text is their file, which is to be written.
	file     *stackfile.File
	topology stacks.Topology
	text     []byte
	// stack is the new one, once it is deployed; whole tells whether everything came back.
	stack stacks.Outputs
	whole bool
}

// prepare reads and asks everything that has to be known before something is done.
func (o *Options) prepare(ctx context.Context) (*task, error) {
	root, err := repo.Find(o.Dir)
	if err != nil {
		return nil, err
	}
	t := &task{Options: o, root: root}
	if t.old, err = readOld(root, o.Source.Stack); err != nil {
		return nil, err
	}
	source := o.Source
	source.Dir = root
	if t.old.outputs, err = source.Load(ctx, o.IO.In); err != nil {
		return nil, err
	}
	if err := t.locate(); err != nil {
		return nil, err
	}
	if t.record, err = readRecord(repo.Afresh(root, t.home.name)); err != nil {
		return nil, err
	}
	errs := []error{t.secrets(), t.chosen()}
	if t.resumes = t.record != nil; t.resumes {
		errs = append(errs, t.record.fits(o.kind, o.Source.Stack, t.home.region, o.Set))
	} else {
		errs = append(errs, t.free(ctx))
	}
	if err := together(errs); err != nil {
		return nil, err
	}
	return t, t.choose(ctx)
}

// secrets refuses to begin without the passwords that the step setup needs.
func (t *task) secrets() error {
	document := filepath.Join(beside.Inventories, t.old.file.Stack, "tenant.yml")
	if _, err := os.Stat(filepath.Join(t.root, document)); t.PlanOnly || !t.old.topology.Configuration.Enabled || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	file := t.IO.Getenv(secretsVariable)
	if file == "" {
		return cli.UsageErrorf("%s is not set: name the file, mode 0600, with the passwords that %s needs", secretsVariable, document)
	}
	if err := private.Check(file); err != nil {
		return cli.UsageErrorf("%s: %w", secretsVariable, err)
	}
	return nil
}

// free refuses a name that something has already, which a drill would overwrite and take away at its end. A plan asks no backend: it is made
// also where nobody is logged in.
func (t *task) free(ctx context.Context) error {
	there, err := t.beside().Taken()
	if err != nil {
		return err
	}
	if !t.PlanOnly {
		known, err := t.tools.known(ctx, t.root, t.home.name)
		if err != nil {
			return err
		}
		if known {
			there = append(there, "a stack of this name in Pulumi's backend")
		}
	}
	if len(there) == 0 {
		return nil
	}
	return cli.UsageErrorf("the name %s is taken, and not by an earlier run of this command: there is %s; give another --name, or take away what is left over",
		t.home.name, strings.Join(there, ", "))
}

// locate says where the new stack goes, and where the backups are.
func (t *task) locate() error {
	saved := t.old.outputs.Backups
	t.home = home{name: t.Name, region: t.old.outputs.Region, secretsProvider: t.SecretsProvider}
	label := string(Drill)
	switch {
	case saved == nil:
		return cli.UsageErrorf("the outputs of stack %s name no bucket of backups: deploy it first", t.old.outputs.Stack)
	case t.kind == Drill:
		t.bucket = where(saved.Bucket, t.home.region)
	case saved.Copy == nil:
		return cli.UsageErrorf("stack %s keeps no copies in a second region, so that there is none to go to: set copyRegion, docs/deployment.md says how", t.old.outputs.Stack)
	default:
		label = saved.Copy.Region
		t.home.region, t.bucket = saved.Copy.Region, where(saved.Copy.Bucket, saved.Copy.Region)
	}
	if t.home.name == "" {
		t.home.name = t.old.file.Stack + "-" + label
	}
	return checkName(t.home.name)
}

// where names a bucket in the form of --from.
func where(bucket, region string) string { return fmt.Sprintf("s3://%s?region=%s", bucket, region) }

// choose takes the newest snapshot and the newest backups, or those that were chosen before, and makes the settings of them.
func (t *task) choose(ctx context.Context) error {
	work, finish := t.IO.Reporter()
	defer finish()
	if t.record == nil {
		r, err := t.look(ctx, work)
		if err != nil {
			return err
		}
		t.record = r
	}
	t.home.snapshot, t.home.zones, t.home.set = t.record.Snapshot.ARN, t.record.Zones, t.record.Set
	file, topology, text, err := t.old.derive(t.kind, t.home)
	if err != nil {
		return err
	}
	if _, err := os.Stat(file.Path); t.resumes && err == nil { // what somebody has set since counts
		if file, err = stackfile.Read(t.root, t.home.name); err != nil {
			return cli.WithCode(cli.ExitUsage, err)
		}
		if t.SecretsProvider != "" && t.SecretsProvider != file.SecretsProvider {
			return cli.UsageErrorf("--secrets-provider is %s, but an earlier run wrote %s with %s: take that file away and run the same command again, or, where Pulumi has the stack already, leave the flag out",
				t.SecretsProvider, filepath.Base(file.Path), cmp.Or(file.SecretsProvider, "none"))
		}
		if topology, err = stackarg.Topology(file); err != nil {
			return err
		}
	}
	t.file, t.topology, t.text = file, topology, text
	t.plan = Plan{
		Kind: t.kind, From: t.old.file.Stack, Stack: t.home.name, Region: t.home.region, Zones: topology.Network.Zones, Domain: topology.Web.Domain,
		Set: t.record.Set, Resumes: t.resumes, Returns: []Return{},
	}
	for _, key := range t.old.file.Secrets() {
		if !slices.Contains(file.Secrets(), key) && t.kind == Failover {
			t.plan.Left = append(t.plan.Left, key)
		}
	}
	t.plan.Steps = t.byHand()
	now := t.tools.now()
	age := func(at time.Time) float64 { return max(0, now.Sub(at).Round(time.Second).Seconds()) }
	t.plan.Returns = append(t.plan.Returns, Return{topology.Database.Name, t.record.Snapshot.ARN, age(t.record.Snapshot.Time)})
	for _, engine := range t.engines() {
		if id := t.record.Backups[engine]; id != "" {
			t.plan.Returns = append(t.plan.Returns, Return{engine, id, age(backup.Backup{ID: id}.Time())})
		}
	}
	return nil
}

// byHand are the commands that the steps stand for.
func (t *task) byHand() []string {
	name := t.home.name
	all := []string{
		fmt.Sprintf("write Pulumi.%s.yaml and %s/%s", name, beside.Inventories, name), "pulumi stack init " + name, "calldata deploy " + name,
	}
	for _, engine := range t.engines() {
		if id := t.record.Backups[engine]; id != "" {
			all = append(all, fmt.Sprintf("calldata backup restore %s %s --from '%s' --backup %s --allow stack", name, engine, t.bucket, id))
		}
		all = append(all, fmt.Sprintf("calldata inventory %s | calldata configure --stack %s --playbook uc-engine --limit %s", name, name, engine))
	}
	return append(all, "calldata routing apply "+name+", with the new engines' addresses", "calldata setup "+name, "calldata health -s "+name)
}

// look asks AWS what there is.
func (t *task) look(ctx context.Context, work progress.Reporter) (*record, error) {
	r := &record{Kind: t.kind, From: t.old.file.Stack, Region: t.home.region, Backups: map[string]string{}, Set: t.Set, path: repo.Afresh(t.root, t.home.name)}
	var errs []error
	ask := func(what string, question func() error) {
		step := work.Step("ask for " + what)
		err := question()
		step.Done(err)
		errs = append(errs, err)
	}
	ask("snapshots of the database", func() (err error) {
		r.Snapshot, err = t.tools.snapshot(ctx, t.home.region, t.old.topology.Database.Name)
		return err
	})
	if t.kind == Failover {
		ask("zones", func() (err error) {
			r.Zones, err = t.tools.zones(ctx, t.home.region, len(t.old.topology.Network.Zones))
			return err
		})
	}
	if t.old.topology.Configuration.Enabled {
		ask("backups of engines", func() error { return t.newest(ctx, r) })
	}
	return r, together(errs)
}

// newest chooses the newest whole backup of each engine that has one.
func (t *task) newest(ctx context.Context, r *record) error {
	all, err := t.tools.backups(ctx, t.IO, t.old.outputs, t.bucket, stacks.RoleUCEngine)
	if err != nil {
		return err
	}
	for _, n := range t.old.outputs.Nodes {
		if b, ok := backup.Newest(all, n.Name); ok && slices.Contains(n.Roles, stacks.RoleUCEngine) {
			r.Backups[counterpart(n.Name, t.old.file.Stack, t.home.name)] = b.ID
		}
	}
	if len(r.Backups) == 0 {
		return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%s has no whole backup of an engine of stack %s", t.bucket, t.old.file.Stack))
	}
	return nil
}

// engines are the new stack's, in its order.
func (t *task) engines() []string {
	var names []string
	for _, n := range t.topology.Nodes {
		if slices.Contains(n.Roles, stacks.RoleUCEngine) {
			names = append(names, n.Name)
		}
	}
	return names
}

func (p Plan) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "%s of\t%s\nnew stack\t%s\nregion\t%s (%s)\ndomain\t%s\n", p.Kind, p.From, p.Stack, p.Region, strings.Join(p.Zones, ", "), p.Domain)
	if len(p.Set) > 0 {
		_, _ = fmt.Fprintf(table, "with\t%s\n", strings.Join(p.Set, ", "))
	}
	errs := []error{table.Flush()}
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nCOMES BACK\tAGE\tFROM") // tabwriter keeps errors until Flush
	for _, r := range p.Returns {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", r.What, progress.Short(time.Duration(r.Age)*time.Second), r.Source)
	}
	errs = append(errs, table.Flush())
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	line("\nby these steps:")
	for i, step := range p.Steps {
		line("  %d. %s", i+1, step)
	}
	if p.Resumes {
		line("\nan earlier run has begun it, with this snapshot and these backups; it goes on")
	}
	if len(p.Left) > 0 {
		line("\nleft out, since their key is another: %s; set them with `pulumi config set --secret NAME -s %s`", strings.Join(p.Left, ", "), p.Stack)
	}
	return errors.Join(errs...)
}

// together joins errors under the worst code: what is missing says more than what does not answer.
func together(errs []error) error {
	all := errors.Join(errs...)
	for _, code := range []int{cli.ExitInterrupted, cli.ExitUnhealthy, cli.ExitUsage, cli.ExitUnreachable} {
		if slices.ContainsFunc(errs, func(err error) bool { return err != nil && cli.Code(err) == code }) {
			return cli.WithCode(code, all)
		}
	}
	return all
}
