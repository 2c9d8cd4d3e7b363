// Package vaultfile is what commands that open Ansible Vaults share: where the password comes from, and the vaults of a stack.
package vaultfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// Variables of the environment that say where a vault's password is. At most one of them is set. A password is never an
// argument: every user of a machine sees those.
const (
	FileVariable   = "CALLDATA_VAULT_PASSWORD_FILE"
	ValueVariable  = "CALLDATA_VAULT_PASSWORD" //nolint:gosec // a name, no password
	SecretVariable = "CALLDATA_VAULT_SECRET"   //nolint:gosec // a name, no password
)

// minLength is the fewest characters that a password may have: what protects a vault in a repository is the password alone.
const minLength = 12

// Password says where a vault's password is: a file of mode 0600, the environment, or a secret in AWS Secrets Manager, by
// name or ARN. The zero value is none.
type Password struct {
	File, Secret string

	value string
}

// FromEnvironment reads which of the variables is set. More than one is an error.
func FromEnvironment(getenv func(string) string) (Password, error) {
	p := Password{File: getenv(FileVariable), Secret: getenv(SecretVariable), value: getenv(ValueVariable)}
	var set []string
	for name, value := range map[string]string{FileVariable: p.File, SecretVariable: p.Secret, ValueVariable: p.value} {
		if value != "" {
			set = append(set, name)
		}
	}
	if len(set) > 1 {
		return Password{}, fmt.Errorf("more than one of %s, %s and %s is set: keep one", FileVariable, ValueVariable, SecretVariable)
	}
	if p.File != "" {
		abs, err := filepath.Abs(p.File)
		if err != nil {
			return Password{}, err
		}
		p.File = abs
	}
	return p, nil
}

// None reports whether there is no password at all.
func (p Password) None() bool { return p == Password{} }

// String says where the password is, and never what it is.
func (p Password) String() string {
	switch {
	case p.File != "":
		return p.File
	case p.Secret != "":
		return "the secret " + p.Secret
	case p.value != "":
		return "the environment"
	}
	return "nowhere"
}

// Read answers the password, without line breaks at its end. Errors never show it.
func (p Password) Read(ctx context.Context) (string, error) {
	var text string
	switch {
	case p.File != "":
		data, err := private.Read(FileVariable, p.File)
		if err != nil {
			return "", err
		}
		text = string(data)
	case p.Secret != "":
		settings, err := awsapi.Load(ctx, "", "", "us-east-1")
		if err != nil {
			return "", err
		}
		out, err := secretsmanager.NewFromConfig(settings).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &p.Secret})
		if err != nil {
			return "", fmt.Errorf("%s: read %s from Secrets Manager: %s", SecretVariable, p.Secret, awsapi.Message(err))
		}
		text = aws.ToString(out.SecretString)
	case p.value != "":
		text = p.value
	default:
		return "", fmt.Errorf("no password: set %s to a file of mode 0600, %s to the name of a secret in AWS Secrets Manager, or %s",
			FileVariable, SecretVariable, ValueVariable)
	}
	text = strings.TrimRight(text, "\r\n")
	switch {
	case strings.ContainsAny(text, "\r\n\x00"):
		return "", fmt.Errorf("the vault's password in %s has more than one line: Ansible reads one", p)
	case len(text) < minLength:
		return "", fmt.Errorf("the vault's password in %s has %d characters, want at least %d", p, len(text), minLength)
	}
	return text, nil
}

// Materialize writes the password into a new file of mode 0600 below dir, for programs that read it from there. The caller
// removes dir.
func (p Password) Materialize(ctx context.Context, dir string) (string, error) {
	text, err := p.Read(ctx)
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(dir, "vault-password-")
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(text + "\n")
	return file.Name(), errors.Join(err, file.Close())
}
