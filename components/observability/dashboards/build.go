package dashboards

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/machinelogs/insights"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// Thing is something that is watched, with what CloudWatch calls it.
type Thing struct {
	alarms.Thing
	// IDs are the values of the dimensions of its kind, by their names.
	IDs map[string]string
}

// Args describe the dashboards of a stack.
type Args struct {
	// Stack begins the dashboards' names, for example "prod"; Region is where the metrics are.
	Stack, Region string
	// Level is which alarms there are, Hours whether business hours are known.
	Level alarms.Level
	Hours bool
	// Things are what is watched.
	Things []Thing
	// LogPrefix is how the names of the machines' log groups begin, for example "/calldata/prod".
	LogPrefix string
	// Runbook is the address of the runbook; empty where only its path in the repository is known.
	Runbook string
	// ARN is an alarm's, by the name that this repository has for it.
	ARN func(alarm string) string
}

// Dashboard is one of a stack's.
type Dashboard struct {
	// Name is CloudWatch's name, for example "prod-sip-edge".
	Name string `json:"name"`
	Body Body   `json:"body"`
}

// Metrics is how many metrics the dashboard has, those that are only computed with among them.
func (d Dashboard) Metrics() int {
	n := 0
	for _, w := range d.Body.Widgets {
		n += len(w.Properties.Metrics)
	}
	return n
}

// What CloudWatch takes. Source: Amazon CloudWatch User Guide, "CloudWatch service quotas"; API Reference, "Dashboard Body Structure
// and Syntax".
const (
	maxMetricsOfGraph = 500
	maxMetrics        = 2500
	maxWidgets        = 500
	maxAlarms         = 100
)

// Names are those of the dashboards of a stack in which these things are watched.
func Names(stack string, things []alarms.Thing) []string {
	var names []string
	for _, b := range boards {
		if slices.ContainsFunc(things, b.has) {
			names = append(names, stack+"-"+b.name)
		}
	}
	return names
}

// Build makes the dashboards, in the order of Names. It fails where CloudWatch would refuse one, and names all that is too much.
func Build(a Args) ([]Dashboard, error) {
	plain := make([]alarms.Thing, len(a.Things))
	for i, t := range a.Things {
		plain[i] = t.Thing
	}
	names := Names(a.Stack, plain)
	var out []Dashboard
	var errs []error
	for _, b := range boards {
		if name := a.Stack + "-" + b.name; slices.Contains(names, name) {
			d := Dashboard{Name: name, Body: Body{Start: "-PT3H", PeriodOverride: "inherit", Widgets: b.widgets(a, names)}}
			out, errs = append(out, d), append(errs, d.validate())
		}
	}
	return out, errors.Join(errs...)
}

func (d Dashboard) validate() error {
	var errs []error
	tooMany := func(what string, n, most int) {
		if n > most {
			errs = append(errs, fmt.Errorf("dashboard %s: %d %s, CloudWatch takes %d", d.Name, n, what, most))
		}
	}
	for _, w := range d.Body.Widgets {
		tooMany("metrics in the graph "+w.Properties.Title, len(w.Properties.Metrics), maxMetricsOfGraph)
		tooMany("log groups in the table "+w.Properties.Title, strings.Count(w.Properties.Query, "SOURCE "), insights.MaxSources)
	}
	tooMany("metrics", d.Metrics(), maxMetrics)
	tooMany("widgets", len(d.Body.Widgets), maxWidgets)
	return errors.Join(errs...)
}

// widgets are those of a dashboard: what it is, its alarms, graphs, logs.
func (b board) widgets(a Args, names []string) []Widget {
	var g grid
	things := slices.DeleteFunc(slices.Clone(a.Things), func(t Thing) bool { return !b.has(t.Thing) })
	g.text(b.introduction(a, names), 3)
	if b.name == Overview {
		g.alarms("What of a role callers notice", roleAlarms(a), nil)
		g.alarms("Alarms that are on", thingAlarms(a, things), []string{string(alarms.Alarming)})
	} else {
		g.alarms("Alarms", thingAlarms(a, things), nil)
	}
	for _, s := range b.sections {
		var drawn []Widget
		for _, graph := range s.graphs {
			if w := graph.widget(a, things); w != nil {
				drawn = append(drawn, *w)
			}
		}
		g.section(s.title, drawn)
	}
	var tables []Widget
	for _, q := range insights.All() {
		if slices.Contains(b.queries, q.Name) {
			if w := table(q, a); w != nil {
				tables = append(tables, *w)
			}
		}
	}
	g.section("Logs", tables)
	return g.widgets
}

// introduction says what the dashboard is, where the others are, and where to read on.
func (b board) introduction(a Args, names []string) string {
	links := make([]string, len(names))
	for i, name := range names {
		links[i] = fmt.Sprintf("[%s](https://%[2]s.console.aws.amazon.com/cloudwatch/home?region=%[2]s#dashboards/dashboard/%[1]s)", name, a.Region)
	}
	_, anchor, _ := strings.Cut(alarms.Runbook, "#")
	runbook := "`" + alarms.Runbook + "`"
	if a.Runbook != "" {
		runbook = fmt.Sprintf("[runbook](%s#%s)", a.Runbook, anchor)
	}
	return fmt.Sprintf("# %s: %s\n%s\n\nWhat an alarm means and what to do: %s. First look: `calldata health -s %s`. Lines across are alarms' thresholds: red for what callers notice, orange for the rest.",
		a.Stack, b.title, strings.Join(links, " | "), runbook, a.Stack)
}

// roleAlarms are the ARNs of the alarms above those that page.
func roleAlarms(a Args) []string {
	var arns []string
	for _, t := range a.Things {
		for _, alarm := range a.Level.Watched(t.Thing, a.Hours) {
			if arn := a.ARN(alarms.RoleAlarm(a.Stack, t.Role)); alarm.Severity == alarms.Page && !slices.Contains(arns, arn) {
				arns = append(arns, arn)
			}
		}
	}
	return arns
}

func thingAlarms(a Args, things []Thing) []string {
	var arns []string
	for _, t := range things {
		for _, alarm := range a.Level.Watched(t.Thing, a.Hours) {
			arns = append(arns, a.ARN(t.AlarmName(alarm)))
		}
	}
	return arns
}

// AlarmsPerRow is how many alarms have room beside each other.
const AlarmsPerRow = 5

// grid places widgets from left to right, from top to bottom.
type grid struct {
	widgets []Widget
	x, y    int
	// height is that of the highest widget of the row.
	height int
}

func (g *grid) place(w Widget) {
	if g.x+w.Width > Columns {
		g.newRow()
	}
	w.X, w.Y = g.x, g.y
	g.x += w.Width
	g.height = max(g.height, w.Height)
	g.widgets = append(g.widgets, w)
}

func (g *grid) newRow() { g.x, g.y, g.height = 0, g.y+g.height, 0 }

func (g *grid) text(markdown string, height int) {
	g.newRow()
	g.place(Widget{Type: TypeText, Width: Columns, Height: height, Properties: Properties{Markdown: markdown}})
}

// section is a heading and what is below it; without anything there is no heading either.
func (g *grid) section(title string, widgets []Widget) {
	if len(widgets) == 0 {
		return
	}
	g.text("## "+title, 1)
	for _, w := range widgets {
		g.place(w)
	}
	g.newRow()
}

// alarms are as many widgets as CloudWatch wants for so many alarms, each high enough for all.
func (g *grid) alarms(title string, arns, states []string) {
	for part := range slices.Chunk(arns, maxAlarms) {
		height := 2 + (len(part)+AlarmsPerRow-1)/AlarmsPerRow
		if states != nil { // most of the time there are none
			height = 3
		}
		g.newRow()
		g.place(Widget{Type: TypeAlarm, Width: Columns, Height: height, Properties: Properties{Title: title, Alarms: part, SortBy: "stateUpdatedTimestamp", States: states}})
	}
}
