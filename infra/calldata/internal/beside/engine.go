package beside

import (
	"context"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/destroy"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
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
// How it was made afresh stays known until Stack.Remove: a command that is cut off in between goes on.
func TakeDown(ctx context.Context, streams *cli.IO, root, stack string) error {
	there, err := Known(ctx, root, stack)
	if err != nil || !there {
		return err
	}
	o := &destroy.Options{IO: streams, Source: stackarg.Source{Stack: stack, Dir: root}, Yes: true, Remember: true}
	if err := destroy.Run(ctx, o); err != nil {
		return err
	}
	return automation.Remove(ctx, root, stack)
}
