package deploy

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/boundary"
	"github.com/calldata/calldata-foundation/components/buckets"
	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/stacks"
)

// Options are what a topology does not hold.
type Options struct {
	// Inventory makes the Ansible inventory, in YAML, from the stack's outputs.
	Inventory func(stacks.Outputs) (string, error)
	// ContentHash stands for everything that Ansible reads. Needed where the configuration stage is enabled.
	ContentHash string
	// Bundle is the archive that fleets configure themselves with. Needed where there are fleets.
	Bundle Bundle
}

// Bundle is an archive of everything that Ansible reads.
type Bundle struct {
	// Path is the file, SHA256 its hash in hexadecimal.
	Path, SHA256 string
}

// Deploy registers t and exports its outputs, in the shape of stacks.Outputs. A topology or options that are not valid
// fail before the first resource.
func Deploy(ctx *pulumi.Context, t stacks.Topology, o Options) error {
	d := deployment{ctx: ctx, topology: t, options: o, made: foreseen(t)}
	if err := errors.Join(t.Validate(), o.validate(t)); err != nil {
		return fmt.Errorf("deploy stack %s: %w", t.Stack, err)
	}
	if err := d.validate(); err != nil {
		return fmt.Errorf("deploy stack %s: %w", t.Stack, err)
	}
	if t.WorkloadBoundary != "" {
		if err := boundary.Apply(ctx, t.WorkloadBoundary); err != nil {
			return fmt.Errorf("deploy stack %s: %w", t.Stack, err)
		}
	}
	for _, part := range d.parts() {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) validate(t stacks.Topology) error {
	var errs []error
	if o.Inventory == nil && t.Account == nil {
		errs = append(errs, errors.New("options: there is no function for the inventory"))
	}
	if t.Configuration.Enabled && o.ContentHash == "" {
		errs = append(errs, errors.New("options: the configuration stage is enabled, but the content hash is empty"))
	}
	if len(t.Fleets) > 0 && (o.Bundle.Path == "" || o.Bundle.SHA256 == "") {
		errs = append(errs, errors.New("options: there are fleets, but no bundle for them"))
	}
	return errors.Join(errs...)
}

// deployment is the state of one Deploy.
type deployment struct {
	ctx      *pulumi.Context
	topology stacks.Topology
	options  Options
	made     made
}

// parts are the functions that register the stack, each after those whose outputs it needs. The order is that of the
// program alone: what AWS is asked for follows from the inputs.
func (d *deployment) parts() []func() error {
	if d.topology.Account != nil {
		return []func() error{d.account, d.exportAccount}
	}
	return []func() error{
		d.keys, d.buckets, d.network, d.firewall, d.endpoints, d.bundle, d.database, d.web, d.logs, d.nodes, d.sipEdge, d.fleets, d.copies, d.backup, d.export, d.configure, d.openWeb, d.watch,
	}
}

func (d *deployment) tags(role string) tags.Tags {
	return tags.Tags{Project: stacks.Project, Environment: d.topology.Stack, Role: role, Owner: d.topology.Owner, CostCenter: d.topology.CostCenter}
}

// validate checks the arguments of every component, with stand-ins for what only AWS can tell, before the first one is
// registered: half a stack is worse than none.
func (d *deployment) validate() error {
	t := d.topology
	if t.Account != nil {
		return d.baselineArgs().Validate()
	}
	errs := []error{d.networkArgs().Validate(), d.firewallArgs().Validate()}
	for _, use := range t.Keys {
		errs = append(errs, d.keyArgs(use).Validate())
	}
	for _, b := range t.Buckets {
		errs = append(errs, buckets.CheckName(d.bucketName(b)), d.bucketArgs(b).Validate())
	}
	if t.Network.SSMEndpoints {
		errs = append(errs, d.endpointArgs().Validate())
	}
	if t.Database != nil {
		errs = append(errs, d.databaseArgs().Validate())
	}
	if t.Web != nil {
		errs = append(errs, d.webArgs().Validate())
	}
	if t.SIPEdge != nil {
		errs = append(errs, d.sipEdgeArgs().Validate())
	}
	if len(t.Nodes)+len(t.Fleets) > 0 {
		errs = append(errs, d.logArgs().Validate())
	}
	for _, spec := range t.Nodes {
		errs = append(errs, d.nodeArgs(spec).Validate())
	}
	for _, spec := range t.Fleets {
		errs = append(errs, d.fleetArgs(spec).Validate())
	}
	if len(t.Fleets) > 0 {
		errs = append(errs, d.bundleArgs().Validate())
	}
	if t.Backup != nil {
		errs = append(errs, d.backupArgs().Validate())
	}
	if d.copied() {
		errs = append(errs, d.replicaArgs().Validate())
	}
	if t.Alarms != nil {
		errs = append(errs, d.watchArgs().Validate())
	}
	if t.Configuration.Enabled {
		errs = append(errs, d.configureArgs().Validate())
	}
	return errors.Join(errs...)
}
