package noderole

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/tags"
)

// PoolKey is the key of the tag whose value names the pool that an Elastic IP belongs to.
const PoolKey = "Pool"

// Grants are permissions. The zero value grants nothing but Systems Manager.
type Grants struct {
	// ArtifactsBucketARN and ArtifactsPrefix are where the machine reads its configuration from: objects whose keys begin
	// with the prefix, for example "bundles/".
	ArtifactsBucketARN pulumi.StringInput
	ArtifactsPrefix    string
	// BackupsBucketARN and BackupsPrefix are where the machine writes its own backups, and reads them. It cannot delete
	// them: who takes the machine over does not get at its backups.
	BackupsBucketARN pulumi.StringInput
	BackupsPrefix    string
	// SecretARNs are the secrets of Secrets Manager that it reads.
	SecretARNs pulumi.StringArrayInput
	// KMSKeyARNs are the keys that the buckets and secrets above are encrypted with. They are of use through S3 and Secrets
	// Manager alone.
	KMSKeyARNs pulumi.StringArrayInput
	// LogGroupPrefix is the beginning of the names of the log groups that it writes to, for example
	// "/calldata/stage/c4-sbc". The groups are made elsewhere.
	LogGroupPrefix string
	// MetricNamespaces are the CloudWatch namespaces that it writes metrics to.
	MetricNamespaces []string
	// FindMachines lets it ask EC2 which machines there are in the region. EC2 shows all or none.
	FindMachines bool
	// TopicPrefix is the beginning of the names of the SNS topics that it publishes to, for example "stage-"; TopicKeyARN is the key that
	// they are encrypted with.
	TopicPrefix string
	TopicKeyARN pulumi.StringInput
	// ClaimAddresses is the pool of Elastic IPs, by the value of the tag PoolKey, that it may give itself one of.
	ClaimAddresses string
	// LifecycleGroup is the name of the Auto Scaling group whose lifecycle actions it may complete and prolong.
	LifecycleGroup string
}

// Args describe the role of one kind of machine.
type Args struct {
	// Role says what the machines serve.
	Role string
	// Grants are its permissions.
	Grants Grants
	// Tags are given to everything that takes tags. Environment and Role also say which machines an address may be given
	// to.
	Tags tags.Tags
}

var (
	// prefixForm keeps wildcards out of the ARNs that a prefix becomes a part of.
	prefixForm = regexp.MustCompile(`^([A-Za-z0-9._-]+/)+$`)
	// Source: Amazon CloudWatch Logs API Reference, CreateLogGroup.
	logGroupForm = regexp.MustCompile(`^/[A-Za-z0-9_./#-]+[A-Za-z0-9_]$`)
	// Source: Amazon CloudWatch API Reference, PutMetricData. Names that begin with AWS/ are AWS's own.
	namespaceForm = regexp.MustCompile(`^[A-Za-z0-9._/#:-]{1,255}$`)
	topicForm     = regexp.MustCompile(`^[A-Za-z0-9_-]+-$`)
	groupForm     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)
)

// Validate reports every grant that is half given or could mean more than it says.
func (g Grants) Validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	bucket := func(name string, arn pulumi.StringInput, prefix string) {
		if arn == nil {
			need(prefix == "", "%s bucket: the prefix is %q, but there is no bucket", name, prefix)
		} else {
			need(prefixForm.MatchString(prefix), "%s prefix: %q is not like bundles/: letters, digits and . _ - in parts that end with a slash", name, prefix)
		}
	}
	bucket("artifacts", g.ArtifactsBucketARN, g.ArtifactsPrefix)
	bucket("backups", g.BackupsBucketARN, g.BackupsPrefix)
	need(g.KMSKeyARNs == nil || g.ArtifactsBucketARN != nil || g.BackupsBucketARN != nil || g.SecretARNs != nil, "KMS keys: there is no bucket and no secret to use them for")
	need(g.LogGroupPrefix == "" || logGroupForm.MatchString(g.LogGroupPrefix), "log group prefix: %q is not like /calldata/stage/c4-sbc", g.LogGroupPrefix)
	for _, n := range g.MetricNamespaces {
		need(namespaceForm.MatchString(n) && !strings.HasPrefix(n, "AWS/"), "metric namespace: %q is not one of our own, of letters, digits and . _ - / # :", n)
	}
	need((g.TopicPrefix == "") == (g.TopicKeyARN == nil), "topics: want a prefix and a KMS key, or neither")
	need(g.TopicPrefix == "" || topicForm.MatchString(g.TopicPrefix), "topic prefix: %q is not like stage-", g.TopicPrefix)
	if g.ClaimAddresses != "" {
		if err := tags.CheckValue(g.ClaimAddresses); err != nil {
			errs = append(errs, fmt.Errorf("address pool: %w", err))
		}
	}
	need(g.LifecycleGroup == "" || groupForm.MatchString(g.LifecycleGroup), "lifecycle group: %q is not the name of an Auto Scaling group", g.LifecycleGroup)
	return errors.Join(errs...)
}

// Validate reports every field that IAM would refuse.
func (a Args) Validate() error {
	var errs []error
	if a.Role == "" {
		errs = append(errs, errors.New("role: it is empty"))
	}
	if err := a.Grants.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("grants: %w", err))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}
