package permission

import (
	"fmt"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// Issuer is GitHub's OIDC provider and Audience whom it writes its tokens for.
// Source: GitHub Docs, "Configuring OpenID Connect in Amazon Web Services".
const (
	Issuer   = "token.actions.githubusercontent.com"
	Audience = "sts.amazonaws.com"
)

// ProviderARN is the ARN of GitHub's OIDC provider in an account: IAM names a provider after its issuer.
// Source: AWS IAM User Guide, "IAM identifiers", IAM ARNs.
func ProviderARN(account string) string {
	return "arn:aws:iam::" + account + ":oidc-provider/" + Issuer
}

// Repository is a repository of GitHub.
type Repository struct {
	// Owner and Name are its names.
	Owner, Name string
	// OwnerID and ID are its numbers, both or neither. With them, tokens must have the immutable form of a subject, which
	// those of repositories made, renamed or transferred since July 15, 2026 have, and of those that have opted in: a name
	// that is given up and taken by somebody else does not open the account to him.
	// Source: GitHub Docs, "OpenID Connect reference", "Immutable subject claims".
	OwnerID, ID int64
}

// Subject is the subject of tokens for jobs of one GitHub environment. It says nothing of branches: GitHub's own settings
// say which branches may use an environment, and who must agree first.
//
// Previews have an environment too, "dev-preview", rather than the subject "pull_request": that one is given to every
// workflow of every pull request, also one that the pull request itself has brought, and nothing on GitHub's side limits
// it.
func (r Repository) Subject(environment string) string {
	owner, name := r.Owner, r.Name
	if r.OwnerID != 0 {
		owner, name = fmt.Sprintf("%s@%d", owner, r.OwnerID), fmt.Sprintf("%s@%d", name, r.ID)
	}
	return fmt.Sprintf("repo:%s/%s:environment:%s", owner, name, environment)
}

// PreviewEnvironment is the GitHub environment of an environment's previews.
func PreviewEnvironment(environment string) string { return environment + "-preview" }

// Trust is the document of the trust policy of a role for tokens with one subject.
func Trust(providerARN, subject string) (string, error) {
	return iamdoc.Document(iamdoc.Statement{
		Actions: []string{"sts:AssumeRoleWithWebIdentity"}, Principals: map[string][]string{"Federated": {providerARN}},
		Conditions: conditions{"StringEquals": {Issuer + ":aud": {Audience}, Issuer + ":sub": {subject}}},
	})
}
