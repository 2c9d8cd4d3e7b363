// Package loggroups names the log groups that machines write to. It knows neither Pulumi nor AWS.
package loggroups

import (
	"path"
	"slices"
	"strings"
)

// journal is what the journal goes to, but for the units that have a log group of their own.
const journal = "journal"

// logs are what is logged, by the machine's role.
// Source: the role monitoring, vars/main.yml, where they are found; a test compares the two.
var logs = map[string][]string{
	"c4-sbc":     {"kamailio", "rtpengine", journal},
	"c4-router":  {"kamailio", "postgresql", journal},
	"prometheus": {journal},
	"uc-engine": {
		"asterisk", "asterisk-cdr", "asterisk-full", "asterisk-queue", "asterisk-security", journal, "nginx", "postgresql", "rabbitmq",
		"wazo-agentd", "wazo-agid", "wazo-amid", "wazo-auth", "wazo-call-logd", "wazo-calld", "wazo-chatd", "wazo-confd", "wazo-confgend", "wazo-dird",
		"wazo-dxtora", "wazo-phoned", "wazo-plugind", "wazo-provd", "wazo-purge-db", "wazo-setupd", "wazo-stat", "wazo-sync", "wazo-sysconfd", "wazo-ui",
		"wazo-upgrade", "wazo-webhookd", "wazo-websocketd",
	},
}

// Of are the log groups of machines of a role, sorted: the prefix of the stack, the role, and the log, for example
// "/calldata/stage/c4-sbc/kamailio". A role that is not known has none.
func Of(prefix, role string) []string {
	var names []string
	for _, log := range logs[role] {
		names = append(names, prefix+"/"+role+"/"+log)
	}
	slices.Sort(names)
	return names
}

// Matching are the log groups of some roles whose names without the prefix match one of the patterns (path.Match), sorted, each once:
// "*/journal" is every role's journal.
func Matching(prefix string, roles []string, patterns ...string) []string {
	var names []string
	for _, role := range roles {
		for _, group := range Of(prefix, role) {
			name := strings.TrimPrefix(group, prefix+"/")
			if slices.ContainsFunc(patterns, func(pattern string) bool {
				ok, err := path.Match(pattern, name)
				return ok && err == nil
			}) {
				names = append(names, group)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
