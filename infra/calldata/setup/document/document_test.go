package document

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExample(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../../docs/examples/tenant.yml")
	require.NoError(t, err)
	d, err := Parse(data, []string{"10.0.0.6", "10.0.0.7"})
	require.NoError(t, err)
	acme := &d.Tenants[0]
	assert.Equal(t, []string{"10.0.0.6", "10.0.0.7"}, acme.Trunks[0].Hosts)
	assert.Equal(t, DefaultPort, acme.Trunks[0].Port)
	assert.Equal(t, DefaultRing, acme.Users[1].Ring)
	assert.Equal(t, "14155550101", acme.Inbound[0].Number)
	assert.Equal(t, "acme-c4-2", acme.Trunks[0].Endpoint(acme, 1))
	assert.Equal(t, []string{"10.0.0.7"}, acme.Trunks[0].Match(1))
	assert.Equal(t, []string{"198.51.100.0/28"}, acme.Trunks[1].Match(0))
	assert.Equal(t, []string{"acme_admin_password", "acme_ada_sip", "acme_lobby_sip"}, d.Secrets())
	_, err = Parse(data, nil)
	assert.ErrorContains(t, err, "tenants[0].trunks[0].hosts is empty, and the stack's outputs name no Router")
	d, err = Parse(bytes.Replace(data, []byte("{name: c4,"), []byte("{name: c4, hosts: [],"), 1), []string{"10.0.0.6"})
	require.NoError(t, err)
	assert.Equal(t, []string{"10.0.0.6"}, d.Tenants[0].Trunks[0].Hosts, "an empty list is none")
}

// every is wrong in every way that a document can be.
const every = `
language: de_DE
tenants:
  - name: ""
    slug: too-long-slug
    country: usa
    admin: {username: root, password: !secret a}
    contexts:
      - {name: in, type: internal}
      - {name: in, type: outcall, ranges: [{first: "1", last: "2"}], includes: [nowhere, in]}
      - {name: did, type: incall, ranges: [{first: "20", last: "9"}]}
      - {name: "x y", type: other}
    users:
      - {firstname: "", email: x, context: did, extension: "1", ring: -5, caller_id: abc, sip: {username: "a b"}}
    trunks:
      - {name: t, context: in, hosts: [Some.Host, sip.example], port: 70000, sources: []}
      - {name: t, context: did, hosts: [10.0.0.1], sources: [10.0.0.1/24]}
    inbound:
      - {number: "5", context: did, to: "user:nobody"}
      - {number: "5", context: did, to: "extension:1"}
      - {number: "6", context: did, to: "hangup:loud"}
      - {number: "7", context: did, to: "fax"}
    outbound:
      - {name: o, context: did, trunks: [missing], patterns: [{match: "x", strip: 30, prefix: z, caller_id: y}]}
      - {name: o, context: in, trunks: [], patterns: []}
  - {name: other, slug: master, country: FR}
`

func TestEveryMistakeIsTold(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(every), nil)
	for _, want := range []string{
		`language is "de_DE"`, `tenants[0].name is ""`, `tenants[0].slug is "too-long-slug"`, `country is "usa"`, `admin.username is root`,
		`contexts[0].ranges is empty`, `contexts[1].name is "in", which another`, `contexts[1].ranges has no meaning`, `contexts[1].includes[0] is "nowhere"`,
		`contexts[1].includes[1] is "in"`, `contexts[2].ranges[0] is "20" to "9"`, `contexts[3].name is "x y"`, `contexts[3].type is "other"`,
		`users[0].firstname is ""`, `users[0].email is "x"`, `users[0].context is "did"`, `users[0].ring is -5`, `users[0].caller_id is "abc"`,
		`users[0].sip.username is "a b"`, `users[0].sip.password is missing`,
		`trunks[0].context is "in"`, `trunks[0].hosts[0] is "Some.Host"`, `trunks[0].sources is empty, but host sip.example is no address`, `trunks[0].port is 70000`,
		`trunks[1].name is "t", which another`, `trunks[1].sources[0] is 10.0.0.1/24`,
		`inbound[0].number is "5"`, `inbound[0].to is "user:nobody"`, `inbound[1].number is "5", which another`, `inbound[1].to is "extension:1"`,
		`inbound[2].to is "hangup:loud"`, `inbound[3].to is "fax"`,
		`outbound[0].context is "did"`, `outbound[0].trunks[0] is "missing"`, `patterns[0].match is "x"`, `patterns[0].strip is 30`, `patterns[0].prefix is "z"`,
		`patterns[0].caller_id is "y"`, `outbound[1].name is "o", which another`, `outbound[1].trunks is empty`, `outbound[1].patterns is empty`,
		`tenants[1].slug is master`,
	} {
		assert.ErrorContains(t, err, want)
	}
	_, err = Parse([]byte("tenants: []"), nil)
	require.ErrorContains(t, err, "tenants is empty")
}

func TestPasswordsAreNeverInTheClear(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("tenants:\n  - admin: {username: ada, password: hunter22}\n    tenant: x\n"), nil)
	require.ErrorContains(t, err, "`!secret name`")
	assert.NotContains(t, err.Error(), "hunter22")
	_, err = Parse([]byte("tenants:\n  - {nme: x}\n"), nil)
	assert.ErrorContains(t, err, "field nme not found")
}
