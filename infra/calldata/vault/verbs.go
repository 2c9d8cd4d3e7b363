package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/vaultfile"
)

func runInit(ctx context.Context, o *Options) error {
	p, done, err := o.open()
	if err != nil {
		return err
	}
	defer done()
	if _, err := os.Lstat(p.main); err == nil {
		return cli.UsageErrorf("%s is there already: change it with `calldata vault edit %s`", p.main, o.Stack)
	}
	if err := o.makePasswordFile(p.password.File); err != nil {
		return err
	}
	password, err := p.passwordFile(ctx)
	if err != nil {
		return err
	}
	plain := fmt.Sprintf("---\n# Password of Wazo's user root.\nengine_api_root_password: %q\n# SIP password of the line for `calldata smoke`.\nsmoke_sip_password: %q\n",
		rand.Text(), rand.Text())
	sealed, err := p.program.Encrypt(ctx, password, []byte(plain))
	if err != nil {
		return err
	}
	if err := vaultfile.Replace(p.main, sealed); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.IO.Out, "%s: made, its password is in %s\n", p.main, p.password)
	return err
}

// makePasswordFile makes a file with a new password, unless it is there.
func (o *Options) makePasswordFile(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator names it
	switch {
	case errors.Is(err, os.ErrExist):
		return nil
	case err != nil:
		return cli.WithCode(cli.ExitUsage, fmt.Errorf("make a file for the vault's password: %w", err))
	}
	_, err = file.WriteString(rand.Text() + rand.Text() + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.IO.Err, "%s: made, with a new password; keep a copy where a fire does not reach it\n", path)
	return err
}

func runEdit(ctx context.Context, o *Options) error {
	p, done, err := o.open()
	if err != nil {
		return err
	}
	defer done()
	before, err := os.ReadFile(p.main)
	if err != nil {
		return cli.UsageErrorf("%w: `calldata vault init %s` makes it", err, o.Stack)
	}
	password, err := p.passwordFile(ctx)
	if err != nil {
		return err
	}
	draft := p.main + "~"
	if _, err := os.Stat(draft); err != nil {
		if err := vaultfile.Replace(draft, before); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintln(o.IO.Err, "going on with what the last edit left"); err != nil {
		return err
	}
	cmd := p.program.Command(ctx, "edit", password, draft)
	var said bytes.Buffer
	// The editor has the terminal, and only errors are the program's own.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.IO.In, o.IO.Out, &said
	if err := cmd.Run(); err != nil {
		_ = os.Remove(draft)
		return fmt.Errorf("ansible-vault edit: %w: %s", err, strings.TrimSpace(said.String()))
	}
	plain, err := p.program.View(ctx, password, draft)
	if err != nil {
		return err
	}
	if _, err := vaultfile.Variables(p.main, plain); err != nil {
		return cli.WithCode(cli.ExitUsage, fmt.Errorf("%w; the vault is as it was, `calldata vault edit %s` goes on", err, o.Stack))
	}
	return os.Rename(draft, p.main)
}

func runRekey(ctx context.Context, o *Options) error {
	p, done, err := o.open()
	if err != nil {
		return err
	}
	defer done()
	if (o.NewPasswordFile == "") == (o.NewSecret == "") {
		return cli.UsageErrorf("name the new password's place by one of --new-password-file and --new-secret")
	}
	vaults, err := vaultfile.Find(p.dir)
	if err != nil {
		return err
	}
	if len(vaults) == 0 {
		return cli.UsageErrorf("%s has no vaults: `calldata vault init %s` makes one", p.dir, o.Stack)
	}
	old, err := p.passwordFile(ctx)
	if err != nil {
		return err
	}
	next := vaultfile.Password{File: o.NewPasswordFile, Secret: o.NewSecret}
	if err := o.makePasswordFile(next.File); err != nil {
		return err
	}
	fresh, err := next.Materialize(ctx, p.tmp)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	sealed, err := p.reseal(ctx, vaults, old, fresh)
	if err != nil {
		return err
	}
	for _, file := range vaults {
		if data := sealed[file]; data != nil {
			if err := vaultfile.Replace(file, data); err != nil {
				return err
			}
		}
	}
	_, err = fmt.Fprintf(o.IO.Out, "%d vaults of %s have the password in %s, %d of them had it before\n", len(vaults), o.Stack, next, len(vaults)-len(sealed))
	return err
}

// reseal answers each vault with the new password, without those that have it already. All mistakes are told at once, and
// nothing is changed.
func (p *place) reseal(ctx context.Context, vaults []string, old, fresh string) (map[string][]byte, error) {
	sealed := map[string][]byte{}
	var errs []error
	for _, file := range vaults {
		if _, err := p.program.View(ctx, fresh, file); err == nil {
			continue
		}
		plain, err := p.program.View(ctx, old, file)
		if err == nil {
			sealed[file], err = p.program.Encrypt(ctx, fresh, plain)
		}
		errs = append(errs, err)
	}
	return sealed, errors.Join(errs...)
}
