package deploy

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/alb"
	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability"
	"github.com/calldata/calldata-foundation/stacks"
)

// watch registers the stack's alarms and dashboards, once its machines are configured: what is not there yet is no fault.
func (d *deployment) watch() error {
	if d.topology.Alarms == nil {
		return nil
	}
	_, err := observability.NewObservability(d.ctx, d.topology.Stack, d.watchArgs())
	return err
}

func (d *deployment) watchArgs() observability.Args {
	spec := d.topology.Alarms
	args := observability.Args{
		Level: spec.Level, Hours: spec.Hours, KMSKeyARN: input(d.made.keys, stacks.KeyNotices), Emails: spec.Emails, PagerURL: spec.PagerURL, Slack: spec.Slack, After: d.made.configured,
		Tags: d.tags("alarms"),
	}
	if spec.Dashboards {
		args.Dashboards = &observability.Dashboards{LogPrefix: stacks.LogPrefix(d.topology.Stack), Runbook: spec.Runbook}
	}
	for _, thing := range d.topology.Watched() {
		args.Targets = append(args.Targets, observability.Target{Thing: thing, IDs: d.identities(thing.Name)})
	}
	return args
}

// identities are what CloudWatch calls something of the stack, by the dimensions of its metrics. What is not made yet has a
// stand-in.
func (d *deployment) identities(name string) map[string]pulumi.StringInput {
	t := d.topology
	if i := slices.IndexFunc(t.Nodes, func(n stacks.NodeSpec) bool { return n.Name == name }); i >= 0 {
		var id pulumi.StringInput = pulumi.String("later")
		if i < len(d.made.nodes) {
			id = d.made.nodes[i].InstanceID
		}
		return map[string]pulumi.StringInput{metrics.DimInstance: id}
	}
	if i := slices.IndexFunc(t.Fleets, func(f stacks.FleetSpec) bool { return f.Name == name }); i >= 0 {
		var group pulumi.StringInput = pulumi.String("later")
		if i < len(d.made.fleets) {
			group = d.made.fleets[i].GroupName
		}
		return map[string]pulumi.StringInput{metrics.DimGroup: group}
	}
	switch {
	case t.Stack == name:
		return map[string]pulumi.StringInput{metrics.DimStack: pulumi.String(name)}
	case t.Database != nil && t.Database.Name == name:
		return map[string]pulumi.StringInput{"DBInstanceIdentifier": d.made.rds.InstanceID}
	case t.Web != nil && t.Web.Name == name:
		// Engines are in the blue group.
		return map[string]pulumi.StringInput{
			"LoadBalancer": d.made.alb.ARNSuffix, "TargetGroup": d.made.alb.TargetGroups[alb.Blue].ARNSuffix, "CertificateArn": d.made.alb.CertificateARN,
		}
	}
	return map[string]pulumi.StringInput{"LoadBalancer": d.made.sipEdge.CarrierARNSuffix, "TargetGroup": d.made.sipEdge.TargetGroupARNSuffix}
}
