package policy_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/infra/policy"
	"github.com/calldata/calldata-foundation/stacks"
)

// TestKnownTypesAreAllowed: what the settings accept, the policies do too.
func TestKnownTypesAreAllowed(t *testing.T) {
	t.Parallel()
	rule, _ := policy.FindRule("CD-49")
	types := stacks.InstanceTypes()
	require.NotEmpty(t, types)
	for _, known := range types {
		machine := policy.Resource{Type: "aws:ec2/instance:Instance", Name: known.Name, Props: map[string]any{"instanceType": known.Name}}
		assert.Empty(t, rule.Check(policy.Graph{Scope: policy.Dev, Resources: []policy.Resource{machine}}), known.Name)
	}
}

// TestServicesOfThePortTableMayBePublic: the policies have a list of their own of what the internet may reach, so that an
// edit of the port table alone opens nothing. What the table has for phones, carriers and users is on it.
func TestServicesOfThePortTableMayBePublic(t *testing.T) {
	t.Parallel()
	rule, _ := policy.FindRule("CD-07")
	seen := 0
	for _, group := range ports.Groups() {
		for _, p := range ports.Table(group) {
			open := p.Exposure == ports.Phones || p.Exposure == ports.Media || p.Exposure == ports.Users || p.Exposure == ports.Carriers
			if !p.Default || !open {
				continue
			}
			seen++
			ingress := policy.Resource{Type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", Name: fmt.Sprintf("%s-%s", group, p.Name), Props: policy.NormalizeProps(map[string]any{
				"ipProtocol": string(p.Protocol), "fromPort": p.From, "toPort": p.To, "cidrIpv4": "0.0.0.0/0",
			})}
			assert.Empty(t, rule.Check(policy.Graph{Scope: policy.Prod, Resources: []policy.Resource{ingress}}), ingress.Name)
		}
	}
	assert.Greater(t, seen, 5)
}
