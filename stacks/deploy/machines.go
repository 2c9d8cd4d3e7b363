package deploy

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/bundle"
	"github.com/calldata/calldata-foundation/components/configure"
	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/noderole"
	"github.com/calldata/calldata-foundation/components/wazofleet"
	"github.com/calldata/calldata-foundation/components/wazonode"
	"github.com/calldata/calldata-foundation/stacks"
)

func (d *deployment) nodes() error {
	for _, spec := range d.topology.Nodes {
		node, err := wazonode.NewWazoNode(d.ctx, spec.Name, d.nodeArgs(spec))
		if err != nil {
			return err
		}
		d.made.nodes = append(d.made.nodes, node)
	}
	return nil
}

// dataDirectory is what a data volume holds, where that is not a database.
var dataDirectory = map[stacks.Role]string{stacks.RolePrometheus: "/var/lib/prometheus"}

func (d *deployment) nodeArgs(spec stacks.NodeSpec) wazonode.Args {
	args := wazonode.Args{
		SubnetID: d.made.subnets[spec.Subnet], Zone: d.topology.Zone(spec.Subnet), Region: d.topology.Region,
		HostName: spec.Name, Domain: spec.Domain, InstanceType: spec.Type.Name, AMIID: spec.AMIID, RootVolumeGiB: spec.VolumeGiB,
		VolumeKMSKeyARN: input(d.made.keys, stacks.KeyVolumes), DataVolume: wazonode.DataVolumeArgs{GiB: spec.DataVolumeGiB, MountPoint: dataDirectory[spec.Roles[0]]},
		SSHPublicKey: spec.SSHPublicKey, InstallSSMAgent: spec.Access == stacks.AccessSSM, Public: spec.Public, Protect: spec.Protect,
		DetailedMonitoring: spec.DetailedMonitoring, AutoRecovery: true, Grants: d.grants(spec.Roles...), Tags: d.tags(string(spec.Roles[0])),
	}
	var ids pulumi.StringArray
	for _, role := range spec.Roles {
		ids = append(ids, d.made.groups[role.Group()])
		args.Firewall = append(args.Firewall, d.made.rules[role.Group()]...)
	}
	args.SecurityGroupIDs = ids
	return args
}

// grants are what machines of the roles may do towards AWS.
func (d *deployment) grants(roles ...stacks.Role) noderole.Grants {
	role := string(roles[0])
	g := noderole.Grants{
		MetricNamespaces: []string{metrics.Namespace, metrics.AgentNamespace},
		LogGroupPrefix:   stacks.LogPrefix(d.topology.Stack) + "/" + role,
		// Peers come and go where there are fleets; the C4 may ask anywhere.
		FindMachines: len(d.topology.Fleets) > 0 || slices.ContainsFunc(roles, func(r stacks.Role) bool { return r != stacks.RoleUCEngine }),
	}
	if roles[0] == stacks.RolePrometheus {
		if d.topology.Alarms != nil {
			g.TopicPrefix, g.TopicKeyARN = d.topology.Stack+"-", d.made.keys[stacks.KeyNotices]
		}
		return g // it saves nothing
	}
	if len(d.topology.Buckets) == 0 {
		return g
	}
	g.BackupsBucketARN, g.BackupsPrefix = d.made.bucketARN[stacks.BucketBackups], role+"/"
	keys := pulumi.StringArray{d.made.keys[stacks.KeyStorage]}
	if roles[0] == stacks.RoleC4Router && d.topology.Database != nil {
		g.SecretARNs = pulumi.StringArray{d.made.rds.SecretARN}
		keys = append(keys, d.made.keys[stacks.KeySecrets])
	}
	g.KMSKeyARNs = keys
	return g
}

func (d *deployment) bundle() error {
	if len(d.topology.Fleets) == 0 {
		return nil
	}
	b, err := bundle.NewBundle(d.ctx, d.topology.Stack+"-bundle", d.bundleArgs())
	d.made.bundle = b
	return err
}

func (d *deployment) bundleArgs() bundle.Args {
	return bundle.Args{
		BucketName: d.made.bucketName[stacks.BucketArtifacts], KMSKeyARN: d.made.keys[stacks.KeyStorage], After: d.made.bucketReady[stacks.BucketArtifacts],
		Path: d.options.Bundle.Path, SHA256: d.options.Bundle.SHA256, Tags: d.tags("bundle"),
	}
}

func (d *deployment) fleets() error {
	for _, spec := range d.topology.Fleets {
		fleet, err := wazofleet.NewWazoFleet(d.ctx, spec.Name, d.fleetArgs(spec))
		if err != nil {
			return err
		}
		d.made.fleets = append(d.made.fleets, fleet)
	}
	return nil
}

func (d *deployment) fleetArgs(spec stacks.FleetSpec) wazofleet.Args {
	group := spec.Role.Group()
	args := wazofleet.Args{
		Role: string(spec.Role), Stack: d.topology.Stack, Group: spec.Name, Region: d.topology.Region, Domain: stacks.Domain,
		SubnetIDs: d.subnetIDs(spec.Tier), Zones: len(d.topology.Network.Of(spec.Tier)),
		SecurityGroupIDs: pulumi.StringArray{d.made.groups[group]}, Firewall: d.made.rules[group],
		InstanceType: spec.Type.Name, AMIID: spec.AMIID, RootVolumeGiB: spec.VolumeGiB, VolumeKMSKeyARN: d.made.keys[stacks.KeyVolumes],
		Min: spec.Size.Min, Max: spec.Size.Max, CallsPerNode: spec.Size.Calls, CPUTarget: float64(spec.CPUTarget),
		Bundle: d.made.bundle, Playbook: "playbooks/fleet.yml", Facts: d.facts(spec.Role), Variables: d.variables(spec.Role),
		DrainTimeout: spec.DrainTimeout, BootTimeout: stacks.BootTimeout, Grants: d.grants(spec.Role), ScaleInProtection: d.topology.Protect, Protect: spec.Protect,
		Aside: !spec.Standing.Serves(), Frozen: spec.Standing.Frozen(),
		DetailedMonitoring: spec.DetailedMonitoring, SSHPublicKey: spec.SSHPublicKey, Tags: d.tags(string(spec.Role)),
	}
	args.Grants.ArtifactsBucketARN, args.Grants.ArtifactsPrefix = d.made.bucketARN[stacks.BucketArtifacts], "bundles/"
	args.Public = spec.Tier == stacks.TierPublic
	if spec.AddressPool {
		args.AddressPool = stacks.AddressPool(d.topology.Stack)
	}
	if spec.Balanced {
		args.TargetGroupARNs = d.made.sipEdge.TargetGroupARNs
	}
	return args
}

// facts are what a fleet's machines know of the stack, by the names that the inventory of fixed machines has.
func (d *deployment) facts(role stacks.Role) map[string]any {
	facts := map[string]any{
		"calldata_vpc_cidr": d.topology.Network.CIDR, "calldata_fleets": d.topology.FleetRoles(), "calldata_firewall": d.topology.Openings(role),
		"calldata_log_prefix": stacks.LogPrefix(d.topology.Stack), "calldata_carriers": d.topology.Carriers,
	}
	if d.topology.Silent {
		facts["calldata_silent"] = true
	}
	return facts
}

// variables are those that AWS has to tell.
func (d *deployment) variables(role stacks.Role) map[string]pulumi.StringInput {
	v := map[string]pulumi.StringInput{
		"calldata_backup_bucket": known(d.made.bucketName, stacks.BucketBackups), "calldata_backup_key_arn": known(d.made.keys, stacks.KeyStorage),
	}
	if role == stacks.RoleC4Router && d.topology.Database != nil {
		v["database_host"], v["database_secret_arn"] = d.made.rds.Endpoint, d.made.rds.SecretARN
		v["database_port"] = d.made.rds.Port.ApplyT(func(port int) string { return fmt.Sprint(port) }).(pulumi.StringOutput)
	}
	return v
}

func (d *deployment) configure() error {
	if !d.topology.Configuration.Enabled {
		return nil
	}
	c, err := configure.NewConfigure(d.ctx, d.topology.Stack+"-configure", d.configureArgs())
	if err != nil {
		return err
	}
	d.made.configured = []pulumi.Resource{c.Run}
	return nil
}

func (d *deployment) configureArgs() configure.Args {
	ids := pulumi.StringArray{}
	args := configure.Args{
		Stack: d.topology.Stack, ContentHash: d.options.ContentHash, Timeout: d.topology.Configuration.Timeout, Inventory: d.made.inventory,
	}
	for _, n := range d.made.nodes {
		args.After = append(args.After, n.Reachable...)
		ids = append(ids, n.InstanceID)
	}
	args.InstanceIDs = ids
	return args
}

// edgeAddresses are the Elastic IPs of the fixed machines that phones reach.
func (d *deployment) edgeAddresses() []pulumi.StringInput {
	var addresses []pulumi.StringInput
	for i, spec := range d.topology.Nodes {
		if !spec.Public || spec.Roles[0] != stacks.RoleC4SBC {
			continue
		}
		var address pulumi.StringInput = pulumi.String("later")
		if i < len(d.made.nodes) {
			address = d.made.nodes[i].PublicIP
		}
		addresses = append(addresses, address)
	}
	return addresses
}
