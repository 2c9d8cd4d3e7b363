// Package vault is `calldata vault`: it makes, edits and rekeys the Ansible Vaults of a stack.
package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/vaultfile"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// Options is what every verb works with.
type Options struct {
	IO *cli.IO
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Stack names the directory in ansible/inventories.
	Stack string
	// NewPasswordFile and NewSecret say where the password after `rekey` is. Exactly one of them.
	NewPasswordFile, NewSecret string
}

const passwords = `
The password comes from one of
  CALLDATA_VAULT_PASSWORD_FILE  a file, mode 0600
  CALLDATA_VAULT_SECRET         the name or ARN of a secret in AWS Secrets Manager
  CALLDATA_VAULT_PASSWORD       the environment itself
and never from an argument. ` + "`calldata configure`" + ` reads the same ones.`

// NewCmdVault makes the command.
func NewCmdVault(io *cli.IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vault",
		Short: "Keep the secrets of a stack's Ansible variables, encrypted in the repository",
		Long: `Keeps secrets that only Ansible reads in ansible/inventories/STACK/group_vars/all/vault.yml, encrypted by Ansible Vault.
` + passwords,
	}
	cmd.AddCommand(newCmdInit(io), newCmdEdit(io), newCmdRekey(io))
	return cmd
}

func newCmdInit(io *cli.IO) *cobra.Command {
	o := &Options{IO: io}
	return &cobra.Command{
		Use:   "init STACK",
		Short: "Make a stack's vault, with new secrets for what every stack needs",
		Long: `Makes the vault with random values for engine_api_root_password and smoke_sip_password. A password file that does not
exist yet is made too, mode 0600, with a random password. A vault that is there already is left alone.
` + passwords,
		Example: "  CALLDATA_VAULT_PASSWORD_FILE=~/.calldata/dev.vault-pass calldata vault init dev",
		Args:    o.args,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runInit(cmd.Context(), o) },
	}
}

func newCmdEdit(io *cli.IO) *cobra.Command {
	o := &Options{IO: io}
	return &cobra.Command{
		Use:   "edit STACK",
		Short: "Edit a stack's vault in $EDITOR",
		Long: `Opens the vault in $EDITOR (default: vi), as ansible-vault does. What is not a YAML map afterwards does not become the
vault; the next edit goes on with it.
` + passwords,
		Example: "  EDITOR=nano calldata vault edit stage",
		Args:    o.args,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runEdit(cmd.Context(), o) },
	}
}

func newCmdRekey(io *cli.IO) *cobra.Command {
	o := &Options{IO: io}
	cmd := &cobra.Command{
		Use:   "rekey STACK",
		Short: "Encrypt all vaults of a stack with a new password",
		Long: `Encrypts every vault below ansible/inventories/STACK with a new password: first copies of all of them, then it puts these
in place. Interrupted, it goes on when it is run again. A new password file that does not exist yet is made.
` + passwords,
		Example: `  calldata vault rekey prod --new-password-file ~/.calldata/prod.vault-pass.new
  calldata vault rekey prod --new-secret calldata/prod/vault`,
		Args: o.args,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRekey(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.NewPasswordFile, "new-password-file", "", "file with the new password, mode 0600")
	cmd.Flags().StringVar(&o.NewSecret, "new-secret", "", "name or ARN of the secret with the new password in AWS Secrets Manager")
	return cmd
}

func (o *Options) args(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cli.UsageErrorf("want the name of one stack, for example dev, got %d arguments", len(args))
	}
	o.Stack = args[0]
	return nil
}

var stackForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// place is where a stack's vaults are, and what opens them.
type place struct {
	dir, main, tmp string
	program        vaultfile.Program
	password       vaultfile.Password
}

// open checks everything that the verbs need. Call the second result at the end: it removes what held passwords.
func (o *Options) open() (*place, func(), error) {
	root, err := repo.Find(o.Dir)
	if err != nil {
		return nil, nil, err
	}
	p := &place{}
	var errs []error
	if stackForm.MatchString(o.Stack) {
		p.dir = filepath.Join(root, "ansible", "inventories", o.Stack)
		p.main = filepath.Join(p.dir, "group_vars", "all", "vault.yml")
		if info, err := os.Stat(filepath.Dir(p.main)); err != nil || !info.IsDir() {
			errs = append(errs, fmt.Errorf("stack is %q, but %s is not there: name one of the directories in ansible/inventories", o.Stack, filepath.Dir(p.main)))
		}
	} else {
		errs = append(errs, fmt.Errorf("stack is %q: want a stack's name", o.Stack))
	}
	p.password, err = vaultfile.FromEnvironment(o.IO.Getenv)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, nil, cli.WithCode(cli.ExitUsage, err)
	}
	if p.program, err = vaultfile.Locate(o.IO.Getenv); err != nil {
		return nil, nil, cli.WithCode(cli.ExitPreflight, err)
	}
	if p.tmp, err = os.MkdirTemp("", "calldata-vault-"); err != nil {
		return nil, nil, err
	}
	return p, func() { _ = os.RemoveAll(p.tmp) }, nil
}

// passwordFile is a file with the present password.
func (p *place) passwordFile(ctx context.Context) (string, error) {
	if p.password.None() {
		_, err := p.password.Read(ctx)
		return "", cli.WithCode(cli.ExitUsage, err)
	}
	file, err := p.password.Materialize(ctx, p.tmp)
	return file, cli.WithCode(cli.ExitUsage, err)
}
