package deploy

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/stacks"
)

// export tells the stack's outputs one by one, so that a preview shows those that are known. Their shape is that of
// stacks.Outputs; a test keeps the two equal.
func (d *deployment) export(inventory pulumi.StringOutput) {
	t := d.topology
	nodes := make(pulumi.Array, len(t.Nodes))
	for i, spec := range t.Nodes {
		made := d.nodes[i]
		roles := make([]string, len(spec.Roles))
		for j, r := range spec.Roles {
			roles[j] = string(r)
		}
		node := pulumi.Map{
			"name": pulumi.String(spec.Name), "roles": pulumi.ToStringArray(roles), "zone": pulumi.String(d.zone(spec)), "user": pulumi.String(spec.User),
			"instanceId": made.InstanceID, "privateIp": made.PrivateIP,
		}
		if spec.Public {
			node["publicIp"] = made.PublicIP
		}
		nodes[i] = node
	}
	address := d.address(t.Engine())
	d.ctx.Export("stack", pulumi.String(t.Stack))
	d.ctx.Export("region", pulumi.String(t.Region))
	d.ctx.Export("nodes", nodes)
	d.ctx.Export("endpoints", pulumi.StringMap{
		"web": address.ApplyT(t.WebAddress).(pulumi.StringOutput),
		"sip": address.ApplyT(t.SIPAddress).(pulumi.StringOutput),
	})
	d.ctx.Export("inventory", inventory)
}

// address is where the i-th node is reached.
func (d *deployment) address(i int) pulumi.StringOutput {
	if d.topology.Nodes[i].Public {
		return d.nodes[i].PublicIP
	}
	return d.nodes[i].PrivateIP
}

// inventory is the Ansible inventory, once AWS has told everything that goes into it.
func (d *deployment) inventory() pulumi.StringOutput {
	var facts []any // three for each node
	for _, n := range d.nodes {
		facts = append(facts, n.InstanceID, n.PrivateIP, n.PublicIP)
	}
	return pulumi.All(facts...).ApplyT(func(facts []any) (string, error) {
		t := d.topology
		outputs := stacks.Outputs{Stack: t.Stack, Region: t.Region}
		for i, spec := range t.Nodes {
			text := func(j int) string { s, _ := facts[3*i+j].(string); return s }
			outputs.Nodes = append(outputs.Nodes, stacks.Node{
				Name: spec.Name, Roles: spec.Roles, Zone: d.zone(spec), User: spec.User, InstanceID: text(0), PrivateIP: text(1), PublicIP: text(2),
			})
		}
		address := outputs.Nodes[t.Engine()].Address()
		outputs.Endpoints = stacks.Endpoints{Web: t.WebAddress(address), SIP: t.SIPAddress(address)}
		inventory, err := d.options.Inventory(outputs)
		if err != nil {
			return "", fmt.Errorf("make the inventory of stack %s: %w", t.Stack, err)
		}
		return inventory, nil
	}).(pulumi.StringOutput)
}

// zone is the availability zone of the node's subnet.
func (d *deployment) zone(spec stacks.NodeSpec) string {
	for _, s := range d.topology.Network.Subnets {
		if s.Name == spec.Subnet {
			return s.Zone
		}
	}
	return ""
}
