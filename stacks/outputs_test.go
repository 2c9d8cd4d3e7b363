package stacks

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseOutputs(t *testing.T) {
	t.Parallel()
	o, err := ParseOutputs([]byte(`{"stack":"dev","region":"us-east-1","endpoints":{"web":"https://203.0.113.10","sip":"sip:203.0.113.10:5060"},
		"nodes":[{"name":"dev-uc-1","roles":["uc-engine"],"instanceId":"i-1","zone":"us-east-1a","privateIp":"10.20.0.4","publicIp":"203.0.113.10","user":"admin",
			"firewall":[{"name":"ssh","protocol":"tcp","from":22,"to":22,"sources":["203.0.113.0/24"],"peers":[]}]}],"vpcCidr":"10.20.0.0/16"}`))
	require.NoError(t, err)
	assert.Equal(t, "203.0.113.10", o.Nodes[0].Address())
	assert.Equal(t, "10.20.0.0/16", o.VpcCIDR.String())
	assert.Equal(t, "/calldata/dev", LogPrefix(o.Stack))
	o.Nodes[0].PublicIP = ""
	assert.Equal(t, "10.20.0.4", o.Nodes[0].Address())

	_, err = ParseOutputs([]byte(`{`))
	require.ErrorContains(t, err, "are not the JSON of `pulumi stack output --json`")
	_, err = ParseOutputs([]byte(`{"nodes":[{"roles":["pbx"],"privateIp":"x","publicIp":"y"},{"name":"a","roles":[]},{"name":"a","firewall":[{"name":"ssh","protocol":"tcp","from":22,"to":22}]}],
		"backups":{}}`))
	for _, want := range []string{"stack output stack is empty", "region is empty", "endpoints.web is empty", "endpoints.sip is empty", "nodes[0].name is empty",
		"nodes[0].instanceId is empty", `nodes[0].roles has "pbx"`, `nodes[0].privateIp is "x"`, `nodes[0].publicIp is "y"`, "nodes[1].roles is empty", "nodes[2].firewall: opening \"ssh\": it is for nobody", "backups.bucket is empty",
		"backups.keyArn is empty", `nodes[2].name is "a", which an earlier node has too`} {
		assert.ErrorContains(t, err, want)
	}
	_, err = ParseOutputs([]byte(`{"backups":{"bucket":"b","keyArn":"k","copy":{}}}`))
	for _, want := range []string{"backups.copy.region is empty", "backups.copy.bucket is empty", "backups.copy.keyArn is empty"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = ParseOutputs([]byte(`{}`))
	assert.ErrorContains(t, err, "stack output nodes is empty")
}
