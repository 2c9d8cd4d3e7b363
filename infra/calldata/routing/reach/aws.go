package reach

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// routers are the machines that reach the database, at least one.
func (w Way) routers(ctx context.Context) ([]stacks.Node, error) {
	var routers []stacks.Node
	for _, n := range w.Stack.Nodes {
		if slices.Contains(n.Roles, stacks.RoleC4Router) {
			routers = append(routers, n)
		}
	}
	if len(routers) > 0 {
		return routers, nil
	}
	if !slices.ContainsFunc(w.Stack.Fleets, func(f stacks.Fleet) bool { return f.Role == stacks.RoleC4Router }) {
		return nil, cli.UsageErrorf("stack %s has no Router, so it has no routing", w.Stack.Stack)
	}
	routers, err := fleet.Members(ctx, w.Stack, stacks.RoleC4Router)
	if err == nil && len(routers) == 0 {
		err = cli.WithCode(cli.ExitUnreachable, fmt.Errorf("stack %s has no Router that runs now: look at its Auto Scaling group", w.Stack.Stack))
	}
	return routers, err
}

// secret answers user and password of the database's owner. No error shows them.
func (w Way) secret(ctx context.Context, arn string) (user, password string, err error) {
	settings, err := awsapi.Load(ctx, w.Stack.Region, "", "")
	if err != nil {
		return "", "", cli.WithCode(cli.ExitUsage, err)
	}
	return awsapi.DatabaseLogin(ctx, secretsmanager.NewFromConfig(settings), arn)
}
