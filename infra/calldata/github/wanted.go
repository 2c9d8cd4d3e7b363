package github

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/stacks"
)

// requestLabel is the label that deploys a pull request.
const requestLabel = "environment"

// mainBranch is where changes go first, and where GitHub starts scheduled workflows from.
const mainBranch = "main"

// branchesOf says which branches' jobs deploy a stack; nil is any. Main is among those of stage and prod for backup-verify.
var branchesOf = map[string][]string{"dev": {mainBranch}, "stage": {"stage", mainBranch}, "prod": {"prod", mainBranch}, permission.Requests: nil}

// checks are what a change has to pass, as GitHub names the jobs of ci and security.
var checks = []string{
	"lint", "unit, golden, policy", "molecule", "rehearsal", "audit (secrets)", "audit (go)", "audit (python)", "audit (workflows)",
}

// actions are those of others that workflows call, in any version: the workflows themselves name the commit.
var actions = []string{"aws-actions/configure-aws-credentials@*", "pulumi/actions@*"}

// environment is a GitHub environment.
type environment struct {
	name string
	// any lets jobs of every branch in; branches are those that it lets in otherwise.
	any      bool
	branches []string
	// reviewers have to agree; none leaves it as it is.
	reviewers []string
}

// variable is a variable of the repository.
type variable struct{ name, value string }

// secret is one in AWS Secrets Manager.
type secret struct{ name, what string }

// wanted is how everything is to be.
type wanted struct {
	repository permission.Repository
	// slug is the repository's OWNER/NAME, region where the account's stack is.
	slug, region string
	environments []environment
	// branches are protected, approvals is what pull requests to them need.
	branches  []string
	approvals int
	// labels are those that workflows look for, with what they do.
	labels map[string]string
	// variables end with the one that switches workflows on.
	variables []variable
	secrets   []secret
}

// want derives it from the account's stack, as its settings say and as it is deployed, and from the document.
func want(spec *stacks.AccountSpec, deployed stacks.AccountOutputs, d Document) (wanted, error) {
	owner, name, _ := strings.Cut(spec.Repository, "/")
	w := wanted{
		repository: permission.Repository{Owner: owner, Name: name, OwnerID: spec.OwnerID, ID: spec.RepositoryID}, slug: spec.Repository, region: deployed.Region,
		branches: []string{mainBranch}, approvals: d.Approvals, labels: map[string]string{},
	}
	looked := []string{permission.Account}
	w.environments = append(w.environments, environment{name: permission.PreviewEnvironment(permission.Account), any: true})
	for _, e := range spec.Environments {
		w.environments = append(w.environments, environment{name: permission.PreviewEnvironment(e.Name), any: true})
		if e.Name != permission.Requests { // they come and go
			looked = append(looked, e.Name)
		}
	}
	for _, e := range spec.Environments {
		env := environment{name: e.Name, reviewers: d.Reviewers[e.Name]}
		if slices.Contains(d.Deploy, e.Name) {
			env.branches = branchesOf[e.Name]
			env.any = env.branches == nil
			w.secrets = append(w.secrets, secretsOf(e.Name, slices.Contains(d.Backups, e.Name))...)
			if reviewed(e.Name) {
				w.branches = append(w.branches, e.Name)
			}
		}
		w.environments = append(w.environments, env)
		calls := environment{name: permission.CallsEnvironment(e.Name)} // closed where nobody calls: its role trusts whoever runs in it
		if slices.Contains(d.Calls, e.Name) {
			// GitHub starts scheduled workflows from there. Nobody is asked: it would be at every call.
			calls.branches = []string{mainBranch}
			w.secrets = append(w.secrets, callsSecret(e.Name))
		}
		w.environments = append(w.environments, calls)
	}
	onRequest := slices.Contains(d.Deploy, permission.Requests)
	if onRequest {
		w.labels[requestLabel] = "Deploys the pull request to a stack of its own"
	}
	bucket := cmp.Or(spec.StateBucket, fmt.Sprintf("%s-state-%s-%s", stacks.Project, deployed.Account(), deployed.Region))
	w.variables = []variable{
		{"AWS_REGION", deployed.Region},
		{"PULUMI_BACKEND_URL", "s3://" + bucket + "?region=" + url.QueryEscape(deployed.Region)},
		{"STACKS", list(looked)},
		{"BACKUP_STACKS", list(d.Backups)},
		{"CALL_STACKS", list(d.Calls)},
		{"RUNNER", d.Runner},
		{"PR_LIMIT", strconv.Itoa(d.Requests.Limit)},
		{"PR_HOURS", strconv.Itoa(d.Requests.Hours)},
		{"PR_ENVIRONMENT", fmt.Sprint(onRequest)},
		{"AWS_ACCOUNT_ID", deployed.Account()},
	}
	return w, rolesThere(spec, deployed, d)
}

// list is a list as a workflow's fromJSON reads it.
func list(names []string) string {
	text, _ := json.Marshal(append([]string{}, names...)) // strings
	return string(text)
}

// secretsOf are what workflows read in AWS for a stack.
func secretsOf(stack string, backups bool) []secret {
	name := func(last string) string { return "calldata/" + stack + "/" + last }
	all := []secret{
		{name("ssh-key"), "the private half of the stack's sshPublicKey, without a passphrase"},
		{name("secrets"), "the stack's secrets file, YAML"},
	}
	if backups {
		all = append(all, secret{name("backup-key"), "age's private key that opens the backups"})
	}
	return all
}

// callsSecret is what synthetic-calls reads for a stack.
func callsSecret(stack string) secret {
	return secret{permission.CallsSecret(stack), "YAML with smoke_sip_password, the password of the phone that calls"}
}

// rolesThere wants the roles that workflows take on, by the names that workflows know.
func rolesThere(spec *stacks.AccountSpec, deployed stacks.AccountOutputs, d Document) error {
	var errs []error
	role := func(roles map[string]string, stack, name string) {
		if arn := "arn:aws:iam::" + deployed.Account() + ":role/" + name; roles[stack] != arn {
			errs = append(errs, fmt.Errorf("the account's stack has no role %s: deploy it, `pulumi up -s %s`", name, permission.Account))
		}
	}
	scope := func(stack string) permission.Scope {
		return permission.Scope{Project: stacks.Project, Environment: stack}
	}
	role(deployed.PreviewRoles, permission.Account, scope(permission.Account).PreviewRole())
	for _, e := range spec.Environments {
		role(deployed.PreviewRoles, e.Name, scope(e.Name).PreviewRole())
		if slices.Contains(d.Deploy, e.Name) {
			role(deployed.DeployRoles, e.Name, scope(e.Name).DeployRole())
		}
		if slices.Contains(d.Calls, e.Name) {
			role(deployed.CallsRoles, e.Name, scope(e.Name).CallsRole())
		}
	}
	return errors.Join(errs...)
}
