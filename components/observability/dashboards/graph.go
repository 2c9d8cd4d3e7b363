package dashboards

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// graph draws metrics of every thing that has them, in one picture.
type graph struct {
	title string
	// alarms are drawn as they see their metric, with their thresholds.
	alarms []string
	// more are metrics besides.
	more []line
	// unit is what the axis says. Values are divided by per, where that is not 0.
	unit string
	per  float64
	// least and most bound the axis; it begins at 0 otherwise.
	least, most float64
	// number shows the newest values instead of lines.
	number bool
	// start is for what changes slowly.
	start string
}

// line is a metric of some kinds of things.
type line struct {
	of                      []alarms.Subject
	roles                   []string
	namespace, metric, stat string
	seconds                 int
	math                    alarms.Math
	share                   alarms.Capacity
}

// Kinds of machines.
var machines = []alarms.Subject{alarms.Machine, alarms.Fleet}

// own is a metric of ours, which machines of the roles tell.
func own(metric, stat string, seconds int, roles ...string) line {
	return line{of: machines, roles: roles, namespace: metrics.Namespace, metric: metric, stat: stat, seconds: seconds}
}

// of is a metric of AWS's, minute by minute.
func of(kind alarms.Subject, namespace, metric, stat string) line {
	return line{of: []alarms.Subject{kind}, namespace: namespace, metric: metric, stat: stat, seconds: 60}
}

// watched is what an alarm watches.
func watched(a alarms.Alarm) line {
	return line{of: a.Of, roles: a.Roles, namespace: a.Namespace, metric: a.Metric, stat: a.Statistic, seconds: a.Seconds, math: a.Math, share: a.Share}
}

func (l line) has(t alarms.Thing) bool {
	return alarms.Alarm{Of: l.of, Roles: l.roles, Share: l.share}.Applies(t)
}

// same reports whether two lines are one on the picture. Sums are not, unless they are of the same time.
func (l line) same(other line) bool {
	counts := l.stat == alarms.Sum || l.stat == alarms.SampleCount
	return l.namespace == other.namespace && l.metric == other.metric && l.stat == other.stat && l.math == other.math && (!counts || l.seconds == other.seconds)
}

// all are the lines of whatever things there are.
func (g graph) all() []line {
	all := slices.Clone(g.more)
	for _, a := range alarms.All() {
		if slices.Contains(g.alarms, a.Name) {
			all = append(all, watched(a))
		}
	}
	return all
}

// lines are those of a thing: each metric once, as often as any alarm looks.
func (g graph) lines(t alarms.Thing) []line {
	return once(slices.DeleteFunc(g.all(), func(l line) bool { return !l.has(t) }))
}

func once(all []line) []line {
	var found []line
	for _, l := range all {
		if i := slices.IndexFunc(found, l.same); i >= 0 {
			found[i].seconds = min(found[i].seconds, l.seconds)
			continue
		}
		found = append(found, l)
	}
	return found
}

const (
	graphWidth, graphHeight   = 8, 6
	numberWidth, numberHeight = 6, 4
)

// widget is the graph of some things, nil where none has its metrics.
func (g graph) widget(a Args, things []Thing) *Widget {
	b := drawing{graph: g, args: a}
	for _, t := range things {
		lines := g.lines(t.Thing)
		for _, l := range lines {
			label := t.Name
			if len(lines) > 1 {
				label += " " + l.metric
			}
			b.line(t, l, label)
		}
		b.thresholds(t.Thing)
	}
	if len(b.metrics) == 0 {
		return nil
	}
	w := &Widget{Type: TypeMetric, Width: graphWidth, Height: graphHeight, Properties: Properties{
		Title: g.title, Region: a.Region, View: viewLines, Start: g.start, Metrics: b.metrics,
	}}
	if g.number {
		w.Width, w.Height, w.Properties.View, w.Properties.Sparkline = numberWidth, numberHeight, viewNumber, true
		return w
	}
	axis := Axis{Min: &g.least, Label: g.unit}
	if g.most > 0 {
		axis.Max = &g.most
	}
	w.Properties.YAxis = &YAxis{axis}
	if lines := b.drawn(); len(lines) > 0 {
		w.Properties.Annotations = &Annotations{lines}
	}
	return w
}

// drawing is a graph on the way to be a widget.
type drawing struct {
	graph   graph
	args    Args
	metrics []Metric
	found   []found
	// count makes the ids of what is computed unique.
	count int
}

// found is a threshold, and whose it is.
type found struct {
	thing string
	alarm alarms.Alarm
}

// line adds a metric, and what it is computed of.
func (d *drawing) line(t Thing, l line, label string) {
	metric := func(name string, o Options) Metric {
		o.Stat, o.Period, o.Region = l.stat, l.seconds, t.Region
		dimensions := alarms.Dimensions(t.Thing, l.namespace, t.IDs, func(role string) string { return role })
		return Metric{Namespace: t.Namespace(l.namespace), Name: name, Dimensions: dimensions, Options: o}
	}
	if l.math == nil && d.graph.per == 0 {
		d.metrics = append(d.metrics, metric(l.metric, Options{Label: label}))
		return
	}
	d.count++
	n, hidden := strconv.Itoa(d.count), false
	d.metrics = append(d.metrics, metric(l.metric, Options{ID: "m" + n, Visible: &hidden}))
	expression := "m"
	if l.math != nil {
		expression = l.math.Expression()
		if other := l.math.Other(); other != "" {
			d.metrics = append(d.metrics, metric(other, Options{ID: "n" + n, Visible: &hidden}))
		}
	}
	if d.graph.per != 0 {
		expression = fmt.Sprintf("(%s) / %.0f", expression, d.graph.per)
	}
	d.metrics = append(d.metrics, Metric{Options: Options{
		Expression: series.ReplaceAllString(expression, "${1}"+n), ID: "e" + n, Label: label, Period: l.seconds,
	}})
}

// series are the names that alarms have for their metrics.
var series = regexp.MustCompile(`\b([mn])\b`)

// thresholds adds those of the alarms that the thing has.
func (d *drawing) thresholds(t alarms.Thing) {
	for _, a := range d.args.Level.Watched(t, d.args.Hours) {
		if slices.Contains(d.graph.alarms, a.Name) {
			d.found = append(d.found, found{t.Name, a})
		}
	}
}

// drawn are the thresholds, one for those that are the same. Where things differ, it says whose it is.
func (d *drawing) drawn() []Threshold {
	differ := map[string]bool{}
	first := map[string]float64{}
	for _, f := range d.found {
		if value, known := first[f.alarm.Name]; known && value != f.alarm.Threshold {
			differ[f.alarm.Name] = true
		} else {
			first[f.alarm.Name] = f.alarm.Threshold
		}
	}
	var out []Threshold
	for _, f := range d.found {
		name := f.alarm.Name
		if differ[name] {
			name = f.thing + "-" + name
		}
		t := threshold(f.alarm, name, cmp.Or(d.graph.per, 1))
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// Colours of thresholds, which are those of the console for alarms and for warnings.
const (
	pageColor   = "#d13212"
	noticeColor = "#ff7f0e"
)

// sides are how comparisons are said, and which side of the line is wrong.
var sides = map[alarms.Comparison]struct{ words, fill string }{
	alarms.Above: {"above", "above"}, alarms.AtLeast: {"from", "above"}, alarms.Below: {"below", "below"},
}

func threshold(a alarms.Alarm, name string, per float64) Threshold {
	value, side := a.Threshold/per, sides[a.Comparison]
	t := Threshold{Label: fmt.Sprintf("%s: %s %s", name, side.words, strconv.FormatFloat(value, 'g', 5, 64)), Value: value, Color: noticeColor, Fill: side.fill}
	if a.BusinessHours {
		t.Label += ", in business hours"
	}
	if a.Severity == alarms.Page {
		t.Color = pageColor
	}
	return t
}
