package configure

import (
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// repository is the way from where Pulumi starts its providers, the project's main directory, to the repository's root.
// It is relative so that a laptop and a pipeline have the same inputs.
const repository = ".."

// Configure is one run of Ansible over the machines of a stack.
type Configure struct {
	pulumi.ResourceState

	// Stdout is what the last run printed on standard output: a summary, and nothing secret.
	Stdout pulumi.StringOutput
	// Run is what others wait for that need configured machines.
	Run pulumi.Resource
}

// NewConfigure registers the configuration stage. It fails before the first resource if args are not valid.
func NewConfigure(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Configure, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("configure %s: %w", name, err)
	}
	self := &Configure{}
	if err := ctx.RegisterComponentResource("calldata:configure:Configure", name, self, opts...); err != nil {
		return nil, fmt.Errorf("configure %s: %w", name, err)
	}
	script := pulumi.String(Script(args.Stack, args.Timeout))
	command, err := local.NewCommand(ctx, name, &local.CommandArgs{
		Create: script,
		Update: script,
		Dir:    pulumi.String(repository),
		Stdin:  args.Inventory,
		// What makes Ansible run again stands here for its change alone; the command does not read it. As triggers, some
		// versions of the provider would replace the resource, and a preview would speak of a deletion where there is none.
		Environment: pulumi.StringMap{
			"CALLDATA_CONTENT_HASH": pulumi.String(args.ContentHash),
			"CALLDATA_INSTANCE_IDS": args.InstanceIDs.ToStringArrayOutput().ApplyT(func(ids []string) string { return strings.Join(ids, " ") }).(pulumi.StringOutput),
		},
		Logging: local.LoggingStdoutAndStderr,
		// The provider would hand the last run's output to the next one in its environment, where Linux allows 128 KiB
		// per variable: a long log would make the command impossible to start.
		AddPreviousOutputInEnv: pulumi.Bool(false),
	}, pulumi.Parent(self), pulumi.DependsOn(args.After))
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", name, err)
	}
	self.Stdout, self.Run = command.Stdout, command
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{"stdout": self.Stdout})
}

// Script is the shell script that configures stack, run in the repository's root with the inventory on standard input.
//
// It builds the command from the repository, so that a clone needs nothing but Go; the version
// control's state stays out, because Go would fail on a clone that belongs to another user. CALLDATA_BIN names a binary to use
// instead. The variable is read when the script runs, so that it is no input of the resource.
func Script(stack string, timeout time.Duration) string {
	return fmt.Sprintf(`set -eu
if [ -z "${CALLDATA_BIN:-}" ]; then
  CALLDATA_BIN=.calldata/bin/calldata
  go build -buildvcs=false -o "$CALLDATA_BIN" ./infra/calldata
fi
exec "$CALLDATA_BIN" configure --stack %s --inventory - --timeout %dm
`, stack, int(timeout/time.Minute))
}
