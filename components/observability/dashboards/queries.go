package dashboards

import (
	"path"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/machinelogs/loggroups"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// query is a question to logs, in the language of CloudWatch Logs Insights.
type query struct {
	name, title string
	// groups are patterns (path.Match) of log groups, without the stack's prefix.
	groups []string
	// lines are the commands of the query.
	lines []string
}

// maxSources is how many log groups one query may ask.
// Source: Amazon CloudWatch Logs User Guide, "CloudWatch Logs quotas".
const maxSources = 50

// queries know what our Kamailios say themselves, and how sshd, Asterisk and Wazo write. Lines of the journal begin with who said
// them. Source of Wazo's lines: xivo-lib-python, DEFAULT_LOG_FORMAT; of Asterisk's: its documentation, "Logging Configuration".
var queries = []query{
	{"logins", "Who logged in by SSH", []string{"*/journal"}, []string{
		`filter @message like /^sshd(-session)?: Accepted /`,
		`parse @message /Accepted \S+ for (?<user>\S+) from (?<source>\S+) port/`,
		`display @timestamp, @logStream, user, source`, `sort @timestamp desc`, `limit 50`,
	}},
	{"refused-sources", "Addresses that Kamailio refused or banned, by how often", []string{"c4-*/kamailio"}, []string{
		`filter @message like /: (banned|refused) /`,
		`parse @message /: (?<what>banned|refused)( \S+ from)? (?<source>[0-9a-fA-F.:]+?):? /`,
		`filter ispresent(source)`, `stats count(*) as times, max(@timestamp) as last by source, what`, `sort times desc`, `limit 20`,
	}},
	{"calls-in-trouble", "What keeps calls from going through, by cause", []string{"c4-*/kamailio"}, []string{
		`parse @message /(?<cause>did not take the media|takes no calls|goes by another Router|its next hop is|call record was refused)/`,
		`filter ispresent(cause)`, `stats count(*) as times, max(@timestamp) as last by cause, @logStream`, `sort times desc`, `limit 20`,
	}},
	{"kamailio-errors", "Kamailio's errors, by where they come from", []string{"c4-*/kamailio"}, []string{
		`parse @message /(?<level>ERROR|CRITICAL|ALERT|BUG): (?<where>\S+)/`,
		`filter ispresent(level)`, `stats count(*) as times, max(@timestamp) as last by level, where`, `sort times desc`, `limit 20`,
	}},
	{"asterisk-errors", "Asterisk's warnings and errors, by where they come from", []string{"uc-engine/asterisk"}, []string{
		`parse @message /(?<level>WARNING|ERROR)\[\d+\](\[C-[0-9a-f]+\])?:? (?<where>[\w.\/]+)/`,
		`filter ispresent(level)`, `stats count(*) as times, max(@timestamp) as last by level, where`, `sort times desc`, `limit 20`,
	}},
	{"wazo-errors", "Errors of Wazo's services, by where they come from", []string{"uc-engine/wazo-*"}, []string{
		`parse @message /\((?<level>ERROR|CRITICAL)\) \((?<where>[^)]+)\): (?<what>.{1,120})/`,
		`filter ispresent(level)`, `stats count(*) as times, max(@timestamp) as last by @log, where, what`, `sort times desc`, `limit 20`,
	}},
}

// sources are the log groups of the query that the stack has.
func (q query) sources(a Args) []string {
	var found []string
	for _, t := range a.Things {
		if t.Kind != alarms.Machine && t.Kind != alarms.Fleet {
			continue
		}
		for _, group := range loggroups.Of(a.LogPrefix, t.Role) {
			name := strings.TrimPrefix(group, a.LogPrefix+"/")
			wanted := func(pattern string) bool {
				ok, err := path.Match(pattern, name)
				return ok && err == nil
			}
			if slices.ContainsFunc(q.groups, wanted) && !slices.Contains(found, group) {
				found = append(found, group)
			}
		}
	}
	slices.Sort(found)
	return found
}

// widget is the query's answer as a table, nil where the stack has no such logs.
func (q query) widget(a Args) *Widget {
	sources := q.sources(a)
	if len(sources) == 0 {
		return nil
	}
	commands := make([]string, 0, len(sources)+len(q.lines))
	for _, group := range sources {
		commands = append(commands, "SOURCE '"+group+"'")
	}
	return &Widget{Type: TypeLog, Width: Columns / 2, Height: graphHeight, Properties: Properties{
		Title: q.title, Region: a.Region, View: viewTable, Query: strings.Join(append(commands, q.lines...), "\n| "),
	}}
}
