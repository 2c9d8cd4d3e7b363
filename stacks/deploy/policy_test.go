package deploy

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/infra/policy"
	"github.com/calldata/calldata-foundation/stacks"
)

// judged is what the rules see of a recorded graph.
func judged(rec *componenttest.Recorder) []policy.Resource {
	var all []policy.Resource
	for _, r := range rec.Resources() {
		urn := r.Type + " " + r.Name
		all = append(all, policy.Resource{
			Type: r.Type, Name: r.Name, URN: urn, ID: r.Name + "-id", Parent: r.Parent, Protect: r.Protect, RetainOnDelete: r.RetainOnDelete,
			Dependencies: r.Dependencies, Props: policy.NormalizeProps(r.Inputs),
		})
	}
	return all
}

// TestStacksKeepThePolicies judges the whole graph of each stack. Advisory rules are listed, so that a new violation shows
// in a diff.
func TestStacksKeepThePolicies(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			report := policy.Evaluate(policy.Graph{Stack: string(kind), Scope: policy.Scope(kind), Resources: judged(graph(t, topologyOf(t, kind)))}, nil)
			require.Positive(t, report.Rules)
			for _, v := range report.Mandatory() {
				t.Errorf("%s %s: %s", v.Rule, v.Resource, v.Message)
			}
			var advice []string
			for _, v := range report.Violations {
				if v.Level == policy.Advisory {
					advice = append(advice, v.Rule+" "+v.Resource)
				}
			}
			assert.Equal(t, advised[kind], advice)
		})
	}
}

func TestDevWithC4KeepsThePolicies(t *testing.T) {
	t.Parallel()
	rec := graph(t, topology(t, "c4", "true"))
	require.Len(t, rec.OfType("aws:ec2/instance:Instance"), 3)
	report := policy.Evaluate(policy.Graph{Stack: "dev", Scope: policy.Dev, Resources: judged(rec)}, nil)
	require.Positive(t, report.Rules)
	assert.Empty(t, report.Violations)
}

// A prod that copies its backups breaks no rule, and has no advice to take.
func TestProdWithCopiesKeepsThePolicies(t *testing.T) {
	t.Parallel()
	rec := graph(t, topologyOf(t, stacks.KindProd, "copyRegion", "eu-central-1"))
	report := policy.Evaluate(policy.Graph{Stack: "prod", Scope: policy.Prod, Resources: judged(rec)}, nil)
	require.Positive(t, report.Rules)
	assert.Empty(t, report.Violations)
}

// A drill of prod, which is destroyed when it ends, breaks the rules that infra/calldata/dr/afresh excepts it from, and no others.
func TestDrillOfProdBreaksRulesOfWhatLasts(t *testing.T) {
	t.Parallel()
	rec := graph(t, topologyOf(t, stacks.KindProd, "protect", "false", "lockBackups", "false", "alarms", "none", "databaseSnapshot", "rds:prod-router-1"))
	var broken []string
	for _, v := range policy.Evaluate(policy.Graph{Stack: "prod-drill", Scope: policy.Prod, Resources: judged(rec)}, nil).Mandatory() {
		broken = append(broken, v.Rule)
	}
	slices.Sort(broken)
	assert.Equal(t, []string{"CD-25", "CD-32", "CD-46", "CD-50"}, slices.Compact(broken))
}

// advised are the violations of advisory rules that the stacks live with.
var advised = map[stacks.Kind][]string{
	// One zone less to pay for, and no firewall for requests, where only testers call.
	stacks.KindStage: {"CD-24 stage-router", "CD-34 stage-web"},
	// Copies in a second region are a decision about money and law, which a stack does not make by itself.
	stacks.KindProd: {"CD-21 prod-backups"},
}
