// Command infra is the Pulumi program of CallData Foundation: settings in, topology, resources out.
package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/deploy"
)

// content is what Ansible reads, seen from here, where Pulumi runs the program.
const content = "../ansible"

// fleets is the inventory of machines that configure themselves, the only one that they read, whatever their stack.
const fleets = "fleet"

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
	options := deploy.Options{Inventory: inventory}
	if options.ContentHash, err = ansible.ContentHash(content, ctx.Stack()); err != nil {
		return err
	}
	if len(topology.Fleets) > 0 {
		if options.Bundle, err = bundle(ctx.Stack()); err != nil {
			return err
		}
	}
	return deploy.Deploy(ctx, topology, options)
}

// bundle writes the archive that fleets configure themselves with.
func bundle(stack string) (deploy.Bundle, error) {
	dir := filepath.Join("..", ".calldata", stack)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return deploy.Bundle{}, err
	}
	path := filepath.Join(dir, "bundle.tar.gz")
	file, err := os.CreateTemp(dir, "bundle-*.tar.gz")
	if err != nil {
		return deploy.Bundle{}, err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	sum, err := ansible.WriteBundle(content, fleets, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return deploy.Bundle{}, err
	}
	// Renamed when it is whole: a preview beside a deployment writes the same file.
	return deploy.Bundle{Path: path, SHA256: sum}, os.Rename(file.Name(), path)
}

func inventory(outputs stacks.Outputs) (string, error) {
	inv, err := ansible.FromOutputs(outputs)
	if err != nil {
		return "", err
	}
	text, err := inv.YAML()
	return string(text), err
}
