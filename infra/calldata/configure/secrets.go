package configure

import (
	"fmt"
	"strings"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
)

// needed are the secrets without which the playbooks fail.
func needed() []string { return []string{"engine_api_root_password", "smoke_sip_password"} }

// decided are variables that the program sets. In a file of extra variables they would win over it.
func decided() []string {
	return []string{"uc_engine_upstream", "engine_api_configure_wizard", "ansible_host", "ansible_ssh_common_args"}
}

// vaultMark begins a file that is encrypted as a whole.
const vaultMark = "$ANSIBLE_VAULT;"

// readSecrets checks the secrets file and the vault password file, and teaches the masker their values. No value gets into
// an error.
func (s *settings) readSecrets() []error {
	var errs []error
	var values []string
	if s.vaultPasswordFile != "" {
		data, err := private.Read("CALLDATA_VAULT_PASSWORD_FILE", s.vaultPasswordFile)
		errs = append(errs, err)
		values = append(values, string(data))
	}
	switch {
	case s.secretsFile != "":
		data, err := private.Read("CALLDATA_SECRETS_FILE", s.secretsFile)
		if err != nil {
			errs = append(errs, err)
			break
		}
		if strings.HasPrefix(string(data), vaultMark) {
			if s.vaultPasswordFile == "" {
				errs = append(errs, fmt.Errorf("CALLDATA_SECRETS_FILE %s is a vault: set CALLDATA_VAULT_PASSWORD_FILE too", s.secretsFile))
			}
			break
		}
		found, wrong := s.checkSecrets(data)
		errs = append(errs, wrong...)
		values = append(values, found...)
	case s.vaultPasswordFile == "":
		errs = append(errs, fmt.Errorf(
			"no secrets: set CALLDATA_SECRETS_FILE to a YAML file with %s, or CALLDATA_VAULT_PASSWORD_FILE if a vault in %s has them",
			strings.Join(needed(), " and "), s.static))
	}
	s.masker = ansible.NewMasker(values...)
	return errs
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
		case !ok && s.vaultPasswordFile == "":
			errs = append(errs, fmt.Errorf("CALLDATA_SECRETS_FILE %s has no %s", s.secretsFile, key))
		case ok && (!isText || text == ""):
			errs = append(errs, fmt.Errorf("CALLDATA_SECRETS_FILE %s: %s is not a text, or empty: put it in quotes", s.secretsFile, key))
		}
	}
	for _, key := range decided() {
		if _, ok := vars[key]; ok {
			errs = append(errs, fmt.Errorf("CALLDATA_SECRETS_FILE %s sets %s, which this command decides: remove it", s.secretsFile, key))
		}
	}
	return leaves(vars), errs
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
