package smoke

import (
	"errors"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
)

// secretsVariable names the environment variable that names the secrets file.
const secretsVariable = "CALLDATA_SECRETS_FILE"

// secretKey is the key of the SIP password in the secrets file.
const secretKey = "smoke_sip_password"

// maxSecrets bounds the secrets file, in bytes.
const maxSecrets = 1 << 20

// readPassword reads the SIP password from a YAML file that only its owner may read. No error shows the file's content.
func readPassword(path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%s is not set: name the YAML file, mode 0600, that holds %s", secretsVariable, secretKey)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", secretsVariable, err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: %s is not a regular file", secretsVariable, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("%s: %s has mode %04o, others can read it: chmod 600 %s", secretsVariable, path, mode, path)
	}
	if info.Size() > maxSecrets {
		return "", fmt.Errorf("%s: %s is larger than %d bytes: this is not a secrets file", secretsVariable, path, maxSecrets)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", fmt.Errorf("%s: %w", secretsVariable, err)
	}
	var secrets map[string]any
	if yaml.Unmarshal(data, &secrets) != nil {
		// The parser's message quotes the file.
		return "", fmt.Errorf("%s: %s is not a YAML map of secrets", secretsVariable, path)
	}
	password, isText := secrets[secretKey].(string)
	if !isText || password == "" {
		return "", errors.New(secretsVariable + ": " + path + " has no text under " + secretKey)
	}
	return password, nil
}
