package configure

import (
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/ansible"
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
		data, err := readPrivate("CALLDATA_VAULT_PASSWORD_FILE", s.vaultPasswordFile)
		errs = append(errs, err)
		values = append(values, string(data))
	}
	switch {
	case s.secretsFile != "":
		data, err := readPrivate("CALLDATA_SECRETS_FILE", s.secretsFile)
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

func readPrivate(name, file string) ([]byte, error) {
	if err := ansible.CheckPrivate(file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	data, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// checkSecrets answers the values of a secrets file. The parser's error is not shown, because it quotes the file.
func (s *settings) checkSecrets(data []byte) ([]string, []error) {
	vars := map[string]any{}
	if err := yaml.Unmarshal(data, &vars); err != nil {
		return nil, []error{fmt.Errorf("CALLDATA_SECRETS_FILE %s is not a YAML map of variables", s.secretsFile)}
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
