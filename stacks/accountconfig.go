package stacks

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// AccountConfig is what the stack of an AWS account's baseline needs.
type AccountConfig struct {
	// Repository is the GitHub repository whose workflows deploy, as OWNER/NAME (githubRepository).
	Repository string
	// Environments are the stacks that it deploys, with their budgets; lines "dev=100" (environments).
	Environments []Environment
	// AlertEmails hear of budgets and cost anomalies.
	AlertEmails []string
	// StateBucket is Pulumi's backend; empty means the one that `calldata bootstrap` makes.
	StateBucket string
	// Off are the parts that are left out (accountPartsOff).
	Off []AccountPart
}

// Environment is a stack that workflows deploy.
type Environment struct {
	// Name is the stack's name, and that of the GitHub environment.
	Name string `json:"name"`
	// BudgetUSD is its monthly budget in US dollars.
	BudgetUSD int `json:"budgetUsd"`
}

// AccountPart is a part of the baseline.
type AccountPart string

// The parts, all on by default. The baseline component tells what each costs.
const (
	PartGitHub         AccountPart = "github"
	PartTrail          AccountPart = "cloudtrail"
	PartConfig         AccountPart = "config"
	PartGuardDuty      AccountPart = "guardduty"
	PartSecurityHub    AccountPart = "securityhub"
	PartAnalyzer       AccountPart = "access-analyzer"
	PartEBSEncryption  AccountPart = "ebs-encryption"
	PartSnapshotBlock  AccountPart = "snapshot-block"
	PartMetadata       AccountPart = "metadata-defaults"
	PartS3Block        AccountPart = "s3-block"
	PartPasswordPolicy AccountPart = "password-policy"
	PartBudgets        AccountPart = "budgets"
	PartCostTags       AccountPart = "cost-tags"
	PartAnomalies      AccountPart = "cost-anomalies"
)

// AccountParts lists every part in a fixed order.
func AccountParts() []AccountPart {
	return []AccountPart{
		PartGitHub, PartTrail, PartConfig, PartGuardDuty, PartSecurityHub, PartAnalyzer, PartEBSEncryption, PartSnapshotBlock, PartMetadata, PartS3Block,
		PartPasswordPolicy, PartBudgets, PartCostTags, PartAnomalies,
	}
}

var (
	// repositoryForm is GitHub's OWNER/NAME.
	repositoryForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}$`)
	// bucketForm is S3's form of a name. Source: Amazon S3 User Guide, "Bucket naming rules".
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// defaultEnvironments are the roadmap's stacks with the upper ends of its estimates.
var defaultEnvironments = []string{"dev=100", "stage=300", "prod=1000"}

func readAccount(r *reader, kind Kind) AccountConfig {
	a := AccountConfig{
		Repository: r.text("githubRepository", ""), AlertEmails: r.list("alertEmails", "ops@example.com"), StateBucket: r.text("stateBucket", ""),
	}
	for i, name := range r.list("accountPartsOff", string(PartGuardDuty)) {
		part := AccountPart(name)
		if !slices.Contains(AccountParts(), part) {
			at := fmt.Sprintf("accountPartsOff[%d]", i)
			r.fail(at, name, fmt.Sprintf("want one of %v", AccountParts()), r.setPath(at, string(PartGuardDuty)))
		}
		a.Off = append(a.Off, part)
	}
	on := func(part AccountPart) bool { return kind == KindAccount && !slices.Contains(a.Off, part) }
	if a.Repository == "" && on(PartGitHub) || a.Repository != "" && !repositoryForm.MatchString(a.Repository) {
		r.fail("githubRepository", a.Repository, "want the repository whose workflows deploy, as OWNER/NAME", r.set("githubRepository", "example/calldata-foundation"))
	}
	if a.StateBucket != "" && !bucketForm.MatchString(a.StateBucket) {
		r.fail("stateBucket", a.StateBucket, "want the name of a bucket", r.set("stateBucket", "example-pulumi-state"))
	}
	if len(a.AlertEmails) == 0 && (on(PartBudgets) || on(PartAnomalies)) {
		r.fail("alertEmails", "", "budgets and cost anomalies need somebody who hears of them", r.setItem("alertEmails", "ops@example.com"))
	}
	for i, address := range a.AlertEmails {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			at := fmt.Sprintf("alertEmails[%d]", i)
			r.fail(at, address, "that is not an e-mail address", r.setPath(at, "ops@example.com"))
		}
	}
	a.Environments = readEnvironments(r)
	return a
}

func readEnvironments(r *reader) []Environment {
	lines := r.list("environments", "dev=100")
	if len(lines) == 0 {
		lines = defaultEnvironments
	}
	var all []Environment
	for i, line := range lines {
		at := fmt.Sprintf("environments[%d]", i)
		name, budget, _ := strings.Cut(line, "=")
		usd, err := strconv.Atoi(budget)
		switch {
		case !stackForm.MatchString(name) || err != nil || usd < 1:
			r.fail(at, line, "want a stack's name and its monthly budget in US dollars, like dev=100", r.setPath(at, "dev=100"))
		case slices.ContainsFunc(all, func(e Environment) bool { return e.Name == name }):
			r.fail(at, line, "an earlier item is of the same stack", fmt.Sprintf("pulumi config rm --path '%s' -s %s", fullKey(at), r.stack))
		default:
			all = append(all, Environment{Name: name, BudgetUSD: usd})
		}
	}
	return all
}
