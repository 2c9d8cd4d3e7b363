package configure

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/vaultfile"
)

// needed are the secrets without which the playbooks fail.
func needed() []string { return []string{"engine_api_root_password", "smoke_sip_password"} }

// decided are variables that the program sets. In a file of extra variables they would win over it.
func decided() []string {
	return []string{"uc_engine_upstream", "engine_api_configure_wizard", "ansible_host", "ansible_ssh_common_args"}
}

// readSecrets checks the secrets file and the vault's password, and teaches the masker their values. No value gets into an
// error.
func (s *settings) readSecrets(ctx context.Context) []error {
	var errs []error
	if !s.vaultPassword.None() {
		password, err := s.vaultPassword.Read(ctx)
		errs = append(errs, err)
		s.secrets = append(s.secrets, password)
	}
	switch {
	case s.secretsFile != "":
		data, err := private.Read("CALLDATA_SECRETS_FILE", s.secretsFile)
		if err != nil {
			errs = append(errs, err)
			break
		}
		if vaultfile.Is(data) {
			if s.vaultPassword.None() {
				errs = append(errs, fmt.Errorf("CALLDATA_SECRETS_FILE %s is a vault: set CALLDATA_VAULT_PASSWORD_FILE too", s.secretsFile))
			}
			break
		}
		found, wrong := s.checkSecrets(data)
		errs = append(errs, wrong...)
		s.secrets = append(s.secrets, found...)
	case s.vaultPassword.None() && !s.own:
		errs = append(errs, fmt.Errorf(
			"no secrets: set CALLDATA_SECRETS_FILE to a YAML file with %s, or CALLDATA_VAULT_PASSWORD_FILE if a vault in %s has them",
			strings.Join(needed(), " and "), s.static))
	}
	s.masker = ansible.NewMasker(s.secrets...)
	return errs
}

// openVaults writes the vaults' password into a file below dir, and teaches the masker what is in the stack's vaults. Without
// a password it answers no file.
func (s *settings) openVaults(ctx context.Context, dir string) (string, error) {
	if s.vaultPassword.None() {
		return "", nil
	}
	password, err := s.vaultPassword.Materialize(ctx, dir)
	if err != nil {
		return "", err
	}
	vaults, err := vaultfile.Find(s.static)
	if err != nil {
		return "", err
	}
	if vaultfile.Holds(s.secretsFile) {
		vaults = append(vaults, s.secretsFile)
	}
	program := vaultfile.Program(filepath.Join(filepath.Dir(s.playbook), "ansible-vault"))
	for _, file := range vaults {
		plain, err := program.View(ctx, password, file)
		if err != nil {
			return "", cli.WithCode(cli.ExitUsage, err)
		}
		vars, err := vaultfile.Variables(file, plain)
		if err != nil {
			return "", cli.WithCode(cli.ExitUsage, err)
		}
		s.secrets = append(s.secrets, leaves(vars)...)
	}
	s.masker = ansible.NewMasker(s.secrets...)
	return password, nil
}

// checkSecrets answers the values of a secrets file.
func (s *settings) checkSecrets(data []byte) ([]string, []error) {
	vars, err := private.Variables("CALLDATA_SECRETS_FILE", s.secretsFile, data)
	if err != nil {
		return nil, []error{err}
	}
	var errs []error
	for _, key := range needed() {
		value, ok := vars[key]
		switch text, isText := value.(string); {
		case !ok && s.vaultPassword.None() && !s.own:
			errs = append(errs, fmt.Errorf("CALLDATA_SECRETS_FILE %s has no %s", s.secretsFile, key))
		case ok && (!isText || text == ""):
			errs = append(errs, fmt.Errorf("CALLDATA_SECRETS_FILE %s: %s is not a text, or empty: put it in quotes", s.secretsFile, key))
		}
	}
	return leaves(vars), append(errs, ours("CALLDATA_SECRETS_FILE", s.secretsFile, vars)...)
}

// readVars checks the file of variables for the playbook. It may name secrets' files; what it says itself is not masked.
func (s *settings) readVars() []error {
	if s.varsFile == "" {
		return nil
	}
	data, err := private.Read("--vars", s.varsFile)
	if err != nil {
		return []error{err}
	}
	vars, err := private.Variables("--vars", s.varsFile, data)
	if err != nil {
		return []error{err}
	}
	return ours("--vars", s.varsFile, vars)
}

// ours are complaints about the variables of a file that the program decides.
func ours(setting, file string, vars map[string]any) []error {
	var errs []error
	for _, key := range decided() {
		if _, ok := vars[key]; ok {
			errs = append(errs, fmt.Errorf("%s %s sets %s, which this command decides: remove it", setting, file, key))
		}
	}
	return errs
}

// leaves are the texts and numbers in a YAML value.
func leaves(value any) []string {
	var out []string
	switch v := value.(type) {
	case map[string]any:
		for _, item := range v {
			out = append(out, leaves(item)...)
		}
	case []any:
		for _, item := range v {
			out = append(out, leaves(item)...)
		}
	case string:
		out = append(out, v)
	case int, int64, uint64, float64:
		out = append(out, fmt.Sprint(v))
	}
	return out
}
