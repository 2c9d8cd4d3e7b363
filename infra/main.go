// Command infra is the Pulumi program of CallData Foundation: settings in, topology, resources out.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/deploy"
)

// content is what Ansible reads, seen from here, where Pulumi runs the program.
const content = "../ansible"

func main() { pulumi.Run(program) }

func program(ctx *pulumi.Context) error {
	settings, err := deploy.Settings()
	if err != nil {
		return err
	}
	config, err := stacks.ReadConfig(ctx.Stack(), settings)
	if err != nil {
		return err
	}
	topology, err := stacks.New(ctx.Stack(), config)
	if err != nil {
		return err
	}
	hash, err := ansible.ContentHash(content)
	if err != nil {
		return err
	}
	return deploy.Deploy(ctx, topology, deploy.Options{Inventory: inventory, ContentHash: hash})
}

func inventory(outputs stacks.Outputs) (string, error) {
	inv, err := ansible.FromOutputs(outputs)
	if err != nil {
		return "", err
	}
	text, err := inv.YAML()
	return string(text), err
}
