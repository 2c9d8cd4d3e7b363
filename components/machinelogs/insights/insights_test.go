package insights

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var roles = []string{"c4-router", "c4-sbc", "uc-engine"}

// lines are as machines ship them, with the values that a query takes out of them; without any, the query leaves the line out.
var lines = map[string]map[string]string{
	"logins": {
		"sshd: Accepted publickey for admin from 203.0.113.9 port 50022 ssh2: ED25519 SHA256:x": "admin 203.0.113.9",
		"sshd: Disconnected from user admin 203.0.113.9 port 50022":                             "",
	},
	"refused-sources": {
		"kamailio: 5(812) NOTICE: <script>: banned 203.0.113.9 for 600 s: INVITE, 512 bytes":                       "banned 203.0.113.9",
		"kamailio: 5(812) NOTICE: <script>: banned 2001:db8::9 for 600 s: wrong passwords":                         "banned 2001:db8::9",
		"kamailio: NOTICE: <script>: refused INVITE from 203.0.113.9: not a peer":                                  "refused 203.0.113.9",
		"kamailio: NOTICE: <script>: refused INVITE from 203.0.113.9 on the inside port: not a Router":             "refused 203.0.113.9",
		"kamailio: NOTICE: <script>: refused INVITE from 203.0.113.9: its next hop is 10.0.0.1":                    "refused 203.0.113.9",
		"kamailio: ERROR: <script>: a call record was refused: INSERT INTO cdr VALUES ('a', 'refused b from 1.2')": "",
	},
	"calls-in-trouble": {
		"kamailio: ERROR: <script>: rtpengine did not take the media of call a@b": "did not take the media",
		"kamailio: WARNING: <script>: Router 10.0.0.1 takes no calls":             "takes no calls",
		"kamailio: NOTICE: <script>: Router 10.0.0.1 takes calls again":           "",
		"kamailio: ERROR: <script>: a call record was refused: INSERT":            "call record was refused",
	},
	"kamailio-errors": {
		"kamailio: 5(812) ERROR: db_postgres [km_pg_con.c:125]: db_postgres_new_connection(): no": "ERROR db_postgres",
		"kamailio: 5(812) ERROR: <script>: a call record was refused: INSERT":                     "ERROR <script>:",
		"kamailio: 5(812) NOTICE: <script>: Router 10.0.0.1 takes calls again":                    "",
	},
	"asterisk-errors": {
		"[2026-11-30 08:00:00.000] WARNING[711][C-0000000a] app_dial.c: Unable to create channel":     "WARNING app_dial.c",
		"[2026-11-30 08:00:00.000] ERROR[711]: res_pjsip_registrar.c:1234 registrar: no":              "ERROR res_pjsip_registrar.c",
		"[2026-11-30 08:00:00.000] NOTICE[711] res_pjsip.c: Request 'REGISTER' from 'x' failed for 1": "",
	},
	"wazo-errors": {
		"2026-11-30 08:00:00,123 [811] (ERROR) (wazo_calld.bus): no connection": "ERROR wazo_calld.bus no connection",
		"2026-11-30 08:00:00,123 [811] (INFO) (wazo_calld): (ERROR) is a word":  "",
	},
	"failed-calls": calls,
	"slow-ring":    calls,
	"calls-of-number": {
		"kamailio: 5(812) NOTICE: <script>: call a@b ended: code=486 direction=in from=12125550100 to=14155550100 in=t out=e": "12125550100",
		"[2026-11-30 08:00:00.000] VERBOSE[711][C-0000000a] pbx.c: Executing [12125550100@default:1] NoOp":                    "12125550100",
		"kamailio: 5(812) NOTICE: <script>: Router 10.0.0.1 takes calls again":                                                "",
	},
	"slow-queues": {
		"1796025600|1796025590.7|sales|PJSIP/abc|CONNECT|12|1796025590.9|4": "sales PJSIP/abc 12 4",
		"1796025600|1796025590.7|sales|NONE|ENTERQUEUE||1001|1":             "",
	},
	"refused-registrations": {
		"[2026-11-30 08:00:00.000] NOTICE[711] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:x@y>' failed for '203.0.113.9:5060' (callid: a@b) - No matching endpoint found": "REGISTER <sip:x@y> 203.0.113.9 No matching endpoint found",
		"[2026-11-30 08:00:00.000] WARNING[711] res_pjsip_registrar.c: AOR 'x' not found for endpoint 'y'":                                                                                  "",
	},
	"web-errors": {
		`203.0.113.9 - - [30/Nov/2026:08:00:00 +0000] "GET /api/confd/1.1/users?token=*** HTTP/1.1" 502 157 "-" "curl/8"`: "203.0.113.9 GET /api/confd/1.1/users 502",
		`203.0.113.9 - - [30/Nov/2026:08:00:00 +0000] "GET /api/confd/1.1/users HTTP/1.1" 200 5000 "-" "curl/8"`:          "",
	},
	"database-errors": {
		"2026-11-30 08:00:00.000 UTC [811] asterisk@asterisk ERROR:  relation \"x\" does not exist at character 15": "ERROR relation \"x\" does not exist at character 15",
		"2026-11-30 08:00:00.000 UTC [811] LOG:  checkpoint complete: wrote 9 buffers":                              "",
	},
	"configuration": {
		"python3: ansible-ansible.legacy.command Invoked with _raw_params=true":     "ansible.legacy.command",
		"ansible-ansible.builtin.apt: Invoked with name=['kamailio'] state=present": "ansible.builtin.apt",
		"sudo:    admin : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/ansible": "",
	},
	"boots": {
		"cloud-init: 2026-11-30T08:00:00Z calldata-boot: failed: the packages cannot be installed": "failed: the packages cannot be installed",
		"cloud-init: Cloud-init v. 22.4.2 finished at Mon, 30 Nov 2026 08:00:00 +0000.":            "",
	},
	"refused-logins": {
		"sshd: Invalid user oracle from 203.0.113.9 port 40022":                                        "Invalid user oracle 203.0.113.9",
		"sshd-session: Connection closed by authenticating user root 2001:db8::9 port 40022 [preauth]": "Connection closed by authenticating user root 2001:db8::9",
		"sshd: Failed password for bob from 203.0.113.9 port 40022 ssh2":                               "Failed password for bob 203.0.113.9",
		"sshd: Connection closed by 203.0.113.9 port 40022":                                            "",
	},
	"sudo": {
		"sudo:    admin : TTY=pts/0 ; PWD=/home/admin ; USER=root ; COMMAND=/usr/bin/systemctl restart kamailio": "admin root /usr/bin/systemctl restart kamailio",
		"sudo:    admin : PWD=/home/admin ; USER=postgres ; COMMAND=/usr/bin/psql":                               "admin postgres /usr/bin/psql",
		"sudo:      bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id":     "bob user NOT in sudoers root /usr/bin/id",
		"sudo: pam_unix(sudo:session): session opened for user root(uid=0) by admin(uid=1000)":                   "",
	},
}

// calls are lines of a Router; the template of its configuration writes them.
var calls = map[string]string{
	"kamailio: 5(812) NOTICE: <script>: call a@b ended: code=200 direction=in from=12125550100 to=14155550100 in=telco out=acme started=1796025600.1 answered=1796025630.2 ended=1796025700.3": "a@b 200 in 12125550100 14155550100 telco acme 1796025600.1 1796025630.2 1796025700.3",
	"kamailio: 5(812) NOTICE: <script>: call a@b ended: code=404 direction=out from= to= in=acme out= started=1796025600.1 answered= ended=1796025600.2":                                       "a@b 404 out acme 1796025600.1 1796025600.2",
	"kamailio: 5(812) NOTICE: <script>: INVITE of call a@b goes by another Router: sip:10.0.0.1":                                                                                               "",
}

// message is a command that looks for a pattern in the line. Go takes the same patterns, but for an escaped slash.
var message = regexp.MustCompile(`@message (?:like )?/(.+)/$`)

// Queries find what is meant in lines as they are shipped, and nothing else.
func TestQueries(t *testing.T) {
	t.Parallel()
	for _, q := range All() {
		require.NotEmpty(t, lines[q.Name], q.Name)
		assert.Contains(t, slices.Collect(maps.Values(lines[q.Name])), "", "%s: leaves nothing out", q.Name)
		for line, want := range lines[q.Name] {
			kept, found := true, []string{}
			for _, command := range q.Lines {
				pattern := message.FindStringSubmatch(command)
				if pattern == nil {
					continue
				}
				match := regexp.MustCompile(strings.ReplaceAll(pattern[1], `\/`, `/`))
				groups := match.FindStringSubmatch(line)
				kept = kept && groups != nil
				if groups == nil {
					continue
				}
				if len(groups) == 1 && q.Name == "calls-of-number" {
					found = append(found, groups[0])
				}
				for i, name := range match.SubexpNames() {
					if name != "" && groups[i] != "" {
						found = append(found, groups[i])
					}
				}
			}
			assert.Equal(t, want != "", kept, "%s: %s", q.Name, line)
			if kept {
				assert.Equal(t, want, strings.Join(found, " "), "%s: %s", q.Name, line)
			}
		}
	}
	for name := range lines {
		assert.True(t, slices.ContainsFunc(all, func(q Query) bool { return q.Name == name }), name)
	}
}

// CloudWatch refuses what is not so. Source: Amazon CloudWatch Logs API Reference, PutQueryDefinition.
func TestQueriesAreWhatCloudWatchTakes(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, q := range All() {
		assert.Regexp(t, `^[a-z]+(-[a-z]+)*$`, q.Name)
		assert.False(t, names[q.Name], q.Name)
		names[q.Name] = true
		assert.NotEmpty(t, q.Title, q.Name)
		assert.LessOrEqual(t, len(q.Text()), 10000, q.Name)
		sources := q.Sources("/calldata/x", roles)
		assert.NotEmpty(t, sources, q.Name)
		assert.LessOrEqual(t, len(sources), MaxSources, q.Name)
		for _, command := range q.Lines {
			assert.Regexp(t, `^(parse|filter|fields|stats|display|sort|limit) `, command, q.Name)
		}
	}
	assert.Empty(t, all[0].Sources("/calldata/x", []string{"uc-engine"}))
	assert.Equal(t, []string{"/calldata/x/c4-router/kamailio"}, all[0].Sources("/calldata/x", roles))
}
