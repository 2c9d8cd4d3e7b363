package smoke

import (
	"fmt"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
)

// fileVariable is the environment variable that names the secrets file, fileKey the SIP password's key in that file.
const (
	fileVariable = "CALLDATA_SECRETS_FILE"
	fileKey      = "smoke_sip_password"
)

// CheckPassword says what is wrong with the file that the environment names for the test phone's password, for whoever is to call later.
func CheckPassword(streams *cli.IO) error {
	_, err := readPassword(streams.Getenv(fileVariable))
	return cli.WithCode(cli.ExitUsage, err)
}

// readPassword reads the SIP password from a YAML file that only its owner may read. No error shows the file's content.
func readPassword(path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%s is not set: name the YAML file, mode 0600, that holds %s", fileVariable, fileKey)
	}
	data, err := private.Read(fileVariable, path)
	if err != nil {
		return "", err
	}
	vars, err := private.Variables(fileVariable, path, data)
	if err != nil {
		return "", err
	}
	password, isText := vars[fileKey].(string)
	if !isText || password == "" {
		return "", fmt.Errorf("%s: %s has no text under %s: add it, in quotes", fileVariable, path, fileKey)
	}
	return password, nil
}
