package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
)

// reasons are those that calldata-backup may be told to overlook.
var reasons = []string{"role", "stack", "wazo-version", "postgresql-version", "schema", "disk-space"}

// The forms of what the playbook gives to a command: single words.
var (
	idForm   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*/[A-Za-z0-9-]+$`)
	partForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
)

// restoring is what `calldata backup restore` works with besides Options.
type restoring struct {
	Options
	// Backups are what to restore, as List names them, or SOURCE/latest. Empty is the machine's own latest, and on the first
	// Router also the database's.
	Backups []string
	// Parts are all that is restored of them. Empty is everything.
	Parts []string
	// Identity is the private key.
	Identity identity
	// Allow are reasons to restore in spite of.
	Allow []string
	// Check fetches and compares everything, and touches nothing. Yes asks nobody.
	Check, Yes bool
}

func newCmdRestore(base *Options) *cobra.Command {
	o := &restoring{Options: *base}
	cmd := &cobra.Command{
		Use:   "restore STACK NODE",
		Short: "Restore a machine from a backup",
		Long: `Restore a fixed machine of a stack from backups, with the playbook restore.yml. Everything is fetched, decrypted and
compared first; then services stop, what is there is kept beside, and what was saved takes its place. On the machine,
calldata-backup rollback takes it back. After a failure, the same command goes on where it stopped.

NODE is the name of a machine; restore machines of fleets by replacing them, and their database through a fixed machine, or
with calldata ssh and calldata-backup. The stack's name has to be typed before anything is touched, unless --yes is given.
The private key is in a file of mode 0600 here, and for the time of the restore in the machine's memory; or the machine reads
it from a secret of AWS Secrets Manager.
` + environment + `

Exit codes: 0 done, 1 the restore failed or was refused, 2 wrong input, 8 not confirmed, 4 the machine does not answer, 5 out
of time, 6 a tool is missing.`,
		Example: `  calldata backup restore stage stage-uc-1 --identity backup.key --check
  calldata backup restore prod prod-uc-1 --identity backup.key --backup prod-uc-1/20261129T020000Z-1f2e3d4c
  calldata backup restore stage stage-router-1 --identity backup.key --backup database/latest --part database`,
		Args:              o.args(2, 2),
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addFlags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.Backups, "backup", nil, "backup to restore, as `calldata backup list` names it, or SOURCE/latest (default: the machine's own latest)")
	f.StringSliceVar(&o.Parts, "part", nil, "restore only this part (default: all)")
	o.Identity.addFlags(f)
	f.StringSliceVar(&o.Allow, "allow", nil, "restore in spite of: "+strings.Join(reasons, ", "))
	f.BoolVar(&o.Check, "check", false, "fetch and compare everything, and touch nothing")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask for the stack's name")
	return cmd
}

func (o *restoring) validate() error {
	var errs []error
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

func (o *restoring) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	stack, inventory, err := o.load(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(inventory.Hosts, func(h ansible.Host) bool { return h.Name == o.Node }) {
		return cli.UsageErrorf("stack %s has no fixed machine %q: want one of %s", stack.Stack, o.Node, names(stack.Nodes))
	}
	vars, err := o.vars()
	if err != nil {
		return err
	}
	if !o.Check {
		what := "its own latest backup"
		if len(o.Backups) > 0 {
			what = strings.Join(o.Backups, ", ")
		}
		if err := confirm.Unless(ctx, o.Yes, o.IO, fmt.Sprintf("%s of stack %s will be overwritten from %s; its services stop meanwhile, and calls end.", o.Node, stack.Stack, what), stack.Stack); err != nil {
			return err
		}
	}
	outcome, err := o.play(ctx, &configure.Options{
		IO: o.IO, Dir: o.Dir, Stack: stack.Stack, Machines: inventory, Playbook: "restore", Limit: o.Node, Check: o.Check, Own: true, Set: vars, Timeout: o.Timeout,
	})
	if outcome != nil {
		err = errors.Join(err, o.IO.Print(o.JSON, outcome, outcome.WriteText))
	}
	return err
}

// vars are the playbook's.
func (o *restoring) vars() (map[string]any, error) {
	vars := map[string]any{"restore_yes": !o.Check}
	for name, values := range map[string][]string{"restore_backups": o.Backups, "restore_parts": o.Parts, "restore_allow": o.Allow} {
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
