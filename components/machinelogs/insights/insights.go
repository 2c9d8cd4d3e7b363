package insights

import (
	"strings"

	"github.com/calldata/calldata-foundation/components/machinelogs/loggroups"
)

// Query is a question to logs.
type Query struct {
	// Name is part of the saved query's, for example "logins"; Title says what the answer is.
	Name, Title string
	// Groups are patterns (path.Match) of log groups, without the stack's prefix.
	Groups []string
	// Lines are the commands of the query.
	Lines []string
}

// MaxSources is how many log groups one query may ask.
// Source: Amazon CloudWatch Logs User Guide, "CloudWatch Logs quotas".
const MaxSources = 50

// Number stands for a telephone number in the queries that ask for one: whoever asks puts another one in its place.
const Number = "12125550100"

// Groups that several queries ask.
var (
	journal  = []string{"*/journal"}
	kamailio = []string{"c4-*/kamailio"}
	router   = []string{"c4-router/kamailio"}
)

// call takes the line apart that a Router writes of each call that has ended.
const call = `parse @message /: call (?<id>\S+) ended: code=(?<code>\d+) direction=(?<direction>\S*) from=(?<caller>\S*) to=(?<called>\S*) in=(?<ingress>\S*) out=(?<egress>\S*) started=(?<started>[\d.]+) answered=(?<answered>[\d.]*) ended=(?<ended>[\d.]+)/`

// all are known by what our Kamailios say themselves, and how sshd, sudo, Ansible, Asterisk, PostgreSQL and Wazo write. Lines of the
// journal begin with who said them. Source of Wazo's lines: xivo-lib-python, DEFAULT_LOG_FORMAT; of Asterisk's: its documentation,
// "Logging Configuration" and "queue_log"; of Ansible's: module_utils/basic.py.
var all = []Query{
	{"failed-calls", "Calls that ended without an answer, by SIP code", router, []string{
		call, `filter ispresent(code) and answered = ""`, `stats count(*) as calls, max(@timestamp) as last by code, direction, ingress, egress`, `sort calls desc`, `limit 50`,
	}},
	{"calls-of-number", "What logs have of one telephone number: put it in the place of " + Number, []string{"c4-*/kamailio", "uc-engine/asterisk", "uc-engine/asterisk-full", "uc-engine/asterisk-queue"}, []string{
		`filter @message like /` + Number + `/`, `display @timestamp, @log, @logStream, @message`, `sort @timestamp asc`, `limit 1000`,
	}},
	{"slow-ring", "Calls that rang for longer than 20 seconds before somebody answered, by where they went", router, []string{
		call, `filter ispresent(code) and answered != ""`, `fields answered - started as rang`, `filter rang > 20`,
		`stats count(*) as calls, avg(rang) as average, max(rang) as longest by direction, egress`, `sort calls desc`, `limit 50`,
	}},
	{"slow-queues", "How long callers of queues waited, and agents' phones rang, in seconds", []string{"uc-engine/asterisk-queue"}, []string{
		`parse @message /^\d+\|[^|]*\|(?<queue>[^|]+)\|(?<agent>[^|]*)\|CONNECT\|(?<waited>\d+)\|[^|]*\|(?<rang>\d+)/`,
		`filter ispresent(queue)`, `stats count(*) as calls, avg(waited) as wait, max(waited) as longest, avg(rang) as ring by queue`, `sort longest desc`, `limit 50`,
	}},
	{"refused-registrations", "Phones that an engine refused, by where from and why", []string{"uc-engine/asterisk", "uc-engine/asterisk-security"}, []string{
		`parse @message /Request '(?<method>[A-Z]+)' from '(?<who>[^']*)' failed for '(?<source>[^']*):\d+' \(callid: [^)]*\) - (?<why>.+)/`,
		`filter ispresent(source)`, `stats count(*) as times, max(@timestamp) as last by source, who, method, why`, `sort times desc`, `limit 50`,
	}},
	{"refused-sources", "Addresses that Kamailio refused or banned, by how often", kamailio, []string{
		`filter @message like /: (banned|refused) /`,
		`parse @message /: (?<what>banned|refused)( \S+ from)? (?<source>[0-9a-fA-F.:]+?):? /`,
		`filter ispresent(source)`, `stats count(*) as times, max(@timestamp) as last by source, what`, `sort times desc`, `limit 20`,
	}},
	{"calls-in-trouble", "What keeps calls from going through, by cause", kamailio, []string{
		`parse @message /(?<cause>did not take the media|takes no calls|goes by another Router|its next hop is|call record was refused)/`,
		`filter ispresent(cause)`, `stats count(*) as times, max(@timestamp) as last by cause, @logStream`, `sort times desc`, `limit 20`,
	}},
	{"kamailio-errors", "Kamailio's errors, by where they come from", kamailio, []string{
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
	{"web-errors", "Requests that engines answered with an error, by path", []string{"uc-engine/nginx"}, []string{
		`parse @message /^(?<source>\S+) .*"(?<method>[A-Z]+) (?<path>[^ ?"]+)[^"]*" (?<status>5\d\d) /`,
		`filter ispresent(status)`, `stats count(*) as times, max(@timestamp) as last by status, method, path`, `sort times desc`, `limit 50`,
	}},
	{"database-errors", "Errors of PostgreSQL, by what it says", []string{"*/postgresql"}, []string{
		`parse @message /(?<level>ERROR|FATAL|PANIC):  (?<what>.{1,120})/`,
		`filter ispresent(level)`, `stats count(*) as times, max(@timestamp) as last by @log, level, what`, `sort times desc`, `limit 50`,
	}},
	{"configuration", "When Ansible worked on machines, by hour", journal, []string{
		`parse @message /ansible-(?<module>[\w.]+):? Invoked with /`,
		`filter ispresent(module)`, `stats count(*) as tasks, min(@timestamp) as first, max(@timestamp) as last by @logStream, bin(1h)`, `sort first desc`, `limit 50`,
	}},
	{"boots", "What new machines of fleets said until they were ready", []string{"c4-*/journal"}, []string{
		`parse @message /calldata-boot: (?<what>.+)/`,
		`filter ispresent(what)`, `display @timestamp, @logStream, what`, `sort @timestamp desc`, `limit 200`,
	}},
	{"logins", "Who logged in by SSH", journal, []string{
		`filter @message like /^sshd(-session)?: Accepted /`,
		`parse @message /Accepted \S+ for (?<user>\S+) from (?<source>\S+) port/`,
		`display @timestamp, @logStream, user, source`, `sort @timestamp desc`, `limit 50`,
	}},
	{"refused-logins", "Addresses whose logins by SSH were refused", journal, []string{
		`parse @message /^sshd(-session)?: (?<what>Invalid user|Failed password for|Connection closed by authenticating user|Disconnected from authenticating user) (?<user>.*?) (from )?(?<source>[0-9a-f.:]+) port /`,
		`filter ispresent(source)`, `stats count(*) as times, max(@timestamp) as last by source, user`, `sort times desc`, `limit 50`,
	}},
	{"sudo", "What people did as root, without what Ansible did", journal, []string{
		`parse @message /^sudo: +(?<user>\S+) : ((?<refused>[^=;]+) ; )?(TTY=\S+ ; )?PWD=[^;]+ ; USER=(?<as>\S+) ; COMMAND=(?<command>.{1,200})/`,
		`filter ispresent(command) and command not like /BECOME-SUCCESS/`, `display @timestamp, @logStream, user, as, command, refused`, `sort @timestamp desc`, `limit 200`,
	}},
}

// All are the queries, those of calls first.
func All() []Query { return all }

// Sources are the log groups of the query that a stack with machines of these roles has, by their whole names.
func (q Query) Sources(prefix string, roles []string) []string {
	return loggroups.Matching(prefix, roles, q.Groups...)
}

// Text is the query without its sources.
func (q Query) Text() string { return strings.Join(q.Lines, "\n| ") }
