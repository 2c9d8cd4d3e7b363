package deploy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/policy"
	"github.com/calldata/calldata-foundation/stacks"
)

// TestPrometheusKeepsThePolicies judges the whole graph of stacks with a monitoring node.
func TestPrometheusKeepsThePolicies(t *testing.T) {
	t.Parallel()
	for _, kind := range []stacks.Kind{stacks.KindStage, stacks.KindProd} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			top := topologyOf(t, kind, "prometheus", "true")
			rec := graph(t, top)
			report := policy.Evaluate(policy.Graph{Stack: string(kind), Scope: policy.Scope(kind), Resources: judged(rec)}, nil)
			var found []string
			for _, v := range report.Violations {
				found = append(found, v.Rule+" "+v.Resource)
			}
			assert.Equal(t, advised[kind], found)

			name := string(kind) + "-prometheus-1"
			require.Contains(t, rec.OfType("aws:ec2/instance:Instance"), name)
			may := rec.OfType("aws:iam/rolePolicy:RolePolicy")[name].Inputs["policy"].(string)
			assert.Contains(t, may, `"sns:Publish"`)
			assert.Contains(t, may, ":"+string(kind)+"-*")
			assert.Contains(t, may, `"ec2:DescribeInstances"`)
			assert.NotContains(t, may, "s3:")
			assert.Contains(t, rec.OfType("aws:cloudwatch/metricAlarm:MetricAlarm"), name+"-units-down", "CloudWatch watches Prometheus")
			assert.NotContains(t, rec.OfType("aws:cloudwatch/metricAlarm:MetricAlarm"), name+"-backup-age")

			out, err := stacks.ParseOutputs(exports(t, top))
			require.NoError(t, err)
			assert.Equal(t, top.PrometheusOutput(), out.Prometheus)
			hosts, _ := told(t, top)
			require.Contains(t, hosts[name], "calldata_prometheus")
			for host, facts := range hosts {
				assert.Equal(t, host == name, facts["calldata_prometheus"] != nil, host)
			}
		})
	}
}
