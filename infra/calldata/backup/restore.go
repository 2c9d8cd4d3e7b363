package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
)

// reasons are those that calldata-backup may be told to overlook.
var reasons = []string{"role", "stack", "wazo-version", "postgresql-version", "schema", "disk-space"}

// latest is the newest backup of a source, in place of its name; reasonStack the reason of another stack's backup.
const (
	latest      = "latest"
	reasonStack = "stack"
)

// The forms of what the playbook gives to a command: single words.
var (
	idForm   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*/[A-Za-z0-9-]+$`)
	partForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
)

// RestoreOptions is what a restore works with.
type RestoreOptions struct {
	Options
	// Backups are what to restore, as List names them, or SOURCE/latest. Empty is the machine's own latest, and on the first Router also
	// the database's; with From, for an engine the latest of its namesake in the other stack, and for a Router the database's.
	Backups []string
	// Parts are all that is restored of them. Empty is everything.
	Parts []string
	// Identity is the private key.
	Identity Identity
	// Allow are reasons to restore in spite of.
	Allow []string
	// Check fetches and compares everything, and touches nothing. Yes asks nobody.
	Check, Yes bool
}

// Restored is what `calldata backup restore` prints.
type Restored struct {
	// Outcome is what the playbook did on a fixed machine. Nil for a machine of a fleet.
	*configure.Outcome
	// From and Backups are the bucket that the backups came from and their names, where it is not the stack's own.
	From    string   `json:"from,omitempty"`
	Backups []string `json:"backups,omitempty"`
	// Members is what a machine of a fleet said, by its instance id.
	Members map[string]string `json:"members,omitempty"`
}

func (r Restored) write(w io.Writer) error {
	if r.Outcome != nil {
		return r.WriteText(w)
	}
	return Saved{Members: r.Members}.write(w)
}

func newCmdRestore(base *Options) *cobra.Command {
	o := &RestoreOptions{Options: *base}
	cmd := &cobra.Command{
		Use:   "restore STACK NODE",
		Short: "Restore a machine from a backup",
		Long: `Restore a fixed machine of a stack from backups, with the playbook restore.yml. Everything is fetched, decrypted and
compared first; then services stop, what is there is kept beside, and what was saved takes its place. On the machine,
calldata-backup rollback takes it back. After a failure, the same command goes on where it stopped.

NODE is the name of a machine. Machines of fleets are replaced, not restored; of what the Routers share, their database, a
backup comes back through one of them: NODE is then c4-router or an instance id. The stack's name has to be typed before
anything is touched, unless --yes is given. The private key is in a file of mode 0600 here, and for the time of the restore in
the machine's memory; or the machine reads it from a secret of AWS Secrets Manager.
` + fromText + `
The machine gets a URL for each object of the chosen backups, signed with these credentials, and no permission; the URLs end with
--timeout, or with the credentials if those end earlier. Without --backup an engine gets the latest whole backup of its namesake,
prod-uc-1 for stage-uc-1, and a Router the database's. A backup of another stack is refused without --allow stack. Afterwards run
the playbook of the machine's role: it sets the addresses that the backup did not know.
` + environment + `

Exit codes: 0 done, 1 the restore failed or was refused, 2 wrong input, 8 not confirmed, 4 the machine or S3 does not answer, 5
out of time, 6 a tool is missing.`,
		Example: `  calldata backup restore stage stage-uc-1 --identity backup.key --check
  calldata backup restore prod prod-uc-1 --identity backup.key --backup prod-uc-1/20261129T020000Z-1f2e3d4c
  calldata backup restore stage stage-router-1 --identity backup.key --backup database/latest --part database
  calldata backup restore stage stage-uc-1 --identity backup.key --from prod --allow stack
  calldata backup restore prod c4-router --identity backup.key --from prod:copy --part database`,
		Args:              o.args(2, 2),
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE: func(cmd *cobra.Command, _ []string) error {
			restored, err := Restore(cmd.Context(), o)
			if restored != nil {
				err = errors.Join(err, o.IO.Print(o.JSON, restored, restored.write))
			}
			return err
		},
	}
	o.addFlags(cmd)
	f := cmd.Flags()
	o.addFrom(f)
	f.StringSliceVar(&o.Backups, "backup", nil, "backup to restore, as `calldata backup list` names it, or SOURCE/latest (default: the machine's own latest)")
	f.StringSliceVar(&o.Parts, "part", nil, "restore only this part (default: all)")
	o.Identity.addFlags(f)
	f.StringSliceVar(&o.Allow, "allow", nil, "restore in spite of: "+strings.Join(reasons, ", "))
	f.BoolVar(&o.Check, "check", false, "fetch and compare everything, and touch nothing")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask for the stack's name")
	return cmd
}

func (o *RestoreOptions) validate() error {
	errs := []error{o.checkFrom()}
	words := func(flag string, values []string, form *regexp.Regexp, want string) {
		for _, v := range values {
			if !form.MatchString(v) {
				errs = append(errs, fmt.Errorf("%s is %q, want %s", flag, v, want))
			}
		}
	}
	words("--backup", o.Backups, idForm, "a name from `calldata backup list`, or SOURCE/latest")
	words("--part", o.Parts, partForm, "the name of a part")
	for _, reason := range o.Allow {
		if !slices.Contains(reasons, reason) {
			errs = append(errs, fmt.Errorf("--allow is %q, want one of %s", reason, strings.Join(reasons, ", ")))
		}
	}
	errs = append(errs, o.Identity.validate()...)
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

// Restore restores a machine, after the stack's name was typed or with Yes. Codes of errors are those of the command. What it answers is nil
// where nothing was done.
func Restore(ctx context.Context, o *RestoreOptions) (*Restored, error) {
	o.defaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	stack, inventory, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	node, err := o.machine(ctx, stack, inventory)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, o.Timeout) // a playbook has a limit of its own
	defer cancel()
	names, from, chosen := o.Backups, elsewhere{}, []Backup(nil)
	if fleet.IsMember(node) && len(names) == 0 {
		names = []string{SharedSource + "/" + latest}
	}
	if o.From != "" {
		if from, err = o.find(limited, stack, o.From); err == nil {
			chosen, err = o.choose(limited, stack, node, from)
		}
		if err != nil {
			return nil, err
		}
		names = nil
		for _, b := range chosen {
			names = append(names, b.ID)
		}
	}
	if err := o.confirm(ctx, stack, names, from.where); err != nil {
		return nil, err
	}
	var given []byte
	if o.From != "" {
		if given, err = from.handOver(limited, node.Roles[0], chosen, o.Timeout); err != nil {
			return nil, err
		}
	}
	done := &Restored{From: from.where}
	if o.From != "" {
		done.Backups = names
	}
	if fleet.IsMember(node) {
		done.Members = map[string]string{}
		done.Members[node.Name], err = o.onMember(limited, stack, node, names, given)
		return done, err
	}
	done.Outcome, err = o.withPlaybook(ctx, stack, inventory, names, given)
	if done.Outcome == nil {
		return nil, err
	}
	return done, err
}

// machine is the one to restore: a fixed one or, for what the Routers share, one of their fleet.
func (o *RestoreOptions) machine(ctx context.Context, stack stacks.Outputs, inventory ansible.Inventory) (stacks.Node, error) {
	if slices.ContainsFunc(inventory.Hosts, func(h ansible.Host) bool { return h.Name == o.Node }) {
		return stack.Nodes[slices.IndexFunc(stack.Nodes, func(n stacks.Node) bool { return n.Name == o.Node })], nil
	}
	nodes, err := fleet.Choose(ctx, stack, o.Node, o.members)
	if err != nil {
		return stacks.Node{}, err
	}
	node := nodes[0]
	if !fleet.IsMember(node) || node.Roles[0] != stacks.RoleC4Router {
		return stacks.Node{}, cli.UsageErrorf("stack %s has no fixed machine %q: want one of %s, or a machine of the Routers' fleet for their database", stack.Stack, o.Node,
			names(stack.Nodes))
	}
	for _, b := range o.Backups {
		if !strings.HasPrefix(b, SharedSource+"/") {
			return stacks.Node{}, cli.UsageErrorf("--backup is %q: machines of a fleet are replaced, not restored; through one of them only %s/... comes back", b, SharedSource)
		}
	}
	return node, nil
}

// choose finds the backups in another bucket, and says everything that speaks against them.
func (o *RestoreOptions) choose(ctx context.Context, stack stacks.Outputs, node stacks.Node, from elsewhere) ([]Backup, error) {
	names := o.Backups
	if len(names) == 0 {
		switch {
		case slices.Contains(node.Roles, stacks.RoleC4Router):
			names = []string{SharedSource + "/" + latest} // a Router's files name the address that they were saved on
		case from.stack != "" && slices.Contains(node.Roles, stacks.RoleUCEngine):
			names = []string{from.counterpart(stack, node.Name) + "/" + latest}
		default:
			return nil, cli.UsageErrorf("--from %s does not say which backup %s gets: give --backup, as `calldata backup list %s --from %s` names it", o.From, node.Name, stack.Stack, o.From)
		}
	}
	chosen, err := from.choose(ctx, node.Roles[0], names, o.Parts)
	errs := []error{err}
	for _, b := range chosen {
		if b.Stack != stack.Stack && !slices.Contains(o.Allow, reasonStack) {
			errs = append(errs, cli.UsageErrorf("backup %s is of stack %s, %s is of stack %s: --allow %s restores it nevertheless", b.ID, b.Stack, node.Name, stack.Stack, reasonStack))
		}
	}
	return chosen, errors.Join(errs...)
}

func (o *RestoreOptions) confirm(ctx context.Context, stack stacks.Outputs, names []string, where string) error {
	if o.Check {
		return nil
	}
	what := "its own latest backup"
	if len(names) > 0 {
		what = strings.Join(names, ", ")
	}
	if where != "" {
		what += " in " + where
	}
	return confirm.Unless(ctx, o.Yes, o.IO, fmt.Sprintf("%s of stack %s will be overwritten from %s; its services stop meanwhile, and calls end.", o.Node, stack.Stack, what), stack.Stack)
}

// withPlaybook restores a fixed machine. Given is what it gets to read backups elsewhere with.
func (o *RestoreOptions) withPlaybook(ctx context.Context, stack stacks.Outputs, inventory ansible.Inventory, names []string, given []byte) (*configure.Outcome, error) {
	vars, err := o.vars(names)
	if err != nil {
		return nil, err
	}
	if given != nil {
		file, err := os.CreateTemp("", "calldata-restore-") // mode 0600
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.Remove(file.Name()) }()
		_, err = file.Write(given)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		vars["restore_from_file"] = file.Name()
	}
	return o.play(ctx, &configure.Options{
		IO: o.IO, Dir: o.Dir, Stack: stack.Stack, Machines: inventory, Playbook: "restore", Limit: o.Node, Check: o.Check, Own: true, Set: vars, Timeout: o.Timeout,
	})
}

// vars are the playbook's.
func (o *RestoreOptions) vars(names []string) (map[string]any, error) {
	vars := map[string]any{"restore_yes": !o.Check}
	for name, values := range map[string][]string{"restore_backups": names, "restore_parts": o.Parts, "restore_allow": o.Allow} {
		if len(values) > 0 {
			vars[name] = values
		}
	}
	if o.Identity.Secret != "" {
		vars["restore_identity_secret_arn"] = o.Identity.Secret
	}
	if o.Identity.File != "" {
		path, err := filepath.Abs(o.Identity.File)
		if err != nil {
			return nil, err
		}
		vars["restore_identity_file"] = path
	}
	return vars, nil
}
