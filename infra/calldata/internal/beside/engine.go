package beside

import (
	"context"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/destroy"
)

// Known tells whether Pulumi's backend has the stack.
func Known(ctx context.Context, root, stack string) (bool, error) {
	_, err := automation.Open(ctx, automation.Options{Dir: root, Stack: stack})
	if automation.IsUnknownStack(err) {
		return false, nil
	}
	return err == nil, err
}

// Create makes the stack in Pulumi's backend, unless it is there. With the key of the other stack in its settings, secrets there stay what
// they are.
func Create(ctx context.Context, root, stack, secretsProvider string) error {
	_, err := automation.Open(ctx, automation.Options{Dir: root, Stack: stack, Create: true, SecretsProvider: secretsProvider})
	return err
}

// TakeDown destroys the stack and removes it from the backend, with its settings. Nobody is asked. One that never got there is gone.
func TakeDown(ctx context.Context, streams *cli.IO, root, stack string) error {
	there, err := Known(ctx, root, stack)
	if err != nil || !there {
		return err
	}
	cmd := destroy.NewCmdDestroy(streams)
	cmd.SetArgs([]string{stack, "--yes"})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(ctx); err != nil {
		return err
	}
	return automation.Remove(ctx, root, stack)
}
