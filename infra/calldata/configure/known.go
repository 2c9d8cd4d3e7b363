package configure

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/vaultfile"
)

// KnownSecrets are the values of the secrets that the environment leads to, for a stack of the repository at root: those of
// the secrets file, of the stack's vaults, and the vaults' password. What could not be opened is in the error, and the values
// of what could be are answered with it.
func KnownSecrets(ctx context.Context, getenv func(string) string, root, stack string) ([]string, error) {
	s := &settings{own: true, static: filepath.Join(root, "ansible", "inventories", stack), secretsFile: absolute(getenv("CALLDATA_SECRETS_FILE"))}
	var err error
	if s.vaultPassword, err = vaultfile.FromEnvironment(getenv); err != nil {
		return nil, err
	}
	errs := s.readSecrets(ctx)
	if s.vaultPassword.None() {
		return s.secrets, errors.Join(errs...)
	}
	program, err := vaultfile.Locate(getenv)
	if err != nil {
		return s.secrets, errors.Join(append(errs, err)...)
	}
	s.playbook = string(program) // its directory is looked at
	dir, err := os.MkdirTemp("", "calldata-vault-")
	if err != nil {
		return s.secrets, errors.Join(append(errs, err)...)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	_, err = s.openVaults(ctx, dir)
	return s.secrets, errors.Join(append(errs, err)...)
}
