package deploy

import (
	"slices"

	"github.com/calldata/calldata-foundation/components/machinelogs"
	"github.com/calldata/calldata-foundation/stacks"
)

// logs registers the log groups that the machines write to: they may not make them.
func (d *deployment) logs() error {
	if len(d.topology.Nodes)+len(d.topology.Fleets) == 0 {
		return nil
	}
	_, err := machinelogs.NewMachineLogs(d.ctx, d.topology.Stack+"-logs", d.logArgs())
	return err
}

func (d *deployment) logArgs() machinelogs.Args {
	var roles []string
	for _, spec := range d.topology.Nodes {
		roles = append(roles, string(spec.Roles[0]))
	}
	for _, spec := range d.topology.Fleets {
		roles = append(roles, string(spec.Role))
	}
	slices.Sort(roles)
	return machinelogs.Args{
		Stack: d.topology.Stack, Count: d.topology.CountsLines(),
		Prefix: stacks.LogPrefix(d.topology.Stack), Roles: slices.Compact(roles), RetentionDays: d.topology.LogRetentionDays, KMSKeyARN: input(d.made.keys, stacks.KeyLogs),
		Protect: d.topology.Protect, Tags: d.tags("logs"),
	}
}
