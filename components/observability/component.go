package observability

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// Observability is what tells people of a stack.
type Observability struct {
	pulumi.ResourceState

	// NoticeARN and PageARN are the topics. Without pages, PageARN is that of the notices.
	NoticeARN, PageARN pulumi.StringOutput
}

type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOrInvokeOption
	self   *Observability
	// told are the policies of the topics, without which nothing is told.
	told []pulumi.Resource
	// elsewhere is the topic of notices in the other region.
	elsewhere pulumi.StringOutput
	// paging are the names of the alarms that page, by role.
	paging map[string]pulumi.StringArray
	// arns are those of all alarms, by name.
	arns pulumi.StringMap
}

// NewObservability registers topics, alarms, an alarm NAME-alarm-ROLE for each role, and dashboards where they are wanted. It fails before the first resource if args
// are not valid.
func NewObservability(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Observability, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("observability %s: %w", name, err)
	}
	self := &Observability{}
	if err := ctx.RegisterComponentResource("calldata:observability:Observability", name, self, opts...); err != nil {
		return nil, fmt.Errorf("observability %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self), self: self, paging: map[string]pulumi.StringArray{}, arns: pulumi.StringMap{}}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("observability %s: %w", name, err)
	}
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{"noticeArn": self.NoticeARN, "pageArn": self.PageARN})
}

func (b *builder) build() error {
	if err := b.topics(); err != nil {
		return err
	}
	for _, target := range b.args.Targets {
		for _, alarm := range b.args.Level.Watched(target.Thing, b.args.Hours != nil) {
			if err := b.alarm(target, alarm); err != nil {
				return err
			}
		}
	}
	for _, role := range slices.Sorted(maps.Keys(b.paging)) {
		if err := b.role(role, b.paging[role]); err != nil {
			return err
		}
	}
	return b.dashboards()
}

// alarm registers one alarm of one thing. What pages tells nobody by itself: the role's alarm does.
func (b *builder) alarm(t Target, a alarms.Alarm) error {
	name := t.AlarmName(a)
	args := &cloudwatch.MetricAlarmArgs{
		Name:             pulumi.String(name), // commands of the runbook take it
		AlarmDescription: pulumi.String(fmt.Sprintf("%s: %s. %s", t.Name, a.What, alarms.Runbook)), ComparisonOperator: pulumi.String(a.Comparison),
		Threshold: pulumi.Float64(a.Threshold), EvaluationPeriods: pulumi.Int(a.Periods), DatapointsToAlarm: pulumi.Int(a.Breaches),
		TreatMissingData: pulumi.String(a.Missing), Tags: b.tags(name),
	}
	if queries := b.queries(t, a); queries != nil {
		args.MetricQueries = queries
	} else {
		args.Namespace, args.MetricName, args.Statistic, args.Period = pulumi.String(t.Namespace(a.Namespace)), pulumi.String(a.Metric), pulumi.String(a.Statistic), pulumi.Int(a.Seconds)
		args.Dimensions = t.dimensions(a.Namespace)
	}
	topic, opts := b.self.NoticeARN, []pulumi.ResourceOption{b.parent, pulumi.DependsOn(slices.Concat(b.told, b.args.After))}
	if t.Region != "" {
		topic, opts = b.elsewhere, append(opts, pulumi.Provider(b.args.Elsewhere.Provider))
	}
	if a.Severity == alarms.Notice {
		args.AlarmActions, args.OkActions = pulumi.Array{topic}, pulumi.Array{topic}
	}
	alarm, err := cloudwatch.NewMetricAlarm(b.ctx, name, args, opts...)
	if err != nil {
		return err
	}
	b.arns[name] = alarm.Arn
	if a.Severity == alarms.Page {
		b.paging[t.Role] = append(b.paging[t.Role], alarm.Name)
	}
	return nil
}

// queries are those of an alarm that is computed, nil for one that is of a metric as it is.
func (b *builder) queries(t Target, a alarms.Alarm) cloudwatch.MetricAlarmMetricQueryArray {
	if a.Math == nil && !a.BusinessHours {
		return nil
	}
	metric := func(id, name string) cloudwatch.MetricAlarmMetricQueryArgs {
		return cloudwatch.MetricAlarmMetricQueryArgs{Id: pulumi.String(id), ReturnData: pulumi.Bool(false), Metric: cloudwatch.MetricAlarmMetricQueryMetricArgs{
			Namespace: pulumi.String(t.Namespace(a.Namespace)), MetricName: pulumi.String(name), Stat: pulumi.String(a.Statistic), Period: pulumi.Int(a.Seconds),
			Dimensions: t.dimensions(a.Namespace),
		}}
	}
	queries := cloudwatch.MetricAlarmMetricQueryArray{metric("m", a.Metric)}
	expression := "m"
	if a.Math != nil {
		expression = a.Math.Expression()
		if other := a.Math.Other(); other != "" {
			queries = append(queries, metric("n", other))
		}
	}
	if a.BusinessHours {
		// The threshold itself is not below it.
		expression = b.args.Hours.Within(expression, a.Threshold)
	}
	return append(queries, cloudwatch.MetricAlarmMetricQueryArgs{
		Id: pulumi.String("e"), Expression: pulumi.String(expression), Label: pulumi.String(a.Name), ReturnData: pulumi.Bool(true),
	})
}

// role registers the alarm above those of a role that page, so that however many of them fire, somebody is called once.
// Source: Amazon CloudWatch User Guide, "Combining alarms": a rule has at most 100 alarms and 10240 characters.
func (b *builder) role(role string, names pulumi.StringArray) error {
	name := alarms.RoleAlarm(b.name, role)
	rule := names.ToStringArrayOutput().ApplyT(func(names []string) string {
		terms := make([]string, len(names))
		for i, n := range names {
			terms[i] = fmt.Sprintf("ALARM(%q)", n)
		}
		return strings.Join(terms, " OR ")
	}).(pulumi.StringOutput)
	topic := pulumi.StringArray{b.self.PageARN}
	alarm, err := cloudwatch.NewCompositeAlarm(b.ctx, name, &cloudwatch.CompositeAlarmArgs{
		AlarmName: pulumi.String(name), AlarmDescription: pulumi.String(fmt.Sprintf("%s: something of %s is wrong that callers notice. %s", b.name, role, alarms.Runbook)),
		AlarmRule: rule, AlarmActions: topic, OkActions: topic, Tags: b.tags(name),
	}, b.parent, pulumi.DependsOn(b.told))
	if err != nil {
		return err
	}
	b.arns[name] = alarm.Arn
	return nil
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}
