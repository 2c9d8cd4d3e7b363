package observability

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Target is something of a stack that is watched.
type Target struct {
	alarms.Thing
	// IDs are the values of CloudWatch's dimensions, by their names: those that the thing's kind has.
	IDs map[string]pulumi.StringInput
}

// Args describe what tells of a stack.
type Args struct {
	// Level is how much is told.
	Level alarms.Level
	// Targets are what is watched, each name once of a kind.
	Targets []Target
	// Hours are those in which business is done. Nil leaves out the alarms that go by them.
	Hours *alarms.Hours
	// KMSKeyARN is the key that the topics are encrypted with; CloudWatch must be let use it.
	KMSKeyARN pulumi.StringInput
	// Emails hear of notices, and of pages too. Who is to hear of them has to confirm first.
	Emails []string
	// PagerURL takes pages: an endpoint of PagerDuty or Opsgenie for Amazon CloudWatch or SNS. It is a secret. Empty is none.
	PagerURL string
	// CopyVaultARN is the vault in another region that AWS Backup copies the stack's backups to: notices tell of copies that fail.
	// Nil is none.
	CopyVaultARN pulumi.StringInput
	// Elsewhere is the region of targets that are in another one. Nil is none.
	Elsewhere *Elsewhere
	// Slack hears of notices and pages. The zero value is none.
	Slack notices.Slack
	// Dashboards are what the stack's dashboards show besides what is watched. Nil is none.
	Dashboards *Dashboards
	// After is what must be there before anything is watched: machines that are not configured yet tell nothing.
	After []pulumi.Resource
	// Tags are given to everything that takes tags.
	Tags tags.Tags
}

// Dashboards say where a stack's dashboards find what is no metric.
type Dashboards struct {
	// LogPrefix is how the names of the machines' log groups begin, for example "/calldata/stage".
	LogPrefix string
	// Runbook is the address of the runbook. Empty means that its path in the repository is shown.
	Runbook string
}

// Elsewhere is another region. CloudWatch wants an alarm where its metric is, and a topic where the alarm is: who hears of notices has to
// confirm those of that region, too.
// Source: Amazon CloudWatch User Guide, "Notifying users on alarm changes".
type Elsewhere struct {
	// Provider acts there.
	Provider pulumi.ProviderResource
	// KMSKeyARN is a key there that the topic is encrypted with; CloudWatch must be let use it.
	KMSKeyARN pulumi.StringInput
}

// Validate reports every field that AWS would refuse.
func (a Args) Validate() error {
	var errs []error
	if !slices.Contains(alarms.Levels(), a.Level) {
		errs = append(errs, fmt.Errorf("level: %q, want one of %v", a.Level, alarms.Levels()))
	}
	if len(a.Targets) == 0 {
		errs = append(errs, errors.New("targets: there is nothing to watch"))
	}
	seen := map[string]bool{}
	for _, t := range a.Targets {
		key := string(t.Kind) + " " + t.Name
		if seen[key] {
			errs = append(errs, fmt.Errorf("targets: %s is there twice", key))
		}
		seen[key] = true
		if t.Region != "" && a.Elsewhere == nil && len(a.Level.Watched(t.Thing, a.Hours != nil)) > 0 {
			errs = append(errs, fmt.Errorf("targets: %s is in %s, and elsewhere is not set", key, t.Region))
		}
		if !t.Kind.Known() {
			errs = append(errs, fmt.Errorf("targets: nobody knows the metrics of %s", key))
		}
		for _, name := range t.Kind.Dimensions() {
			if t.IDs[name] == nil {
				errs = append(errs, fmt.Errorf("targets: %s has no %s", key, name))
			}
		}
	}
	if a.KMSKeyARN == nil {
		errs = append(errs, errors.New("KMS key ARN: it is missing"))
	}
	if a.Elsewhere != nil && (a.Elsewhere.Provider == nil || a.Elsewhere.KMSKeyARN == nil) {
		errs = append(errs, errors.New("elsewhere: want a provider and a KMS key ARN"))
	}
	errs = append(errs, notices.CheckEmails("e-mails", a.Emails))
	if a.PagerURL != "" {
		if u, err := url.Parse(a.PagerURL); err != nil || u.Scheme != "https" || u.Host == "" {
			errs = append(errs, errors.New("pager URL: want https://HOST/PATH; it is a secret and not shown"))
		}
		if a.Level != alarms.Pages {
			errs = append(errs, fmt.Errorf("pager URL: nobody is called at the level %q, want %q", a.Level, alarms.Pages))
		}
	}
	if a.Slack != (notices.Slack{}) {
		if _, err := notices.ParseSlack(a.Slack.String()); err != nil {
			errs = append(errs, fmt.Errorf("slack: %w", err))
		}
	}
	if h := a.Hours; h != nil && (h.From < 0 || h.From >= h.Until || h.Until > 24) {
		errs = append(errs, fmt.Errorf("hours: %d to %d, want hours of one day, the first before the second", h.From, h.Until))
	}
	errs = append(errs, a.validateDashboards())
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

// dimensions are those of a metric.
func (t Target) dimensions(namespace string) pulumi.StringMap {
	return alarms.Dimensions(t.Thing, namespace, t.IDs, func(role string) pulumi.StringInput { return pulumi.String(role) })
}
