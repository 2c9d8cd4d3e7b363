package machinelogs

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/machinelogs/counts"
	"github.com/calldata/calldata-foundation/components/machinelogs/insights"
	"github.com/calldata/calldata-foundation/components/machinelogs/loggroups"
)

// MachineLogs are the log groups of a stack's machines.
type MachineLogs struct {
	pulumi.ResourceState
}

// builder registers the children of one MachineLogs.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOption
	// groups are the names that the log groups have once they are there, by the names that they are to have.
	groups map[string]pulumi.StringOutput
}

// NewMachineLogs registers a log group for each log of each role, a saved query for each question that they answer, and what is
// counted in them. It fails before the first resource if args are not valid.
func NewMachineLogs(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*MachineLogs, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("machine logs %s: %w", name, err)
	}
	self := &MachineLogs{}
	if err := ctx.RegisterComponentResource("calldata:machinelogs:MachineLogs", name, self, opts...); err != nil {
		return nil, fmt.Errorf("machine logs %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self), groups: map[string]pulumi.StringOutput{}}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("machine logs %s: %w", name, err)
	}
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{})
}

func (b *builder) build() error {
	for _, role := range b.args.Roles {
		for _, group := range loggroups.Of(b.args.Prefix, role) {
			if err := b.group(group); err != nil {
				return err
			}
		}
	}
	for _, query := range insights.All() {
		if err := b.query(query); err != nil {
			return err
		}
	}
	if !b.args.Count {
		return nil
	}
	for _, count := range counts.All() {
		for _, group := range loggroups.Matching(b.args.Prefix, b.args.Roles, count.Groups...) {
			if err := b.count(group, count); err != nil {
				return err
			}
		}
	}
	return nil
}

// named is the name of a resource of a log group: "/calldata/stage/c4-sbc/kamailio" is called NAME-c4-sbc-kamailio.
func (b *builder) named(group string) string {
	return b.name + strings.ReplaceAll(strings.TrimPrefix(group, b.args.Prefix), "/", "-")
}

func (b *builder) group(group string) error {
	name := b.named(group)
	args := &cloudwatch.LogGroupArgs{Name: pulumi.String(group), RetentionInDays: pulumi.Int(b.args.RetentionDays), Tags: pulumi.ToStringMap(b.args.Tags.Named(name))}
	if b.args.KMSKeyARN != nil {
		args.KmsKeyId = b.args.KMSKeyARN.ToStringOutput()
	}
	made, err := cloudwatch.NewLogGroup(b.ctx, name, args, b.parent, pulumi.Protect(b.args.Protect), pulumi.RetainOnDelete(b.args.Protect))
	if err != nil {
		return err
	}
	b.groups[group] = made.Name
	return nil
}

// query saves a question, where the stack has logs that answer it.
func (b *builder) query(q insights.Query) error {
	var sources pulumi.StringArray
	for _, group := range q.Sources(b.args.Prefix, b.args.Roles) {
		sources = append(sources, b.groups[group])
	}
	if len(sources) == 0 {
		return nil
	}
	_, err := cloudwatch.NewQueryDefinition(b.ctx, b.name+"-"+q.Name, &cloudwatch.QueryDefinitionArgs{
		Name: pulumi.String(b.args.Stack + "/" + q.Name), LogGroupNames: sources, QueryString: pulumi.String("# " + q.Title + "\n" + q.Text()),
	}, b.parent)
	return err
}

// count adds the lines of one log group to a metric.
func (b *builder) count(group string, c counts.Count) error {
	_, err := cloudwatch.NewLogMetricFilter(b.ctx, b.named(group)+"-"+c.Name, &cloudwatch.LogMetricFilterArgs{
		LogGroupName: b.groups[group], Pattern: pulumi.String(c.Pattern()),
		MetricTransformation: cloudwatch.LogMetricFilterMetricTransformationArgs{
			Namespace: pulumi.String(counts.Namespace(b.args.Stack)), Name: pulumi.String(c.Metric), Value: pulumi.String("1"), Unit: pulumi.String("Count"),
		},
	}, b.parent)
	return err
}
