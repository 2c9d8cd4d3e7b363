package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// checkQuiet is the check's name.
const checkQuiet = "alarms quiet"

// watched is an alarm of a machine or a fleet, by a metric of ours. The emulator keeps what is told, and judges nothing.
type watched struct {
	alarms.Alarm
	thing      string
	dimensions map[string]string
}

// asker answers what a metric of an alarm's was in each whole period of a time.
type asker func(ctx context.Context, a watched, metric string, since, until time.Time) (alarms.Series, error)

// fired says when an alarm went off first, and when it was over after that; zero where it is not.
type fired struct {
	name     string
	severity alarms.Severity
	at, over time.Time
}

// meant are the alarms that scenarios of these groups set off on purpose: who is attacked has to hear of it, and of what is lost.
func meant(groups []string, alarm string) bool {
	return slices.Contains(groups, calls.GroupLoss) || slices.Contains(groups, calls.GroupAttacks) && alarm == "bans"
}

// quiet judges what the stack's machines and fleets have told CloudWatch since a time, by the stack's own alarms. Nothing that was
// done to it meanwhile is to wake anybody, but what the call tester means to.
func (w *world) quiet(ctx context.Context, o Options, outputs stacks.Outputs, since time.Time, groups []string, step progress.Step) Check {
	s := step.Step(checkQuiet)
	c := Check{Name: checkQuiet}
	var told, all int
	var off []fired
	topology, err := w.topology(o)
	if err == nil {
		list := watchedBy(topology, outputs, fromMachines)
		all = len(list)
		told, off, err = judge(ctx, asked(w.emulator.AWSConfig()), list, since, time.Now())
	}
	s.Done(err)
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	c.OK = told > 0
	c.Detail = fmt.Sprintf("%d alarms, %d with values", all, told)
	for _, f := range off {
		_, alarm, _ := strings.Cut(f.name, " ")
		c.OK = c.OK && meant(groups, alarm)
		c.Detail += fmt.Sprintf("; %s after %s", f.name, progress.Short(f.at.Sub(since)))
	}
	return c
}

// fromMachines tells whether machines tell the metric of an alarm themselves.
func fromMachines(a alarms.Alarm) bool { return a.Namespace == metrics.Namespace }

// watchedBy are the alarms of a stack's things whose metrics somebody tells. Machines tell of themselves and of their fleets by the
// names of EC2 and Auto Scaling.
func watchedBy(topology stacks.Topology, outputs stacks.Outputs, told func(alarms.Alarm) bool) []watched {
	var found []watched
	for _, thing := range topology.Watched() {
		ids := map[string]string{}
		switch thing.Kind {
		case alarms.Fleet:
			ids[metrics.DimGroup] = thing.Name
		case alarms.Machine:
			for _, n := range outputs.Nodes {
				if n.Name == thing.Name {
					ids[metrics.DimInstance] = n.InstanceID
				}
			}
		}
		dimensions := alarms.Dimensions(thing, metrics.Namespace, ids, func(role string) string { return role })
		for _, a := range alarms.Pages.Watched(thing, false) {
			if told(a) && (len(ids) > 0 || !fromMachines(a)) {
				found = append(found, watched{a, thing.Name, dimensions})
			}
		}
	}
	return found
}

// judge answers how many of the alarms have values, and which went off, in order.
func judge(ctx context.Context, ask asker, list []watched, since, until time.Time) (told int, off []fired, err error) {
	for _, a := range list {
		m, err := ask(ctx, a, a.Metric, since, until)
		if err != nil {
			return 0, nil, err
		}
		var n alarms.Series
		if a.Math != nil && a.Math.Other() != "" {
			if n, err = ask(ctx, a, a.Math.Other(), since, until); err != nil {
				return 0, nil, err
			}
		}
		if slices.ContainsFunc(m, func(value *float64) bool { return value != nil }) {
			told++
		}
		states := a.Evaluate(m, n)
		if i := slices.Index(states, alarms.Alarming); i >= 0 {
			end := func(i int) time.Time { return since.Truncate(a.period()).Add(time.Duration(i+1) * a.period()) }
			f := fired{name: a.thing + " " + a.Name, severity: a.Severity, at: end(i)}
			if j := slices.Index(states[i:], alarms.OK); j > 0 && states[len(states)-1] == alarms.OK {
				f.over = end(i + j)
			}
			off = append(off, f)
		}
	}
	slices.SortFunc(off, func(a, b fired) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
	return told, off, nil
}

func (a watched) period() time.Duration { return time.Duration(a.Seconds) * time.Second }

// asked asks CloudWatch.
func asked(config aws.Config) asker {
	return func(ctx context.Context, a watched, metric string, since, until time.Time) (alarms.Series, error) {
		return a.series(ctx, config, metric, since, until)
	}
}

// series is what the metric was in each whole period of the time. Periods begin by the clock, as CloudWatch's do.
func (a watched) series(ctx context.Context, config aws.Config, metric string, since, until time.Time) (alarms.Series, error) {
	from, to := since.Truncate(a.period()).UTC(), until.Truncate(a.period()).UTC()
	out := make(alarms.Series, to.Sub(from)/a.period())
	if len(out) == 0 {
		return out, nil
	}
	form := url.Values{
		"Namespace": {a.Namespace}, "MetricName": {metric}, "Statistics.member.1": {a.Statistic}, "Period": {strconv.Itoa(a.Seconds)},
		"StartTime": {from.Format(time.RFC3339)}, "EndTime": {to.Format(time.RFC3339)},
	}
	setDimensions(form, a.dimensions)
	var answer struct {
		Points []struct {
			Timestamp                                   time.Time
			Average, Maximum, Minimum, Sum, SampleCount *float64
		} `xml:"GetMetricStatisticsResult>Datapoints>member"`
	}
	if err := query(ctx, config, "GetMetricStatistics", form, &answer); err != nil {
		return nil, fmt.Errorf("ask for %s of %s: %w", metric, a.thing, err)
	}
	for _, p := range answer.Points {
		value := map[string]*float64{
			alarms.Average: p.Average, alarms.Maximum: p.Maximum, alarms.Minimum: p.Minimum, alarms.Sum: p.Sum, alarms.SampleCount: p.SampleCount,
		}[a.Statistic]
		i := int(p.Timestamp.Sub(from) / a.period())
		if value == nil || i < 0 || i >= len(out) {
			return nil, errors.New("CloudWatch answers a value of " + metric + " that was not asked for")
		}
		out[i] = value
	}
	return out, nil
}
