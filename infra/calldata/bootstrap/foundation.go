package bootstrap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// managedBy is the tag ManagedBy of what no stack manages.
const managedBy = "calldata-bootstrap"

const (
	// settle is how long a thing that was just made may stay unknown to the next call.
	settle = 30 * time.Second
	// settlePause is the time between two tries.
	settlePause = 2 * time.Second
)

// foundation is the work in hand, in one region.
type foundation struct {
	*Options
	clients
	// regionFlag is the flag that says which region, copy the work in a second one; nil where there is none.
	regionFlag string
	copy       *foundation
	id         awsapi.Identity
	bucket     string
	// keyARN is known once the key is there.
	keyARN string
	// made is true once this run has made something, which may then be unknown for a moment.
	made bool
}

// lay inspects everything, and then makes or mends what is not as it should be. An error about what stands in the way
// comes before the first change; one on the way comes with the report of what was done until then.
func (f *foundation) lay(ctx context.Context, work progress.Reporter) (*Report, error) {
	step := work.Step("look at what is there")
	settings, err := f.inspect(ctx)
	step.Done(err)
	if err != nil {
		return nil, err
	}
	report := f.newReport()
	if f.DryRun {
		report.Report = mend.Plan(settings)
		return report, nil
	}
	report.Report, err = mend.Carry(ctx, settings, work, func(ctx context.Context, s mend.Setting) error {
		err := f.patiently(ctx, s.Mend)
		if err == nil {
			f.made = true
			return nil
		}
		return cmp.Or(ctx.Err(), errors.New(awsapi.Message(err)))
	})
	return report.about(f), err
}

// inspect reads everything, and answers every problem that a person must decide about.
func (f *foundation) inspect(ctx context.Context) ([]mend.Setting, error) {
	var err error
	if f.id, err = awsapi.WhoAmI(ctx, f.sts); err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	f.bucket = cmp.Or(f.Bucket, fmt.Sprintf("calldata-foundation-state-%s-%s", f.id.Account, f.region))
	key, keyErr := f.inspectKey(ctx)
	bucket, bucketErr := f.inspectBucket(ctx)
	copied, copyErr := f.inspectCopy(ctx)
	roles, roleErr := f.inspectRoles(ctx)
	if err := errors.Join(keyErr, bucketErr, copyErr, roleErr); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, cli.WithCode(cli.ExitUsage, fmt.Errorf("nothing was changed:\n%w", err))
	}
	return slices.Concat(key, bucket, copied, roles), nil
}

// patiently tries again while AWS does not know yet what this run has made.
// Source: AWS KMS Developer Guide, "AWS KMS eventual consistency"; Amazon S3 User Guide, "Amazon S3 data consistency model".
func (f *foundation) patiently(ctx context.Context, do func(context.Context) error) error {
	deadline := time.Now().Add(settle)
	for {
		err := do(ctx)
		if err == nil || !f.made || !awsapi.Is(err, "NotFoundException", "NoSuchBucket", "NotFound", "NoSuchEntity", "OperationAborted") || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settlePause):
		}
	}
}

// tags are those of the resource called name, given those that it has. What else it carries stays.
func (f *foundation) tags(name, role string, has map[string]string) map[string]string {
	want := maps.Clone(has)
	if want == nil {
		want = map[string]string{}
	}
	maps.Copy(want, tags.Tags{
		Project: stacks.Project, Environment: "account", Role: role,
		Owner:      cmp.Or(f.Owner, has[tags.KeyOwner], defaultOwner),
		CostCenter: cmp.Or(f.CostCenter, has[tags.KeyCostCenter], defaultCostCenter),
	}.Named(name))
	want[tags.KeyManagedBy] = managedBy
	return want
}

// tagSetting compares tags and mends them with put, which gets all that are to be there.
func (f *foundation) tagSetting(resource, name, role string, has map[string]string, put func(context.Context, map[string]string) error) mend.Setting {
	want := f.tags(name, role, has)
	s := mend.Setting{Resource: resource, Name: "tags", Found: words(has), Missing: len(has) == 0, Want: words(want)}
	if !maps.Equal(has, want) {
		s.Mend = func(ctx context.Context) error { return put(ctx, want) }
	}
	return s
}

// words are tags as text.
func words(tags map[string]string) string {
	pairs := make([]string, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		pairs = append(pairs, key+"="+tags[key])
	}
	return strings.Join(pairs, " ")
}
