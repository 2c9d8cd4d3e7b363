package deploy

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/alb"
	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/replica"
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
	if d.topology.WatchesCopies() {
		args.CopyVaultARN = d.made.replica.VaultARN
		args.Elsewhere = &observability.Elsewhere{Provider: d.made.elsewhere, KMSKeyARN: d.made.elsewhereKey}
	}
	for _, thing := range d.topology.Watched() {
		args.Targets = append(args.Targets, observability.Target{Thing: thing, IDs: d.identities(thing)})
	}
	return args
}

// identities are what CloudWatch calls something of the stack, by the dimensions of its metrics. What is not made yet has a
// stand-in.
func (d *deployment) identities(thing alarms.Thing) map[string]pulumi.StringInput {
	t := d.topology
	switch thing.Kind {
	case alarms.Machine:
		var id pulumi.StringInput = pulumi.String("later")
		if i := slices.IndexFunc(t.Nodes, func(n stacks.NodeSpec) bool { return n.Name == thing.Name }); i < len(d.made.nodes) {
			id = d.made.nodes[i].InstanceID
		}
		return map[string]pulumi.StringInput{metrics.DimInstance: id}
	case alarms.Fleet:
		var group pulumi.StringInput = pulumi.String("later")
		if i := slices.IndexFunc(t.Fleets, func(f stacks.FleetSpec) bool { return f.Name == thing.Name }); i < len(d.made.fleets) {
			group = d.made.fleets[i].GroupName
		}
		return map[string]pulumi.StringInput{metrics.DimGroup: group}
	case alarms.Database:
		return map[string]pulumi.StringInput{"DBInstanceIdentifier": d.made.rds.InstanceID}
	case alarms.Web, alarms.WebTargets, alarms.WebCertificate:
		// Engines are in the blue group.
		return map[string]pulumi.StringInput{
			"LoadBalancer": d.made.alb.ARNSuffix, "TargetGroup": d.made.alb.TargetGroups[alb.Blue].ARNSuffix, "CertificateArn": d.made.alb.CertificateARN,
		}
	case alarms.CarrierTargets:
		return map[string]pulumi.StringInput{"LoadBalancer": d.made.sipEdge.CarrierARNSuffix, "TargetGroup": d.made.sipEdge.TargetGroupARNSuffix}
	case alarms.Outside:
		return map[string]pulumi.StringInput{metrics.DimStack: pulumi.String(thing.Name)}
	case alarms.Vault:
		return map[string]pulumi.StringInput{alarms.DimVault: d.made.backup.VaultName}
	case alarms.Copies, alarms.Arrivals:
		return map[string]pulumi.StringInput{
			alarms.DimSource: input(d.made.bucketName, stacks.BucketBackups), alarms.DimDestination: d.made.replica.BucketName, alarms.DimRule: pulumi.String(replica.Rule),
		}
	case alarms.Logs: // the namespace says whose they are
	}
	return nil
}
