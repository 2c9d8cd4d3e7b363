package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/stacks"
)

// instancePrefix begins EC2 instance ids.
const instancePrefix = "i-"

// Choose answers the machines that an operator means by a word: a fixed machine's name, an instance id, or a role, whose
// machines are all of the stack's, fixed ones first. EC2 is asked only where the stack has fleets that can be meant. Nothing
// found is a usage error (cli.ExitUsage) that lists what there is, a fleet without running machines cli.ExitUnreachable.
func Choose(ctx context.Context, stack stacks.Outputs, word string, members Lister) ([]stacks.Node, error) {
	if i := slices.IndexFunc(stack.Nodes, func(n stacks.Node) bool { return n.Name == word || n.InstanceID == word }); i >= 0 {
		return stack.Nodes[i : i+1], nil
	}
	if role := stacks.Role(word); role.Valid() {
		return ofRole(ctx, stack, role, members)
	}
	if strings.HasPrefix(word, instancePrefix) {
		for _, f := range stack.Fleets {
			nodes, err := members(ctx, stack, f.Role)
			if err != nil {
				return nil, err
			}
			if i := slices.IndexFunc(nodes, func(n stacks.Node) bool { return n.InstanceID == word }); i >= 0 {
				return nodes[i : i+1], nil
			}
		}
	}
	return nil, cli.UsageErrorf("stack %s has no machine or role %q that runs now: want one of %s", stack.Stack, word, strings.Join(words(stack), ", "))
}

func ofRole(ctx context.Context, stack stacks.Outputs, role stacks.Role, members Lister) ([]stacks.Node, error) {
	var nodes []stacks.Node
	for _, n := range stack.Nodes {
		if slices.Contains(n.Roles, role) {
			nodes = append(nodes, n)
		}
	}
	if slices.ContainsFunc(stack.Fleets, func(f stacks.Fleet) bool { return f.Role == role }) {
		running, err := members(ctx, stack, role)
		if err != nil {
			return nil, err
		}
		for _, n := range running { // EC2 does not tell members from fixed machines of the same role
			if !slices.ContainsFunc(nodes, func(fixed stacks.Node) bool { return fixed.InstanceID == n.InstanceID }) {
				nodes = append(nodes, n)
			}
		}
		if len(nodes) == 0 {
			return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("stack %s has no machine with the role %s that runs now: look at its Auto Scaling group", stack.Stack, role))
		}
	}
	if len(nodes) == 0 {
		return nil, cli.UsageErrorf("stack %s has no machine with the role %s: want one of %s", stack.Stack, role, strings.Join(words(stack), ", "))
	}
	return nodes, nil
}

// words are what Choose takes for a stack.
func words(stack stacks.Outputs) []string {
	var all []string
	for _, n := range stack.Nodes {
		all = append(all, n.Name)
	}
	for _, r := range Roles(stack) {
		all = append(all, string(r))
	}
	if len(stack.Fleets) > 0 {
		all = append(all, "an instance id")
	}
	return all
}

// Roles are the roles of the stack's machines, fixed ones and fleets', each once, in alphabetical order.
func Roles(stack stacks.Outputs) []stacks.Role {
	var roles []stacks.Role
	for _, n := range stack.Nodes {
		roles = append(roles, n.Roles...)
	}
	for _, f := range stack.Fleets {
		roles = append(roles, f.Role)
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}
