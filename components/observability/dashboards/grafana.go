package dashboards

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/observability/prometheus"
)

// GrafanaSource is the uid of the data source that the dashboards of Grafana read.
const GrafanaSource = "calldata"

// The forms that Grafana takes, as far as they are used. Source: Grafana documentation, "Dashboard JSON model".
type (
	grafanaBoard struct {
		UID      string            `json:"uid"`
		Title    string            `json:"title"`
		Tags     []string          `json:"tags"`
		Schema   int               `json:"schemaVersion"`
		Editable bool              `json:"editable"`
		Refresh  string            `json:"refresh"`
		Time     map[string]string `json:"time"`
		Panels   []grafanaPanel    `json:"panels"`
	}
	grafanaPanel struct {
		ID      int             `json:"id"`
		Type    string          `json:"type"`
		Title   string          `json:"title"`
		Place   grafanaPlace    `json:"gridPos"`
		Source  *grafanaRef     `json:"datasource,omitempty"`
		Targets []grafanaTarget `json:"targets,omitempty"`
		Fields  *grafanaFields  `json:"fieldConfig,omitempty"`
		Options map[string]any  `json:"options,omitempty"`
	}
	grafanaPlace struct {
		X      int `json:"x"`
		Y      int `json:"y"`
		Width  int `json:"w"`
		Height int `json:"h"`
	}
	grafanaRef struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}
	grafanaTarget struct {
		ID     string `json:"refId"`
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
	}
	grafanaFields struct {
		Defaults grafanaDefaults `json:"defaults"`
	}
	grafanaDefaults struct {
		Min        *float64          `json:"min,omitempty"`
		Max        *float64          `json:"max,omitempty"`
		Thresholds grafanaThresholds `json:"thresholds"`
		Custom     map[string]any    `json:"custom,omitempty"`
	}
	grafanaThresholds struct {
		Mode  string        `json:"mode"`
		Steps []grafanaStep `json:"steps"`
	}
	grafanaStep struct {
		Color string   `json:"color"`
		Value *float64 `json:"value"`
	}
)

// grafanaSchema is the version of the form, which Grafana brings to its own. It is that of Grafana 9.
const grafanaSchema = 37

// alertsPanel has what is on, before all else.
const alertsPanel = `count by (alertname, severity, thing) (ALERTS{alertstate="firing"})`

// Grafana are the dashboards as Grafana takes them, by their files' names: what CloudWatch's show of what machines tell, of whatever things
// a stack has.
func Grafana() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, b := range boards {
		made := b.grafana()
		if made.Panels == nil {
			continue
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		if err := encoder.Encode(made); err != nil {
			return nil, err
		}
		files[b.name+".json"] = text.Bytes()
	}
	return files, nil
}

func (b board) grafana() grafanaBoard {
	made := grafanaBoard{
		UID: "calldata-" + b.name, Title: b.title, Tags: []string{"calldata"}, Schema: grafanaSchema, Refresh: "1m", Time: map[string]string{"from": "now-3h", "to": "now"},
	}
	x, y, height := 0, 0, 0
	add := func(p grafanaPanel) {
		if x+p.Place.Width > Columns {
			x, y, height = 0, y+height, 0
		}
		p.ID, p.Place.X, p.Place.Y = len(made.Panels)+1, x, y
		x, height = x+p.Place.Width, max(height, p.Place.Height)
		made.Panels = append(made.Panels, p)
	}
	for _, s := range b.sections {
		var panels []grafanaPanel
		for _, g := range s.graphs {
			if p, ok := g.panel(); ok {
				panels = append(panels, p)
			}
		}
		if len(panels) == 0 {
			continue
		}
		if b.name == Overview && made.Panels == nil {
			add(grafanaPanel{
				Type: "stat", Title: "Alerts that are on", Place: grafanaPlace{Width: Columns, Height: numberHeight}, Source: &grafanaRef{"prometheus", GrafanaSource},
				Targets: []grafanaTarget{{"A", alertsPanel, "{{alertname}} {{thing}}"}},
			})
		}
		add(grafanaPanel{Type: "row", Title: s.title, Place: grafanaPlace{Width: Columns, Height: 1}})
		for _, p := range panels {
			add(p)
		}
		x, y, height = 0, y+height, 0
	}
	return made
}

// panel is a graph of every thing that tells its metrics; false where machines tell none.
func (g graph) panel() (grafanaPanel, bool) {
	p := grafanaPanel{Type: "timeseries", Title: g.title, Place: grafanaPlace{Width: graphWidth, Height: graphHeight}, Source: &grafanaRef{"prometheus", GrafanaSource}}
	lines := once(g.all())
	for _, l := range lines {
		expr, ok := prometheus.Query(alarms.Alarm{Of: l.of, Roles: l.roles, Namespace: l.namespace, Metric: l.metric, Statistic: l.stat, Seconds: l.seconds, Math: l.math})
		if !ok {
			continue
		}
		if g.per != 0 {
			expr = fmt.Sprintf("(%s) / %.0f", expr, g.per)
		}
		legend := "{{thing}}"
		if len(lines) > 1 {
			legend += " " + l.metric
		}
		p.Targets = append(p.Targets, grafanaTarget{fmt.Sprintf("%c", 'A'+len(p.Targets)), expr, legend})
	}
	if len(p.Targets) == 0 {
		return p, false
	}
	fields := grafanaDefaults{Thresholds: grafanaThresholds{"absolute", g.steps()}}
	if g.number {
		p.Type, p.Place = "stat", grafanaPlace{Width: numberWidth, Height: numberHeight}
	} else {
		fields.Min, fields.Custom = &g.least, map[string]any{"axisLabel": g.unit, "thresholdsStyle": map[string]string{"mode": "line"}}
	}
	if g.most > 0 {
		fields.Max = &g.most
	}
	p.Fields = &grafanaFields{fields}
	return p, true
}

// steps are the thresholds that are the same for every thing.
func (g graph) steps() []grafanaStep {
	steps := []grafanaStep{{Color: "transparent"}}
	for _, a := range alarms.All() {
		if !slices.Contains(g.alarms, a.Name) || a.Share != "" {
			continue
		}
		if _, ok := prometheus.Query(a); !ok {
			continue
		}
		t := threshold(a, a.Name, max(g.per, 1))
		steps = append(steps, grafanaStep{t.Color, &t.Value})
	}
	slices.SortStableFunc(steps[1:], func(a, b grafanaStep) int { return cmp.Compare(*a.Value, *b.Value) })
	return steps
}
