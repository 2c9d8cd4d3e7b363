package baseline

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Args describe an account's baseline. Everything that decides the graph's shape is checked before the first resource.
type Args struct {
	// Parts are what is made.
	Parts Parts
	// Environments are what workflows deploy into this account.
	Environments []Environment
	// AlertEmails hear of findings, alarms, budgets and cost anomalies: one to ten addresses. Who is to hear of findings and
	// alarms has to confirm first.
	AlertEmails []string

	// Repository is the GitHub repository whose workflows may act in the account, as OWNER/NAME.
	Repository string
	// OwnerID and RepositoryID are its numbers, both or neither. Repositories made, renamed or transferred since July 15, 2026
	// need them, see permission.Repository. `gh api repos/OWNER/NAME --jq '.owner.id, .id'` tells them.
	OwnerID, RepositoryID int64
	// ProviderExists says that the account has the provider of GitHub's tokens already: AWS takes one of each issuer. It must
	// know the audience permission.Audience. False makes it.
	ProviderExists bool
	// OtherRegions are further regions that deployments may use, where a stack is in another region than the baseline.
	OtherRegions []string
	// StateBucket is Pulumi's backend, and SecretsKeyAlias the key of it and of the stacks' secrets, as "alias/...". Empty
	// means those that `calldata bootstrap` makes.
	StateBucket, SecretsKeyAlias string

	// LogRetentionDays is how long CloudWatch keeps the trail's events, for alarms and questions; one of the values that
	// CloudWatch Logs knows.
	LogRetentionDays int
	// ArchiveDays is how long S3 keeps the records of the trail and of AWS Config. Zero is for ever.
	ArchiveDays int
	// TrailLockDays is how long nobody without s3:BypassGovernanceRetention can delete a record of the trail. Zero is no
	// lock; going from zero to a number, or back, replaces the bucket.
	TrailLockDays int
	// AnomalyMonitorARN is the monitor of AWS services if the account has one, as accounts have that looked at their costs
	// since March 2023: AWS allows one. Empty makes it.
	// Source: AWS Cost Management User Guide, "Default alert preferences".
	AnomalyMonitorARN string
	// AnomalyUSD is how much more than usual something must cost to be told. Zero is DefaultAnomalyUSD.
	AnomalyUSD int

	// Protect keeps Pulumi from deleting records and their keys.
	Protect bool
	// Tags are given to everything that takes tags.
	Tags tags.Tags
}

// Environment is a stack that workflows deploy.
type Environment struct {
	// Name is the stack's name, with which the names of its resources begin, and the GitHub environment of its deployments;
	// that of its previews is Name-preview. permission.Requests stands for all stacks of pull requests.
	Name string
	// BudgetUSD is its monthly budget in US dollars.
	BudgetUSD int
	// PreviewOnly gives it no role for deployments. It is for the stack of the account itself: a role that could deploy that
	// could give itself every right. It has no budget.
	PreviewOnly bool
	// Guarded takes from deployments what cannot be undone, see permission.Scope.
	Guarded bool
	// Domains are those whose DNS records deployments may change, with all below them. None means every zone's.
	Domains []string
}

const (
	// DefaultAnomalyUSD is more than the noise of a small account, and a fifth of the smallest environment's budget.
	DefaultAnomalyUSD = 20
	// maxEmails is how many addresses AWS Budgets writes to. Source: AWS Budgets API Reference, CreateNotification.
	maxEmails = 10
)

var (
	repositoryForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$`)
	environmentForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}[a-z0-9]$`)
	domainForm      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`) // RFC 1123
	regionForm      = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)
	bucketForm      = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	aliasForm       = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,249}$`)
	monitorForm     = regexp.MustCompile(`^arn:aws:ce::\d{12}:anomalymonitor/[A-Za-z0-9-]+$`)
)

// errs collects errors.
type errs []error

func (e *errs) need(ok bool, format string, values ...any) {
	if !ok {
		*e = append(*e, fmt.Errorf(format, values...))
	}
}

// Validate reports every field that AWS would refuse, or that would give away more than it says.
func (a Args) Validate() error {
	var e errs
	e.need(a.Parts != Parts{}, "parts: none is on, leave the baseline out instead")
	e.need(!a.Parts.TrailAlarms || a.Parts.Trail, "parts: TrailAlarms needs Trail, which is off")
	e.need(!a.Parts.SecurityHub || a.Parts.Recorder, "parts: SecurityHub needs Recorder, which is off: it checks what AWS Config records")
	a.checkEnvironments(&e)
	if a.Parts.GitHub {
		a.checkGitHub(&e)
	}
	a.checkRecords(&e)
	a.checkAlerts(&e)
	if err := a.Tags.Validate(); err != nil {
		e = append(e, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(e...)
}

func (a Args) checkEnvironments(e *errs) {
	for i, env := range a.Environments {
		e.need(environmentForm.MatchString(env.Name), "environments: %q is not a stack's name, 2 to 32 lower case letters, digits and hyphens", env.Name)
		e.need(env.Name != permission.Account || env.PreviewOnly, "environments: %q is the account itself, set PreviewOnly: who may deploy it may do everything", env.Name)
		e.need(!a.Parts.Budgets || env.PreviewOnly || env.BudgetUSD >= 1, "environments: the budget of %s is %d USD, want at least 1", env.Name, env.BudgetUSD)
		for _, domain := range env.Domains {
			e.need(domainForm.MatchString(domain), "environments: %q of %s is not a domain in lower case", domain, env.Name)
		}
		for _, other := range a.Environments[:i] {
			short, long := env.Name, other.Name
			if len(short) > len(long) {
				short, long = long, short
			}
			// Rights go by names: dev may touch what is called dev-something, and its previews are called dev-preview.
			e.need(!strings.HasPrefix(long+"-", short+"-"), "environments: %q begins with %q, whose deployments could change it, rename one", long, short)
		}
		e.need(env.PreviewOnly || !strings.HasPrefix(a.Tags.Project+"-", env.Name+"-"),
			"environments: the project %q begins with %q, whose deployments could change its own role, rename the environment", a.Tags.Project, env.Name)
	}
}

func (a Args) checkGitHub(e *errs) {
	e.need(repositoryForm.MatchString(a.Repository), "repository: %q is not like OWNER/NAME", a.Repository)
	e.need(a.OwnerID >= 0 && a.RepositoryID >= 0 && (a.OwnerID == 0) == (a.RepositoryID == 0), "repository: the owner's id %d and its own id %d must both be given, or neither", a.OwnerID, a.RepositoryID)
	e.need(len(a.Environments) > 0, "environments: there is none, so that no role would be made")
	e.need(a.StateBucket == "" || bucketForm.MatchString(a.StateBucket), "state bucket: %q is not the name of a bucket", a.StateBucket)
	e.need(a.SecretsKeyAlias == "" || aliasForm.MatchString(a.SecretsKeyAlias), "secrets key: %q is not like alias/NAME", a.SecretsKeyAlias)
	for _, r := range a.OtherRegions {
		e.need(regionForm.MatchString(r), "other regions: %q is not a region like eu-central-1", r)
	}
}

func (a Args) checkRecords(e *errs) {
	if a.Parts.Trail {
		e.need(a.LogRetentionDays >= 1, "log retention: %d days, want at least 1: logs are never kept without end", a.LogRetentionDays)
		e.need(a.TrailLockDays >= 0 && (a.ArchiveDays == 0 || a.TrailLockDays <= a.ArchiveDays), "trail lock: %d days, want 0 to the %d that records are kept", a.TrailLockDays, a.ArchiveDays)
	}
	if a.Parts.archive() {
		e.need(a.ArchiveDays >= 0, "archive: %d days, want 0 (for ever) or more", a.ArchiveDays)
	}
}

func (a Args) checkAlerts(e *errs) {
	if a.Parts.notices() || a.Parts.Budgets || a.Parts.CostAnomalies {
		e.need(len(a.AlertEmails) >= 1 && len(a.AlertEmails) <= maxEmails, "alert e-mails: there are %d, want 1 to %d", len(a.AlertEmails), maxEmails)
	}
	if err := notices.CheckEmails("alert e-mails", a.AlertEmails); err != nil {
		*e = append(*e, err)
	}
	e.need(a.AnomalyMonitorARN == "" || monitorForm.MatchString(a.AnomalyMonitorARN), "anomaly monitor: %q is not like arn:aws:ce::ACCOUNT:anomalymonitor/ID", a.AnomalyMonitorARN)
	e.need(a.AnomalyUSD >= 0, "anomaly: %d USD, want 0 for %d, or more", a.AnomalyUSD, DefaultAnomalyUSD)
}

// checkName reports what keeps the names of policies, which begin with the component's, apart from what environments may
// change.
func (a Args) checkName(name string) error {
	var e errs
	for _, env := range a.Environments {
		e.need(env.PreviewOnly || !strings.HasPrefix(name+"-", env.Name+"-"), "name: %q begins with the environment %q, whose deployments could change its own policies, choose another", name, env.Name)
	}
	return errors.Join(e...)
}

// scope is what policies must know of an environment.
func (a Args) scope(env Environment, account, region string) permission.Scope {
	s := permission.Scope{
		Account: account, Region: region, OtherRegions: a.OtherRegions, Project: a.Tags.Project, Environment: env.Name, Guarded: env.Guarded, Domains: env.Domains,
		StateBucket: a.StateBucket, SecretsKeyAlias: a.SecretsKeyAlias,
	}
	for _, other := range a.Environments {
		if other.Name != env.Name && other.Name != permission.Account {
			s.Others = append(s.Others, other.Name)
		}
	}
	if s.StateBucket == "" {
		s.StateBucket = fmt.Sprintf("%s-state-%s-%s", a.Tags.Project, account, region)
	}
	if s.SecretsKeyAlias == "" {
		s.SecretsKeyAlias = "alias/" + a.Tags.Project + "-secrets"
	}
	return s
}

func (a Args) repository() permission.Repository {
	owner, name, _ := strings.Cut(a.Repository, "/")
	return permission.Repository{Owner: owner, Name: name, OwnerID: a.OwnerID, ID: a.RepositoryID}
}

func (a Args) anomalyUSD() int {
	if a.AnomalyUSD == 0 {
		return DefaultAnomalyUSD
	}
	return a.AnomalyUSD
}

// sorted are the keys of a map in alphabetical order, so that a program registers things in the same order every time.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
