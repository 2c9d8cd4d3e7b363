package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
)

// listLimit is how long one machine may take to list what is in S3.
const listLimit = 5 * time.Minute

func newCmdList(base *Options) *cobra.Command {
	o := *base
	cmd := &cobra.Command{
		Use:   "list STACK [NODE|ROLE]",
		Short: "List the backups that there are",
		Long: `List the backups of a stack's machines, or of one machine or role, newest first. Any machine of a role knows those of all
of them; it is asked over SSH, as by calldata ssh.
` + fromText + `

Exit codes: 0 done, 1 a machine could not list them, 2 wrong input, 4 a machine or S3 does not answer, 6 a tool is missing.`,
		Example: `  calldata backup list prod
  calldata backup list stage c4-router --json | jq -r '.backups[0].id'
  calldata backup list prod --from prod:copy`,
		Args:              o.args(1, 2),
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runList(cmd.Context(), &o) },
	}
	o.Source.AddFileFlag(cmd.Flags())
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
	o.addFrom(cmd.Flags())
	o.Timeout = listLimit
	return cmd
}

// SharedSource is whose backups those of the Routers' database are: each Router can make and restore them.
const SharedSource = "database"

// Backup is one backup.
type Backup struct {
	// ID is its name, SOURCE/TIME-XXXX: what `calldata backup restore --backup` takes.
	ID string `json:"id"`
	// Role is the role of the machine that made it, Stack its stack.
	Role  stacks.Role `json:"role"`
	Stack string      `json:"stack,omitempty"`
	// Bytes is what it takes in the bucket.
	Bytes int64 `json:"bytes"`
	// Parts are the names of what is in it, Failed of what could not be saved, with the reasons.
	Parts  []string          `json:"parts"`
	Failed map[string]string `json:"failed,omitempty"`
	// Damaged is why its manifest cannot be read.
	Damaged string `json:"damaged,omitempty"`
}

// List is what `calldata backup list` prints.
type List struct {
	Stack string `json:"stack"`
	// From is the bucket, where it is not the stack's own.
	From    string   `json:"from,omitempty"`
	Backups []Backup `json:"backups"`
}

func runList(ctx context.Context, o *Options) error {
	if err := o.checkFrom(); err != nil {
		return err
	}
	stack, _, err := o.load(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	ofRole := func(role stacks.Role) ([]Backup, error) { return o.ofRole(ctx, stack, role) }
	from := elsewhere{}
	if o.From != "" {
		if from, err = o.find(ctx, stack, o.From); err != nil {
			return err
		}
		ofRole = func(role stacks.Role) ([]Backup, error) { return from.list(ctx, role) }
	}
	roles, only, err := o.meant(ctx, stack)
	if err != nil {
		return err
	}
	list := List{Stack: stack.Stack, From: from.where, Backups: []Backup{}}
	var errs []error
	for _, role := range roles {
		found, err := ofRole(role)
		errs = append(errs, err)
		for _, b := range found {
			if only == "" || b.Source() == from.counterpart(stack, only) {
				list.Backups = append(list.Backups, b)
			}
		}
	}
	slices.SortStableFunc(list.Backups, func(a, b Backup) int { return cmp.Compare(b.at(), a.at()) })
	return errors.Join(append(errs, o.IO.Print(o.JSON, list, list.write))...)
}

// meant are the roles whose backups are meant, and the machine, where one is.
func (o *Options) meant(ctx context.Context, stack stacks.Outputs) (roles []stacks.Role, only string, err error) {
	if o.Node == "" {
		return fleet.Roles(stack), "", nil
	}
	if role := stacks.Role(o.Node); role.Valid() && slices.Contains(fleet.Roles(stack), role) {
		return []stacks.Role{role}, "", nil
	}
	nodes, err := fleet.Choose(ctx, stack, o.Node, o.members)
	if err != nil {
		return nil, "", err
	}
	return nodes[0].Roles[:1], o.Node, nil // a machine writes below the first of its roles
}

// From lists the backups that machines of the roles made, as they lie in a bucket that --from of `calldata backup list` means. Login is
// that of AWS; that S3 does not answer has the code cli.ExitUnreachable.
func From(ctx context.Context, streams *cli.IO, stack stacks.Outputs, where string, roles ...stacks.Role) ([]Backup, error) {
	o := &Options{IO: streams, From: where}
	o.defaults()
	if err := o.checkFrom(); err != nil {
		return nil, err
	}
	from, err := o.find(ctx, stack, where)
	if err != nil {
		return nil, err
	}
	var all []Backup
	for _, role := range roles {
		found, err := from.list(ctx, role)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Of lists the backups that the machines of a role have made. Login is by the environment of `calldata ssh`; that no machine
// of the role answers has the code cli.ExitUnreachable.
func Of(ctx context.Context, streams *cli.IO, stack stacks.Outputs, role stacks.Role) ([]Backup, error) {
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	o := &Options{IO: streams}
	o.defaults()
	return o.ofRole(ctx, stack, role)
}

// ofRole asks the first machine of the role that answers.
func (o *Options) ofRole(ctx context.Context, stack stacks.Outputs, role stacks.Role) ([]Backup, error) {
	nodes, err := fleet.Choose(ctx, stack, string(role), o.members)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, n := range nodes {
		// A machine lists what is below the first of its roles.
		if n.Roles[0] != role {
			continue
		}
		out, err := o.on(ctx, stack, n, "sudo -n /usr/local/sbin/calldata-backup list --json")
		if err != nil {
			errs = append(errs, err)
			if ctx.Err() != nil || cli.Code(err) != cli.ExitUnreachable {
				break
			}
			continue
		}
		found, err := parse(out, role)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		return found, nil
	}
	return nil, errors.Join(errs...)
}

// manifest is what calldata-backup says of a backup.
type manifest struct {
	ID, Stack, Damaged string
	Failed             map[string]any
	Parts              []struct {
		Name  string
		Bytes int64
	}
}

// parse reads the manifests that `calldata-backup list --json` prints.
func parse(text string, role stacks.Role) ([]Backup, error) {
	var manifests []manifest
	if err := json.Unmarshal([]byte(text), &manifests); err != nil {
		return nil, fmt.Errorf("calldata-backup list prints no list of manifests: %w", err)
	}
	found := make([]Backup, 0, len(manifests))
	for _, m := range manifests {
		found = append(found, m.backup(role))
	}
	return found, nil
}

func (m manifest) backup(role stacks.Role) Backup {
	b := Backup{ID: m.ID, Role: role, Stack: m.Stack, Damaged: m.Damaged, Parts: []string{}}
	for _, p := range m.Parts {
		b.Parts, b.Bytes = append(b.Parts, p.Name), b.Bytes+p.Bytes
	}
	for name, reason := range m.Failed {
		if b.Failed == nil {
			b.Failed = map[string]string{}
		}
		b.Failed[name] = fmt.Sprint(reason)
	}
	return b
}

// Source is whose backup it is: a machine's, or that of something which machines share, as "database".
func (b Backup) Source() string {
	source, _, _ := strings.Cut(b.ID, "/")
	return source
}

// Time is when the backup was made, as its name says; the zero time where it does not.
func (b Backup) Time() time.Time {
	stamp, _, _ := strings.Cut(b.at(), "-")
	at, _ := time.Parse("20060102T150405Z", stamp)
	return at
}

// Whole says whether everything that was to be saved can be read.
func (b Backup) Whole() bool { return b.Damaged == "" && len(b.Failed) == 0 }

// Newest is the newest whole backup of a source.
func Newest(all []Backup, source string) (Backup, bool) {
	var found Backup
	for _, b := range all {
		if b.Source() == source && b.Whole() && b.Time().After(found.Time()) {
			found = b
		}
	}
	return found, found.ID != ""
}

// has says whether all the parts are in it.
func (b Backup) has(parts []string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return !slices.Contains(b.Parts, p) })
}

// at is the name without the source.
func (b Backup) at() string {
	_, at, _ := strings.Cut(b.ID, "/")
	return at
}

func (b Backup) state() string {
	switch {
	case b.Damaged != "":
		return "damaged: " + b.Damaged
	case len(b.Failed) > 0:
		return "without " + strings.Join(slices.Sorted(maps.Keys(b.Failed)), ", ")
	}
	return "complete"
}

func (l List) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "BACKUP\tROLE\tBYTES\tSTATE\tPARTS") // tabwriter keeps errors until Flush
	for _, b := range l.Backups {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", b.ID, b.Role, b.Bytes, b.state(), strings.Join(b.Parts, " "))
	}
	return table.Flush()
}
