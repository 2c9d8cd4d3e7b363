package machinelogs

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/machinelogs/loggroups"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Args describe the log groups of a stack's machines.
type Args struct {
	// Stack names the saved queries, as STACK/NAME, and the namespace of what is counted.
	Stack string
	// Prefix is how the groups' names begin, for example "/calldata/stage".
	Prefix string
	// Roles are what the machines serve, for example "c4-sbc", each once. Of a machine with several roles, it is the first.
	Roles []string
	// RetentionDays is how long lines are kept, one of the values that CloudWatch Logs knows.
	RetentionDays int
	// KMSKeyARN is the key that they are encrypted with. Nil means CloudWatch's own.
	KMSKeyARN pulumi.StringInput
	// Count says whether lines are counted as metrics (counts.All), in counts.Namespace. A metric costs where its lines are found.
	Count bool
	// Protect keeps the groups from being destroyed, and leaves them in AWS when Pulumi forgets them.
	Protect bool
	// Tags are given to everything that takes tags.
	Tags tags.Tags
}

// Source: Amazon CloudWatch Logs API Reference, CreateLogGroup, PutQueryDefinition, MetricTransformation: of names of queries and of
// namespaces, a stack's is a part.
var (
	prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9_.#-]+)+$`)
	stackForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
)

// Validate reports every field that AWS would refuse, and every role that nobody knows the logs of.
func (a Args) Validate() error {
	var errs []error
	if !stackForm.MatchString(a.Stack) {
		errs = append(errs, fmt.Errorf("stack: %q is not 1 to 100 letters, digits, hyphens and underscores", a.Stack))
	}
	if !prefixForm.MatchString(a.Prefix) {
		errs = append(errs, fmt.Errorf("prefix: %q is not like /calldata/stage", a.Prefix))
	}
	seen := map[string]bool{}
	for _, role := range a.Roles {
		if len(loggroups.Of(a.Prefix, role)) == 0 {
			errs = append(errs, fmt.Errorf("roles: nobody knows what machines of the role %q log", role))
		}
		if seen[role] {
			errs = append(errs, fmt.Errorf("roles: %q is there twice", role))
		}
		seen[role] = true
	}
	if len(a.Roles) == 0 {
		errs = append(errs, errors.New("roles: there are none"))
	}
	if a.RetentionDays < 1 {
		errs = append(errs, fmt.Errorf("retention: %d days, want at least 1: logs are never kept without end", a.RetentionDays))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}
