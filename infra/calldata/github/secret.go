package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// secretAPI is the part of Secrets Manager that this command uses. It tells names, never values.
type secretAPI interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
}

// inspectSecrets looks whether the secrets that workflows read are in AWS, and whether GitHub keeps keys of AWS, which nothing needs.
// Both are left to a person: this command sees no values.
func (f *forge) inspectSecrets(ctx context.Context) ([]mend.Setting, error) {
	var settings []mend.Setting
	for _, want := range f.secrets {
		s := mend.Setting{Resource: "secrets in AWS", Name: want.name, Want: want.what}
		out, err := f.aws.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(want.name)})
		switch {
		case awsapi.Is(err, "ResourceNotFoundException"):
			s.Hand = fmt.Sprintf("%s: aws secretsmanager create-secret --region %s --name %s --tags Key=Environment,Value=%s --secret-string file://FILE", want.what,
				f.region, want.name, strings.Split(want.name, "/")[1])
		case err != nil:
			s.Hand = "it could not be looked for: " + awsapi.Message(err)
		case out.DeletedDate != nil:
			s.Hand = fmt.Sprintf("it is to be deleted: aws secretsmanager restore-secret --region %s --secret-id %s", f.region, want.name)
		}
		settings = append(settings, s)
	}
	var has struct{ Secrets []struct{ Name string } }
	if err := f.call(ctx, http.MethodGet, f.path("/actions/secrets?per_page=100"), nil, &has); err != nil {
		return nil, err
	}
	keys := mend.Setting{Resource: "secrets in GitHub", Name: "keys of AWS", Want: "none"}
	var hands []string
	for _, found := range has.Secrets {
		if slices.Contains([]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}, found.Name) {
			hands = append(hands, fmt.Sprintf("%s is a key that no workflow needs: make it invalid in AWS, then gh secret delete %s", found.Name, found.Name))
		}
	}
	keys.Hand = strings.Join(hands, "\n")
	return append(settings, keys), nil
}
