package deploy

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/configure"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/components/vpc"
	"github.com/calldata/calldata-foundation/components/wazonode"
	"github.com/calldata/calldata-foundation/stacks"
)

// Options are what a topology does not hold.
type Options struct {
	// Inventory makes the Ansible inventory, in YAML, from the stack's outputs.
	Inventory func(stacks.Outputs) (string, error)
	// ContentHash stands for everything that Ansible reads. Needed where the configuration stage is enabled.
	ContentHash string
}

// Deploy registers t and exports its outputs, in the shape of stacks.Outputs. A topology or options that are not valid
// fail before the first resource.
func Deploy(ctx *pulumi.Context, t stacks.Topology, o Options) error {
	d := deployment{ctx: ctx, topology: t, options: o}
	if err := errors.Join(t.Validate(), o.validate(t)); err != nil {
		return fmt.Errorf("deploy stack %s: %w", t.Stack, err)
	}
	if err := d.validate(); err != nil {
		return fmt.Errorf("deploy stack %s: %w", t.Stack, err)
	}
	network, err := d.network()
	if err != nil {
		return err
	}
	for _, spec := range t.Nodes {
		node, err := d.node(spec, network)
		if err != nil {
			return err
		}
		d.nodes = append(d.nodes, node)
	}
	inventory := d.inventory()
	d.export(inventory)
	if !t.Configuration.Enabled {
		return nil
	}
	return d.configure(inventory)
}

func (o Options) validate(t stacks.Topology) error {
	var errs []error
	if o.Inventory == nil {
		errs = append(errs, errors.New("options: there is no function for the inventory"))
	}
	if t.Configuration.Enabled && o.ContentHash == "" {
		errs = append(errs, errors.New("options: the configuration stage is enabled, but the content hash is empty"))
	}
	return errors.Join(errs...)
}

// deployment is the state of one Deploy.
type deployment struct {
	ctx      *pulumi.Context
	topology stacks.Topology
	options  Options
	nodes    []*wazonode.WazoNode // in the topology's order
}

func (d *deployment) tags(role string) tags.Tags {
	return tags.Tags{Project: stacks.Project, Environment: d.topology.Stack, Role: role, Owner: d.topology.Owner, CostCenter: d.topology.CostCenter}
}

// validate checks the arguments of every component, with stand-ins for what only AWS can tell, before the first one is
// registered: half a stack is worse than none.
func (d *deployment) validate() error {
	errs := []error{d.networkArgs().Validate()}
	for _, spec := range d.topology.Nodes {
		args := d.nodeArgs(spec)
		args.VpcID, args.SubnetID = pulumi.String("later"), pulumi.String("later")
		errs = append(errs, args.Validate())
	}
	if d.topology.Configuration.Enabled {
		args := d.configureArgs()
		args.Inventory, args.InstanceIDs = pulumi.String("later"), pulumi.StringArray{}
		errs = append(errs, args.Validate())
	}
	return errors.Join(errs...)
}

func (d *deployment) network() (*vpc.Vpc, error) {
	return vpc.NewVpc(d.ctx, d.topology.Network.Name, d.networkArgs())
}

func (d *deployment) node(spec stacks.NodeSpec, network *vpc.Vpc) (*wazonode.WazoNode, error) {
	args := d.nodeArgs(spec)
	args.VpcID, args.SubnetID = network.VpcID, network.SubnetIDs[spec.Subnet]
	return wazonode.NewWazoNode(d.ctx, spec.Name, args)
}

func (d *deployment) configure(inventory pulumi.StringOutput) error {
	args := d.configureArgs()
	args.Inventory = inventory
	var ids pulumi.StringArray
	for _, n := range d.nodes {
		args.After = append(args.After, n.Reachable...)
		ids = append(ids, n.InstanceID)
	}
	args.InstanceIDs = ids
	_, err := configure.NewConfigure(d.ctx, d.topology.Stack+"-configure", args)
	return err
}

func (d *deployment) networkArgs() vpc.Args {
	n := d.topology.Network
	subnets := make([]vpc.SubnetArgs, len(n.Subnets))
	for i, s := range n.Subnets {
		subnets[i] = vpc.SubnetArgs{Name: s.Name, Zone: s.Zone, CIDR: s.CIDR}
	}
	return vpc.Args{CIDR: n.CIDR, Subnets: subnets, FlowLogRetentionDays: n.FlowLogRetentionDays, Tags: d.tags("network")}
}

func (d *deployment) nodeArgs(spec stacks.NodeSpec) wazonode.Args {
	return wazonode.Args{
		HostName: spec.Name, Domain: spec.Domain, InstanceType: spec.Type.Name, AMIID: spec.AMIID, RootVolumeGiB: spec.VolumeGiB,
		SSHPublicKey: spec.SSHPublicKey, Ingress: spec.Ingress, PortTable: ports.UCEngine(), Public: spec.Public, Protect: spec.Protect,
		Tags: d.tags(string(spec.Roles[0])),
	}
}

func (d *deployment) configureArgs() configure.Args {
	return configure.Args{Stack: d.topology.Stack, ContentHash: d.options.ContentHash, Timeout: d.topology.Configuration.Timeout}
}
