package deploy

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/alb"
	"github.com/calldata/calldata-foundation/components/hostedzone"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/sipedge"
	"github.com/calldata/calldata-foundation/stacks"
)

// idleTimeout is longer than the 188 s after which nginx ends a silent WebSocket, so that the engine, which can tell its
// phones, is the one to end it. Source: xivo-config, etc/nginx/locations/https-available/asterisk.
const idleTimeout = 240 * time.Second

func (d *deployment) web() error {
	if d.topology.Web == nil {
		return nil
	}
	zone, err := hostedzone.Find(d.ctx, d.topology.Web.HostedZone)
	if err != nil {
		return err
	}
	d.made.zoneID = pulumi.String(zone).ToStringOutput()
	balancer, err := alb.NewAlb(d.ctx, d.topology.Web.Name, d.webArgs())
	d.made.alb = balancer
	return err
}

func (d *deployment) webArgs() alb.Args {
	spec := d.topology.Web
	return alb.Args{
		VpcID: d.made.vpcID, SubnetIDs: d.subnetIDs(stacks.TierPublic), SubnetCount: len(d.topology.Network.Of(stacks.TierPublic)),
		SecurityGroupID: d.made.groups[ports.GroupALB], Domain: alb.DomainArgs{Name: spec.Domain, ZoneID: d.made.zoneID}, CertificateARN: spec.CertificateARN,
		Weights: alb.Weights{Blue: spec.Blue, Green: spec.Green}, LogsBucket: d.made.bucketName[stacks.BucketAccessLogs], LogsPrefix: "web",
		WAF: spec.WAF, IdleTimeout: idleTimeout, Protect: spec.Protect, Tags: d.tags("web"),
	}
}

func (d *deployment) sipEdge() error {
	if d.topology.SIPEdge == nil {
		return nil
	}
	edge, err := sipedge.NewSipEdge(d.ctx, d.topology.SIPEdge.Name, d.sipEdgeArgs())
	if err != nil {
		return err
	}
	d.made.sipEdge = edge
	for i, spec := range d.topology.Nodes {
		if d.topology.SIPEdge.Carriers && spec.Roles[0] == stacks.RoleC4SBC {
			node := d.made.nodes[i]
			if err := edge.Attach(d.ctx, spec.Name, node.InstanceID, node.Reachable); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxFlowDrain is the longest that AWS keeps the flows of an SBC that leaves.
// Source: User Guide for Network Load Balancers, Target group attributes.
const maxFlowDrain = time.Hour

// flowDrain is how long carriers' flows stay with an SBC that leaves: as long as its calls may last, or the longest.
func (d *deployment) flowDrain() time.Duration {
	for _, f := range d.topology.Fleets {
		if f.Balanced {
			return min(f.DrainTimeout, maxFlowDrain)
		}
	}
	return maxFlowDrain
}

func (d *deployment) sipEdgeArgs() sipedge.Args {
	spec := d.topology.SIPEdge
	args := sipedge.Args{VpcID: d.made.vpcID, Protect: spec.Protect, Tags: d.tags("sip-edge")}
	if spec.Carriers {
		status, _ := ports.Find(ports.C4SBC(), ports.Status)
		subnets := map[string]pulumi.StringInput{}
		for _, s := range d.topology.Network.Of(stacks.TierPublic) {
			subnets[s.Zone] = d.made.subnets[s.Name]
		}
		args.Carriers = &sipedge.CarrierArgs{
			SubnetIDs: subnets, SecurityGroupID: d.made.groups[ports.GroupNLB], StatusPort: status.From, DrainTimeout: d.flowDrain(),
			LogsBucket: d.made.bucketName[stacks.BucketAccessLogs], LogsPrefix: "carriers",
		}
	}
	if spec.Phones {
		args.Phones = &sipedge.PhoneArgs{
			Pool: spec.Pool, Addresses: d.edgeAddresses(), Domain: spec.Domain, ZoneID: d.made.zoneID, HealthChecks: spec.HealthChecks,
		}
		if spec.Pool > 0 {
			args.Phones.PoolTag = stacks.AddressPool(d.topology.Stack)
		}
	}
	return args
}

// openWeb lets the load balancer send people to the engines once they are configured: until its wizard has run, an engine
// lets whoever comes first choose the root password.
func (d *deployment) openWeb() error {
	if d.topology.Web == nil {
		return nil
	}
	https, _ := ports.Find(ports.UCEngine(), ports.HTTPS)
	for i, spec := range d.topology.Nodes {
		if spec.Roles[0] != stacks.RoleUCEngine {
			continue
		}
		target := alb.Target{Colour: alb.Blue, InstanceID: d.made.nodes[i].InstanceID, Port: https.From, After: d.made.configured}
		if err := d.made.alb.Attach(d.ctx, spec.Name, target); err != nil {
			return err
		}
	}
	return nil
}
