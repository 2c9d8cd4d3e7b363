package permission

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// Scope is one environment in one account, as far as policies must know it.
type Scope struct {
	// Account and Region are where it is.
	Account, Region string
	// OtherRegions are further regions that it may use, for example for copies of backups.
	OtherRegions []string
	// Project is the Pulumi project. Names of roles and boundaries begin with it.
	Project string
	// Environment is the stack's name, with which the names of all its resources begin. Requests stands for the stacks of pull requests.
	Environment string
	// Others are the account's other environments, which this one cannot touch, nor stacks that are called after them: OTHER-us-west-2.
	Others []string
	// Guarded takes from deployments what cannot be undone: deleting databases, keys, buckets, versions of objects,
	// volumes and addresses. An administrator does that.
	Guarded bool
	// StateBucket is Pulumi's backend; SecretsKeyAlias is the KMS key that encrypts it and the stack's secrets, as
	// "alias/...".
	StateBucket, SecretsKeyAlias string
	// Domains are those whose DNS records deployments may change, with all below them. None means those of every zone.
	Domains []string
}

// Account is the value of the tag Environment of what exists once in an account.
const Account = "account"

// Requests is the environment of pull requests. Its stacks are called after it, each with the number of its pull request, see RequestStack;
// the file of its name has the settings of all of them, and nothing is deployed under the name itself.
const Requests = "pr"

// RequestStack is the name of the stack of a pull request.
func RequestStack(number int) string { return Requests + "-" + strconv.Itoa(number) }

// RequestNumber is the number of the pull request whose stack it is; ok is false for every other stack.
func RequestNumber(stack string) (number int, ok bool) {
	text, _ := strings.CutPrefix(stack, Requests+"-")
	number, err := strconv.Atoi(text)
	return number, err == nil && number > 0 && stack == RequestStack(number)
}

// stack is the name of the environment's stack, or the pattern of its stacks' names.
func (s Scope) stack() string {
	if s.Environment == Requests {
		return Requests + "-*"
	}
	return s.Environment
}

// PreviewRole and DeployRole are the names of the roles of the scope's workflows, and BoundaryName and
// WorkloadBoundaryName those of the limits of deployments and of the roles that deployments make. They are fixed:
// workflows and stacks know them without reading the account's stack.
func (s Scope) PreviewRole() string { return s.named("preview") }

// DeployRole is the role of deployments.
func (s Scope) DeployRole() string { return s.named("deploy") }

// BoundaryName is the permissions boundary of the role of deployments.
func (s Scope) BoundaryName() string { return s.named("deploy-boundary") }

// WorkloadBoundaryName is the permissions boundary of every role that deployments make.
func (s Scope) WorkloadBoundaryName() string { return WorkloadBoundaryName(s.Project, s.Environment) }

// WorkloadBoundaryName is Scope.WorkloadBoundaryName for whoever knows no more than project and environment.
func WorkloadBoundaryName(project, environment string) string {
	return project + "-" + environment + "-workload-boundary"
}

// WorkloadBoundaryARN is the ARN of that boundary.
func (s Scope) WorkloadBoundaryARN() string {
	return "arn:aws:iam::" + s.Account + ":policy/" + s.WorkloadBoundaryName()
}

func (s Scope) named(use string) string { return s.Project + "-" + s.Environment + "-" + use }

// Policy is a managed policy.
type Policy struct {
	// Name says what it is about, for example "network".
	Name string
	// Statements are what it says.
	Statements []iamdoc.Statement
}

// MaxPolicy is the longest document of a managed policy, in characters without white space.
// Source: AWS IAM User Guide, "IAM and AWS STS quotas".
const MaxPolicy = 6144

// Document is the policy's document. It fails if IAM would find it too long.
func (p Policy) Document() (string, error) {
	text, err := iamdoc.Document(p.Statements...)
	if err == nil && len(text) > MaxPolicy {
		return "", fmt.Errorf("the policy %s has %d characters, IAM takes %d: name fewer or shorter domains, regions and environments", p.Name, len(text), MaxPolicy)
	}
	return text, err
}

// conditions are the values of condition keys by operator.
type conditions map[string]map[string][]string

// regions are all regions of the scope.
func (s Scope) regions() []string { return append([]string{s.Region}, s.OtherRegions...) }

// here limits a statement to the scope's regions.
func (s Scope) here() conditions {
	return conditions{"StringEquals": {"aws:RequestedRegion": s.regions()}}
}

// own limits a statement to what carries the environment's tag, and created to what gets it.
func (s Scope) own() conditions     { return s.tagged("aws:ResourceTag/Environment") }
func (s Scope) created() conditions { return s.tagged("aws:RequestTag/Environment") }

func (s Scope) tagged(key string) conditions {
	operator := "StringEquals"
	if s.stack() != s.Environment {
		operator = "StringLike"
	}
	return conditions{operator: {key: {s.stack()}}}
}

// with joins conditions: each of them has to hold. Where two are of one operator, they are about different keys.
func (c conditions) with(others ...conditions) conditions {
	all := conditions{}
	for _, one := range append([]conditions{c}, others...) {
		for operator, keys := range one {
			if all[operator] == nil {
				all[operator] = map[string][]string{}
			}
			maps.Copy(all[operator], keys)
		}
	}
	return all
}

// arns are ARNs of the account, one for each resource, for example "rds", "db:dev-*". The region is any: what is named
// like the environment is the environment's.
func (s Scope) arns(service string, resources ...string) []string {
	all := make([]string, len(resources))
	for i, r := range resources {
		all[i] = fmt.Sprintf("arn:aws:%s:*:%s:%s", service, s.Account, r)
	}
	return all
}

// roles are the environment's own roles.
func (s Scope) roles() []string { return s.iam("role/" + s.Environment + "-*") }

// iam are ARNs of IAM, which knows no regions.
func (s Scope) iam(resources ...string) []string {
	all := make([]string, len(resources))
	for i, r := range resources {
		all[i] = "arn:aws:iam::" + s.Account + ":" + r
	}
	return all
}
