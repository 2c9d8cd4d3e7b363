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
	// OwnerID and RepositoryID are its numbers at GitHub, both or neither (githubOwnerId, githubRepositoryId).
	OwnerID, RepositoryID int64
	// ProviderExists says that the account has GitHub's identity provider already (githubProviderExists).
	ProviderExists bool
	// Environments are the stacks that it deploys, with their budgets; lines "dev=100" (environments). Their domains are
	// lines "dev=dev.example.com" (environmentDomains).
	Environments []Environment
	// OtherRegions are regions of stacks besides the account's own.
	OtherRegions []string
	// StateBucket is Pulumi's backend, SecretsKeyAlias the key of it and of the stacks' secrets; empty means those that
	// `calldata bootstrap` makes.
	StateBucket, SecretsKeyAlias string
	// AlertEmails hear of budgets and cost anomalies, and in stacks of machines of alarms.
	AlertEmails []string
	// AnomalyMonitorARN is the monitor of what services cost, where the account has one; AnomalyUSD how much more than usual
	// is worth a mail.
	AnomalyMonitorARN string
	AnomalyUSD        int
	// CostTags has the bill tell the tags apart.
	CostTags bool
	// AuditDays is how long S3 keeps the records of CloudTrail and AWS Config (auditRetentionDays), 0 for ever. TrailLockDays
	// is how long those of CloudTrail cannot be deleted.
	AuditDays, TrailLockDays int
	// Off are the parts that are left out (accountPartsOff).
	Off []AccountPart
}

// Environment is a stack that workflows deploy.
type Environment struct {
	// Name is the stack's name, and that of the GitHub environment.
	Name string `json:"name"`
	// BudgetUSD is its monthly budget in US dollars.
	BudgetUSD int `json:"budgetUsd"`
	// Domains are those whose DNS records its deployments may change, with all below them; none means every zone's.
	Domains []string `json:"domains,omitempty"`
}

// AccountPart is a part of the baseline.
type AccountPart string

// The parts. The baseline component tells what each costs.
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
	PartAnomalies      AccountPart = "cost-anomalies"
	// PartCostTags is on where costTags says so: AWS refuses tags that it has not seen in a bill yet.
	PartCostTags AccountPart = "cost-tags"
)

// AccountParts lists the parts that are on unless accountPartsOff leaves them out, in a fixed order.
func AccountParts() []AccountPart {
	return []AccountPart{
		PartGitHub, PartTrail, PartConfig, PartGuardDuty, PartSecurityHub, PartAnalyzer, PartEBSEncryption, PartSnapshotBlock, PartMetadata, PartS3Block,
		PartPasswordPolicy, PartBudgets, PartAnomalies,
	}
}

var (
	// repositoryForm is GitHub's OWNER/NAME.
	repositoryForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}$`)
	// bucketForm is S3's form of a name. Source: Amazon S3 User Guide, "Bucket naming rules".
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	// aliasForm is KMS's form of an alias. Source: AWS KMS API Reference, CreateAlias, AliasName.
	aliasForm   = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,249}$`)
	monitorForm = regexp.MustCompile(`^arn:aws:ce::\d{12}:anomalymonitor/[A-Za-z0-9-]+$`)
)

const (
	// defaultAnomalyUSD is more than the noise of a small account, and a fifth of the smallest environment's budget.
	defaultAnomalyUSD = 20
	// maxAuditDays is S3's longest lock: 100 years. Source: Amazon S3 User Guide, "Object Lock considerations", retention periods.
	maxAuditDays = 36500
)

// defaultEnvironments are the roadmap's stacks with the upper ends of its estimates.
var defaultEnvironments = []string{"dev=100", "stage=300", "prod=1000"}

func readAccount(r *reader, kind Kind, region string) AccountConfig {
	a := AccountConfig{
		Repository: r.text("githubRepository", ""), ProviderExists: r.flag("githubProviderExists", false),
		AlertEmails: r.list("alertEmails", "ops@example.com"), AnomalyMonitorARN: r.text("anomalyMonitorArn", ""),
		AnomalyUSD: r.number("anomalyUsd", defaultAnomalyUSD, 1, 1_000_000), CostTags: r.flag("costTags", false),
		StateBucket: r.text("stateBucket", ""), SecretsKeyAlias: r.text("secretsKeyAlias", ""),
		AuditDays: r.number("auditRetentionDays", 0, 0, maxAuditDays), TrailLockDays: r.number("trailLockDays", 0, 0, maxAuditDays),
	}
	a.OwnerID, a.RepositoryID = readIDs(r)
	a.OtherRegions = readOtherRegions(r, region)
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
	if a.SecretsKeyAlias != "" && !aliasForm.MatchString(a.SecretsKeyAlias) {
		r.fail("secretsKeyAlias", a.SecretsKeyAlias, "want a key's alias as `calldata bootstrap --key-alias` takes it", r.set("secretsKeyAlias", "alias/example-secrets"))
	}
	if a.AnomalyMonitorARN != "" && !monitorForm.MatchString(a.AnomalyMonitorARN) {
		r.fail("anomalyMonitorArn", a.AnomalyMonitorARN, "want the ARN of a monitor, which `aws ce get-anomaly-monitors` tells",
			r.set("anomalyMonitorArn", "arn:aws:ce::123456789012:anomalymonitor/11111111-2222-3333-4444-555555555555"))
	}
	if a.AuditDays > 0 && a.TrailLockDays > a.AuditDays {
		r.fail("trailLockDays", strconv.Itoa(a.TrailLockDays), fmt.Sprintf("records are kept for %d days only, which auditRetentionDays says", a.AuditDays),
			r.set("trailLockDays", strconv.Itoa(a.AuditDays)))
	}
	if len(a.AlertEmails) == 0 && (on(PartBudgets) || on(PartAnomalies)) {
		r.fail("alertEmails", "", "budgets and cost anomalies need somebody who hears of them", r.setItem("alertEmails", "ops@example.com"))
	}
	for i, address := range a.AlertEmails {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			at := fmt.Sprintf("alertEmails[%d]", i)
			r.fail(at, address, "that is not an e-mail address", r.setPath(at, "ops@example.com"))
		}
		if slices.Contains(a.AlertEmails[:i], address) {
			at := fmt.Sprintf("alertEmails[%d]", i)
			r.fail(at, address, "it is there twice", r.unsetPath(at))
		}
	}
	a.Environments = readEnvironments(r)
	readDomains(r, a.Environments)
	return a
}

// readIDs reads the numbers by which GitHub knows the repository's owner and the repository.
func readIDs(r *reader) (owner, repository int64) {
	fix := func(name, query string) string {
		return fmt.Sprintf(`pulumi config set %s "$(gh api repos/OWNER/NAME --jq %s)" -s %s`, fullKey(name), query, r.stack)
	}
	read := func(name, query string) int64 {
		text := r.text(name, "0")
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 0 {
			r.fail(name, text, "want the number by which GitHub knows it", fix(name, query))
			return -1
		}
		return id
	}
	owner, repository = read("githubOwnerId", ".owner.id"), read("githubRepositoryId", ".id")
	const both = "GitHub's tokens have the numbers of owner and repository, or none"
	switch {
	case owner > 0 && repository == 0:
		r.fail("githubRepositoryId", "", both, fix("githubRepositoryId", ".id"))
	case owner == 0 && repository > 0:
		r.fail("githubOwnerId", "", both, fix("githubOwnerId", ".owner.id"))
	}
	return owner, repository
}

func readOtherRegions(r *reader, region string) []string {
	all := r.list("otherRegions", "eu-central-1")
	for i, other := range all {
		at := fmt.Sprintf("otherRegions[%d]", i)
		if problem := notElsewhere(other, region); problem != "" {
			r.fail(at, other, problem, pick(other == region, r.unsetPath(at), r.setPath(at, "eu-central-1")))
		} else if slices.Contains(all[:i], other) {
			r.fail(at, other, "an earlier item is the same", r.unsetPath(at))
		}
	}
	return all
}

// readDomains gives each environment its domains, in lines like "dev=dev.example.com".
func readDomains(r *reader, environments []Environment) {
	const setting, example = "environmentDomains", "dev=dev.example.com"
	for i, line := range r.list(setting, example) {
		at := fmt.Sprintf("%s[%d]", setting, i)
		name, domain, ok := strings.Cut(line, "=")
		n := slices.IndexFunc(environments, func(e Environment) bool { return e.Name == name })
		switch {
		case !ok || !domainForm.MatchString(domain):
			r.fail(at, line, "want a stack's name and a domain in lower case, like "+example, r.setPath(at, example))
		case n < 0:
			r.fail(at, line, "environments has no such stack", r.setPath(at, example))
		case slices.Contains(environments[n].Domains, domain):
			r.fail(at, line, "an earlier item is the same", r.unsetPath(at))
		default:
			environments[n].Domains = append(environments[n].Domains, domain)
		}
	}
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
			r.fail(at, line, "an earlier item is of the same stack", r.unsetPath(at))
		default:
			all = append(all, Environment{Name: name, BudgetUSD: usd})
		}
	}
	return all
}
