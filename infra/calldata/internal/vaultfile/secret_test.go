package vaultfile

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
)

func TestPasswordFromSecretsManager(t *testing.T) {
	e := emulatortest.Start(t)
	for _, pair := range e.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	client := secretsmanager.NewFromConfig(e.AWSConfig())
	_, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("calldata/dev/vault"), SecretString: aws.String("a-password-of-a-vault")})
	require.NoError(t, err)

	got, err := Password{Secret: "calldata/dev/vault"}.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "a-password-of-a-vault", got)
	_, err = Password{Secret: "calldata/dev/absent"}.Read(t.Context())
	require.ErrorContains(t, err, "CALLDATA_VAULT_SECRET: read calldata/dev/absent from Secrets Manager: ResourceNotFoundException")
}
