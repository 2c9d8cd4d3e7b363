package dashboards

import (
	"strings"

	"github.com/calldata/calldata-foundation/components/machinelogs/insights"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// table is the answer to a question to logs, nil where the stack has no such logs.
func table(q insights.Query, a Args) *Widget {
	var roles []string
	for _, t := range a.Things {
		if t.Kind == alarms.Machine || t.Kind == alarms.Fleet {
			roles = append(roles, t.Role)
		}
	}
	sources := q.Sources(a.LogPrefix, roles)
	if len(sources) == 0 {
		return nil
	}
	commands := make([]string, 0, len(sources)+1)
	for _, group := range sources {
		commands = append(commands, "SOURCE '"+group+"'")
	}
	return &Widget{Type: TypeLog, Width: Columns / 2, Height: graphHeight, Properties: Properties{
		Title: q.Title, Region: a.Region, View: viewTable, Query: strings.Join(append(commands, q.Text()), "\n| "),
	}}
}
