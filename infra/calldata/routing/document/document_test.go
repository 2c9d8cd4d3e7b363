package document

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const good = `
tenants:
  - name: acme
    domains: [acme.example.com]
    ipbxes:
      - {name: acme-1, addresses: [10.20.1.5, 10.20.2.5], rules_in: us, rules_out: plus}
    dids:
      - {number: "+14155550100", ipbx: acme-1}
      - {first: "+14155550200", last: "+14155550219", ipbx: acme-1}
      - {prefix: "+1415556", length: 11, ipbx: acme-1}
    routes:
      - {name: world, prefix: "", targets: [{trunk: telco-1, weight: 75}, {trunk: telco-2, weight: 25}, {trunk: spare, priority: 2}]}
      - {name: france, prefix: "+33", targets: [{trunk: spare}]}
  - name: globex
    ipbxes: [{name: globex-1, addresses: [10.20.1.6]}]
    dids: [{number: "+14155550300", ipbx: globex-1}]
carriers:
  - name: telco
    trunks:
      - {name: telco-1, host: 198.51.100.10, sources: [198.51.100.0/28], rules_in: us, rules_out: plus}
      - name: telco-2
        host: sip.telco.example
        transport: tls
        port: 5061
        register: {registrar: sip.telco.example}
        auth: {username: acme, realm: telco, password: !secret telco_password}
  - name: other
    trunks: [{name: spare, host: 198.51.100.70, sources: [198.51.100.64/28], rules_in: us}]
rulesets:
  - name: us
    rules:
      - {match: '^\+([1-9][0-9]{6,14})$', replace: '\1'}
      - {match: '^011([1-9][0-9]{6,14})$', replace: '\1'}
      - {match: '^1?([2-9][0-9]{9})$', replace: '1\1'}
  - name: plus
    rules: [{match: '^(.*)$', replace: '+\1'}]
tests:
  - {from: "trunk:telco-1", to: "4155550100", expect: "ipbx:acme-1", number: "+14155550100"}
  - {from: "ipbx:acme-1", to: "011331234567", expect: "trunk:spare", number: "331234567"}
  - {from: "trunk:telco-1", to: "4155550999", expect: nowhere}
`

func TestDefaultsAndCanonicalForm(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(good))
	require.NoError(t, err)
	trunk, carrier := d.Trunk("telco-1")
	assert.Equal(t, "telco", carrier.Name)
	assert.Equal(t, []int{408, 500, 502, 503, 504}, trunk.Failover)
	assert.Equal(t, []any{5060, "udp", 120}, []any{trunk.Port, trunk.Transport, trunk.Ring})
	text, err := d.YAML()
	require.NoError(t, err)
	assert.Contains(t, string(text), "password: !secret telco_password")
	again, err := Parse(text)
	require.NoError(t, err)
	assert.Equal(t, d, again)
	for _, o := range d.Check() {
		assert.True(t, o.OK, "%+v", o)
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		did  Did
		want []Span
	}{
		{Did{Number: "14155550100"}, []Span{{"14155550100", 11}}},
		{Did{Prefix: "1415", Length: 11}, []Span{{"1415", 11}}},
		{Did{First: "100", Last: "119"}, []Span{{"10", 3}, {"11", 3}}},
		{Did{First: "099", Last: "200"}, []Span{{"099", 3}, {"1", 3}, {"200", 3}}},
		{Did{First: "198", Last: "202"}, []Span{{"198", 3}, {"199", 3}, {"200", 3}, {"201", 3}, {"202", 3}}},
	} {
		assert.Equal(t, tt.want, tt.did.Spans(), "%s", tt.did)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(good))
	require.NoError(t, err)
	from := func(text string) Party {
		p, err := d.Source(text)
		require.NoError(t, err)
		return p
	}
	// From an engine, a number of another tenant stays in the house.
	path := d.Walk(from("ipbx:acme-1"), "14155550300")
	assert.Equal(t, []Choice{{To: "ipbx:globex-1", Number: "14155550300", Priority: 1, Share: 1}}, path.Choices)
	path = d.Walk(from("ipbx:acme-1"), "+442071234567")
	assert.Equal(t, "route world", path.By)
	assert.Equal(t, []Choice{
		{To: "trunk:telco-1", Number: "+442071234567", Priority: 1, Share: 0.75}, {To: "trunk:telco-2", Number: "442071234567", Priority: 1, Share: 0.25},
		{To: "trunk:spare", Number: "442071234567", Priority: 2, Share: 1},
	}, path.Choices)
	assert.Equal(t, "nobody has the number +14155551234", d.Walk(from("trunk:telco-1"), "+14155551234").Refused)
	assert.Equal(t, "no rule of us matches 99", d.Walk(from("trunk:telco-1"), "99").Refused)
	assert.Equal(t, "globex has no route for +331", d.Walk(from("ipbx:globex-1"), "331").Refused)
	// A number within a prefix, but of another length, is nobody's.
	assert.NotEmpty(t, d.Walk(from("trunk:telco-2"), "141555612345").Refused)
}

func TestEveryMistakeIsTold(t *testing.T) {
	t.Parallel()
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(good) }
	for name, tt := range map[string]struct{ text, want string }{
		"a password in the clear": {change("!secret telco_password", "hunter2"), "a password is written as `!secret name`"},
		"an unknown field":        {change("weight: 75", "wait: 75"), "field wait not found"},
		"no tenants":              {"tenants: []", "tenants is empty"},
		"a name twice":            {change("name: globex-1", "name: acme-1"), `tenants[1].ipbxes[0].name is "acme-1", which another ipbx has too`},
		"an address twice":        {change("[10.20.1.6]", "[10.20.1.5]"), "ipbx globex-1 and ipbx acme-1 both have 10.20.1.5/32"},
		"sources that overlap":    {change("198.51.100.64/28", "198.51.100.0/26"), "trunk spare and trunk telco-1 both have"},
		"no source check":         {change("sources: [198.51.100.64/28], ", ""), "carriers[1].trunks[0].sources is empty: name the addresses"},
		"the whole internet":      {change("198.51.100.64/28", "0.0.0.0/0"), "more than 65536 addresses are no carrier"},
		"host bits":               {change("198.51.100.64/28", "198.51.100.70/28"), "the range is 198.51.100.64/28"},
		"a circle":                {change("host: 198.51.100.70", "host: 10.20.1.5"), "which is the engine acme-1: calls would go in a circle"},
		"a public engine":         {change("[10.20.1.6]", "[8.8.8.8]"), "is 8.8.8.8: want a private IPv4 address"},
		"two owners of a number":  {change(`"+14155550300"`, `"+14155550205"`), "tenants[1].dids[0] is +14155550205, of which tenants[0].dids[1] has numbers already"},
		"a number that no call reaches": {change(`'^\+([1-9][0-9]{6,14})$', replace: '\1'`, `'^\+(44[0-9]{6,14})$', replace: '\1'`, "rules: [{match: '^(.*)$'", "rules: [{match: '^(x.*)$'",
			"        register: {registrar: sip.telco.example}", "        rules_in: plus\n        register: {registrar: sip.telco.example}", `'^1?([2-9][0-9]{9})$', replace: '1\1'`, `'^9([2-9][0-9]{9})$', replace: '1\1'`,
			`'^011([1-9]`, `'^0119([1-9]`), "no trunk's rules_in make +14155550100"},
		"lengths that hide each other": {change(`{prefix: "+1415556", length: 11, ipbx: acme-1}`, `{prefix: "+141555501", length: 12, ipbx: acme-1}`), "numbers of another length that begin alike"},
		"a range backwards":            {change(`last: "+14155550219"`, `last: "+14155550100"`), `is "14155550100" after first "14155550200"`},
		"two forms":                    {change("number: \"+14155550300\"", "number: \"+14155550300\", prefix: \"1\", length: 11"), "has 2 forms"},
		"somebody else's engine":       {change("dids: [{number: \"+14155550300\", ipbx: globex-1}]", "dids: [{number: \"+14155550300\", ipbx: acme-1}]"), `is "acme-1", which is no engine of globex`},
		"a rule unanchored":            {change("'^(.*)$', replace: '+\\1'", "'(.*)', replace: '+\\1'"), "begin with ^ and end with $"},
		"a group too many":             {change("replace: '+\\1'", "replace: '+\\2'"), `\2 is no group of the match`},
		"a bad expression":             {change("'^(.*)$'", "'^(.*$'"), "missing closing )"},
		"an unknown trunk":             {change("targets: [{trunk: spare}]", "targets: [{trunk: sparse}]"), `is "sparse", but there is no such trunk`},
		"a prefix twice":               {change(`prefix: "+33"`, `prefix: ""`), `is "", as of route world`},
		"a challenge passed over": {change("rules_in: us, rules_out: plus}\n      - name: telco-2", "rules_in: us, failover: [407]}\n      - name: telco-2"),
			"a challenge is answered"},
		"a registration without a login": {change("        auth: {username: acme, realm: telco, password: !secret telco_password}\n", ""), "a registration needs a login"},
		"a test of nobody":               {change(`from: "ipbx:acme-1"`, `from: "ipbx:acme-9"`), `tests[1].from is "ipbx:acme-9": there is no ipbx "acme-9"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tt.text))
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	_, err := Parse([]byte(change("[10.20.1.6]", "[8.8.8.8]", "targets: [{trunk: spare}]", "targets: [{trunk: sparse}]")))
	assert.ErrorContains(t, err, "8.8.8.8")
	assert.ErrorContains(t, err, "sparse")
}

func TestChecksThatFail(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(strings.NewReplacer(`expect: nowhere`, `expect: "ipbx:acme-1"`, `number: "331234567"`, `number: "0331234567"`).Replace(good)))
	require.NoError(t, err)
	got := d.Check()
	assert.True(t, got[0].OK)
	assert.Equal(t, Outcome{Test: d.Tests[1], Got: "trunk:spare as 331234567"}, got[1])
	assert.Equal(t, Outcome{Test: d.Tests[2], Got: Nowhere}, got[2])
}
