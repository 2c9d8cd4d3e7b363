package dashboards

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Body is what CloudWatch takes for a dashboard.
// Source: Amazon CloudWatch API Reference, "Dashboard Body Structure and Syntax".
type Body struct {
	// Start is how far back is shown, as an ISO 8601 duration with a minus.
	Start string `json:"start"`
	// PeriodOverride is "inherit": with longer periods, sums would be beyond thresholds that are for the alarms' own.
	PeriodOverride string `json:"periodOverride"`
	// Widgets are from top to bottom, from left to right.
	Widgets []Widget `json:"widgets"`
}

// The types of widgets.
const (
	TypeMetric = "metric"
	TypeAlarm  = "alarm"
	TypeText   = "text"
	TypeLog    = "log"
)

// Columns is how wide the grid is.
const Columns = 24

// Widget is a rectangle of the grid.
type Widget struct {
	Type       string     `json:"type"`
	X          int        `json:"x"`
	Y          int        `json:"y"`
	Width      int        `json:"width"`
	Height     int        `json:"height"`
	Properties Properties `json:"properties"`
}

// The views of metrics and logs.
const (
	viewLines  = "timeSeries"
	viewNumber = "singleValue"
	viewTable  = "table"
)

// Properties are those of a widget; each type has some.
type Properties struct {
	Title  string `json:"title,omitempty"`
	Region string `json:"region,omitempty"`
	View   string `json:"view,omitempty"`
	// Start is for a widget that shows more than its dashboard.
	Start string `json:"start,omitempty"`

	// Of metrics.
	Metrics     []Metric     `json:"metrics,omitempty"`
	YAxis       *YAxis       `json:"yAxis,omitempty"`
	Annotations *Annotations `json:"annotations,omitempty"`
	Sparkline   bool         `json:"sparkline,omitempty"`

	// Of alarms, by their ARNs. Without States all are shown.
	Alarms []string `json:"alarms,omitempty"`
	SortBy string   `json:"sortBy,omitempty"`
	States []string `json:"states,omitempty"`

	// Markdown is of texts, Query of logs.
	Markdown string `json:"markdown,omitempty"`
	Query    string `json:"query,omitempty"`
}

// Number reports whether the metrics are shown as numbers, and not as lines.
func (p Properties) Number() bool { return p.View == viewNumber }

// YAxis has the axis on the left.
type YAxis struct {
	Left Axis `json:"left"`
}

// Axis is how far a graph reaches, where that is not left to the values, and in what unit.
type Axis struct {
	Min       *float64 `json:"min,omitempty"`
	Max       *float64 `json:"max,omitempty"`
	Label     string   `json:"label,omitempty"`
	ShowUnits bool     `json:"showUnits"`
}

// Annotations are lines across a graph.
type Annotations struct {
	Horizontal []Threshold `json:"horizontal"`
}

// Threshold is where an alarm has its line. Fill is the side that is wrong, "above" or "below".
type Threshold struct {
	Label string  `json:"label"`
	Value float64 `json:"value"`
	Color string  `json:"color"`
	Fill  string  `json:"fill"`
}

// Metric is a metric, or with an expression what is computed of others.
type Metric struct {
	Namespace, Name string
	Dimensions      map[string]string
	Options         Options
}

// Options are how a metric is drawn.
type Options struct {
	Expression string `json:"expression,omitempty"`
	ID         string `json:"id,omitempty"`
	Label      string `json:"label,omitempty"`
	Stat       string `json:"stat,omitempty"`
	// Period is in seconds.
	Period int `json:"period,omitempty"`
	// Region is where the metric is, where that is another than the widget's.
	Region string `json:"region,omitempty"`
	// Visible is false for what is only computed with.
	Visible *bool `json:"visible,omitempty"`
}

// Shown reports whether the metric has a line of its own.
func (m Metric) Shown() bool { return m.Options.Visible == nil || *m.Options.Visible }

// MarshalJSON is CloudWatch's form: namespace, name, pairs of dimension and value, options.
func (m Metric) MarshalJSON() ([]byte, error) {
	if m.Options.Expression != "" {
		return plain([]any{m.Options})
	}
	list := []any{m.Namespace, m.Name}
	for _, name := range slices.Sorted(maps.Keys(m.Dimensions)) {
		list = append(list, name, m.Dimensions[name])
	}
	return plain(append(list, m.Options))
}

// JSON is the body as text.
func (b Body) JSON() (string, error) {
	data, err := plain(b)
	return string(data), err
}

// plain leaves < and > as they are: people read dashboards' sources in the console.
func plain(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(b.Bytes()), err
}
