package deploy

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/alb"
	"github.com/calldata/calldata-foundation/components/backup"
	"github.com/calldata/calldata-foundation/components/baseline"
	"github.com/calldata/calldata-foundation/components/bundle"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/rds"
	"github.com/calldata/calldata-foundation/components/replica"
	"github.com/calldata/calldata-foundation/components/sipedge"
	"github.com/calldata/calldata-foundation/components/vpc"
	"github.com/calldata/calldata-foundation/components/wazofleet"
	"github.com/calldata/calldata-foundation/components/wazonode"
	"github.com/calldata/calldata-foundation/stacks"
)

// made is what the components have answered so far. The arguments of every component are made from it.
type made struct {
	vpc        *vpc.Vpc
	vpcID      pulumi.StringOutput
	subnets    map[string]pulumi.StringOutput
	groups     map[ports.Group]pulumi.StringOutput
	rules      map[ports.Group][]pulumi.Resource
	keys       map[stacks.KeyUse]pulumi.StringOutput
	bucketName map[stacks.BucketUse]pulumi.StringOutput
	bucketARN  map[stacks.BucketUse]pulumi.StringOutput
	// bucketReady is what must be there before something is written into a bucket.
	bucketReady map[stacks.BucketUse][]pulumi.Resource
	zoneID      pulumi.StringOutput
	bundle      *bundle.Bundle
	rds         *rds.Rds
	alb         *alb.Alb
	sipEdge     *sipedge.SipEdge
	nodes       []*wazonode.WazoNode // in the topology's order
	fleets      []*wazofleet.WazoFleet
	inventory   pulumi.StringOutput
	configured  []pulumi.Resource
	baseline    *baseline.Baseline
	// elsewhere acts in the region of the copies of backups, elsewhereKey is the key of notices there.
	elsewhere    pulumi.ProviderResource
	elsewhereKey pulumi.StringOutput
	replica      *replica.Replica
	backup       *backup.Backup
}

// foreseen is made before anything is: it has a stand-in for everything that a component of t will answer, so that
// arguments can be checked whole.
func foreseen(t stacks.Topology) made {
	later := pulumi.String("later").ToStringOutput()
	m := made{
		vpcID: later, zoneID: later, inventory: later,
		subnets: map[string]pulumi.StringOutput{}, groups: map[ports.Group]pulumi.StringOutput{}, rules: map[ports.Group][]pulumi.Resource{},
		keys: map[stacks.KeyUse]pulumi.StringOutput{}, bucketName: map[stacks.BucketUse]pulumi.StringOutput{},
		bucketARN: map[stacks.BucketUse]pulumi.StringOutput{}, bucketReady: map[stacks.BucketUse][]pulumi.Resource{},
		elsewhere: &pulumi.ProviderResourceState{}, elsewhereKey: later, replica: &replica.Replica{BucketName: later, KeyARN: later, VaultARN: later}, backup: &backup.Backup{VaultName: later},
		bundle: &bundle.Bundle{}, rds: &rds.Rds{Endpoint: later, Port: pulumi.Int(0).ToIntOutput(), SecretARN: later, InstanceID: later, ARN: later},
		sipEdge: &sipedge.SipEdge{CarrierARNSuffix: later, TargetGroupARNSuffix: later},
		alb:     &alb.Alb{ARNSuffix: later, CertificateARN: later, TargetGroups: map[alb.Colour]alb.TargetGroup{alb.Blue: {ARN: later, ARNSuffix: later}}},
	}
	if t.Network != nil {
		for _, s := range t.Network.Subnets {
			m.subnets[s.Name] = later
		}
	}
	for _, g := range t.Firewall {
		m.groups[g.Name] = later
	}
	for _, use := range t.Keys {
		m.keys[use] = later
	}
	for _, b := range t.Buckets {
		m.bucketName[b.Use], m.bucketARN[b.Use] = later, later
	}
	return m
}

// input is the value of a map, or nil where the topology has no such thing: an absent key is a choice, not a mistake.
func input[K comparable](values map[K]pulumi.StringOutput, key K) pulumi.StringInput {
	if v, ok := values[key]; ok {
		return v
	}
	return nil
}

// known is the value of a map, or an empty text where the topology has no such thing.
func known[K comparable](values map[K]pulumi.StringOutput, key K) pulumi.StringOutput {
	if v, ok := values[key]; ok {
		return v
	}
	return pulumi.String("").ToStringOutput()
}
