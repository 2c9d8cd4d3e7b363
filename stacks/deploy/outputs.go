package deploy

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/stacks"
)

// export tells the stack's outputs one by one, so that a preview shows those that are known. Their shape is that of
// stacks.Outputs; a test keeps the two equal.
func (d *deployment) export() error {
	t := d.topology
	nodes := make(pulumi.Array, len(t.Nodes))
	for i, spec := range t.Nodes {
		made := d.made.nodes[i]
		roles := make([]string, len(spec.Roles))
		for j, r := range spec.Roles {
			roles[j] = string(r)
		}
		node := pulumi.Map{
			"name": pulumi.String(spec.Name), "roles": pulumi.ToStringArray(roles), "zone": pulumi.String(t.Zone(spec.Subnet)), "user": pulumi.String(spec.User),
			"access": pulumi.String(string(spec.Access)), "instanceId": made.InstanceID, "privateIp": made.PrivateIP,
		}
		if spec.Public {
			node["publicIp"] = made.PublicIP
		}
		firewall, err := plain(t.Openings(spec.Roles...))
		if err != nil {
			return err
		}
		node["firewall"] = pulumi.Any(firewall)
		nodes[i] = node
	}
	endpoints := pulumi.All(d.address(t.Engine()), d.carriers()).ApplyT(func(found []any) (map[string]string, error) {
		return asMap(t.Endpoints(found[0].(string), found[1].(string)))
	}).(pulumi.StringMapOutput)
	d.made.inventory = d.inventory()
	d.ctx.Export("stack", pulumi.String(t.Stack))
	d.ctx.Export("region", pulumi.String(t.Region))
	d.ctx.Export("nodes", nodes)
	d.ctx.Export("endpoints", endpoints)
	if len(t.Fleets) > 0 {
		fleets := make(pulumi.Array, len(t.Fleets))
		for i, spec := range t.Fleets {
			fleets[i] = pulumi.Map{
				"name": d.made.fleets[i].GroupName, "role": pulumi.String(string(spec.Role)),
				"colour": pulumi.String(string(spec.Colour)), "standing": pulumi.String(string(spec.Standing)),
			}
		}
		d.ctx.Export("fleets", fleets)
	}
	if t.Database != nil {
		d.ctx.Export("database", pulumi.Map{"host": d.made.rds.Endpoint, "port": d.made.rds.Port, "secretArn": d.made.rds.SecretARN})
	}
	d.ctx.Export("vpcCidr", pulumi.String(t.Network.CIDR.String()))
	if carriers := t.Carriers; len(carriers) > 0 {
		list := pulumi.StringArray{}
		for _, c := range carriers {
			list = append(list, pulumi.String(c.String()))
		}
		d.ctx.Export("carriers", list)
	}
	if t.Silent {
		d.ctx.Export("silent", pulumi.Bool(true))
	}
	if len(t.Buckets) > 0 {
		backups := pulumi.Map{"bucket": d.made.bucketName[stacks.BucketBackups], "keyArn": d.made.keys[stacks.KeyStorage]}
		if d.copied() {
			backups["copy"] = pulumi.Map{
				"region": pulumi.String(t.Backup.CopyRegion), "bucket": d.made.replica.BucketName, "keyArn": d.made.replica.KeyARN,
			}
		}
		d.ctx.Export("backups", backups)
	}
	if p := t.PrometheusOutput(); p != nil {
		known, err := plain(p)
		if err != nil {
			return err
		}
		d.ctx.Export("prometheus", pulumi.Any(known))
	}
	d.ctx.Export("inventory", d.made.inventory)
	return nil
}

// asMap is v in its JSON form, which leaves out what is empty.
func asMap(v any) (map[string]string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	return out, json.Unmarshal(data, &out)
}

// plain is v in its JSON form, as lists, maps and scalars.
func plain(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out any
	return out, json.Unmarshal(data, &out)
}

// address is where the i-th node is reached.
func (d *deployment) address(i int) pulumi.StringOutput {
	if d.topology.Nodes[i].Public {
		return d.made.nodes[i].PublicIP
	}
	return d.made.nodes[i].PrivateIP
}

// carriers is the name of the carriers' load balancer, empty without one.
func (d *deployment) carriers() pulumi.StringOutput {
	if d.topology.SIPEdge != nil && d.topology.SIPEdge.Carriers {
		return d.made.sipEdge.CarrierDNS
	}
	return pulumi.String("").ToStringOutput()
}

// inventory is the Ansible inventory, once AWS has told everything that goes into it.
func (d *deployment) inventory() pulumi.StringOutput {
	t := d.topology
	facts := []any{d.carriers(), d.made.rds.Endpoint, d.made.rds.Port, d.made.rds.SecretARN, known(d.made.bucketName, stacks.BucketBackups), known(d.made.keys, stacks.KeyStorage)}
	first := len(facts)
	for _, n := range d.made.nodes { // three for each node
		facts = append(facts, n.InstanceID, n.PrivateIP, n.PublicIP)
	}
	return pulumi.All(facts...).ApplyT(func(facts []any) (string, error) {
		text := func(i int) string { s, _ := facts[i].(string); return s }
		outputs := stacks.Outputs{Stack: t.Stack, Region: t.Region, VpcCIDR: t.Network.CIDR, Carriers: t.Carriers, Silent: t.Silent, Prometheus: t.PrometheusOutput()}
		for i, spec := range t.Nodes {
			at := first + 3*i
			outputs.Nodes = append(outputs.Nodes, stacks.Node{
				Name: spec.Name, Roles: spec.Roles, Zone: t.Zone(spec.Subnet), User: spec.User, Access: spec.Access,
				InstanceID: text(at), PrivateIP: text(at + 1), PublicIP: text(at + 2),
				Firewall: t.Openings(spec.Roles...),
			})
		}
		if t.Database != nil {
			port, _ := facts[2].(int)
			outputs.Database = &stacks.Database{Host: text(1), Port: port, SecretARN: text(3)}
		}
		if len(t.Buckets) > 0 {
			outputs.Backups = &stacks.Backups{Bucket: text(4), KeyARN: text(5)}
		}
		for _, spec := range t.Fleets {
			outputs.Fleets = append(outputs.Fleets, stacks.Fleet{Name: spec.Name, Role: spec.Role, Colour: spec.Colour, Standing: spec.Standing})
		}
		outputs.Endpoints = t.Endpoints(outputs.Nodes[t.Engine()].Address(), text(0))
		inventory, err := d.options.Inventory(outputs)
		if err != nil {
			return "", fmt.Errorf("make the inventory of stack %s: %w", t.Stack, err)
		}
		return inventory, nil
	}).(pulumi.StringOutput)
}
