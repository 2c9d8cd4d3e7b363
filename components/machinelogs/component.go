package machinelogs

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/machinelogs/loggroups"
)

// MachineLogs are the log groups of a stack's machines.
type MachineLogs struct {
	pulumi.ResourceState
}

// NewMachineLogs registers a log group for each log of each role. It fails before the first resource if args are not valid.
func NewMachineLogs(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*MachineLogs, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("machine logs %s: %w", name, err)
	}
	self := &MachineLogs{}
	if err := ctx.RegisterComponentResource("calldata:machinelogs:MachineLogs", name, self, opts...); err != nil {
		return nil, fmt.Errorf("machine logs %s: %w", name, err)
	}
	for _, role := range args.Roles {
		for _, group := range loggroups.Of(args.Prefix, role) {
			if err := args.register(ctx, self, name, group); err != nil {
				return nil, fmt.Errorf("machine logs %s: %w", name, err)
			}
		}
	}
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{})
}

func (a Args) register(ctx *pulumi.Context, self *MachineLogs, name, group string) error {
	// "/calldata/stage/c4-sbc/kamailio" is called NAME-c4-sbc-kamailio.
	name += strings.ReplaceAll(strings.TrimPrefix(group, a.Prefix), "/", "-")
	args := &cloudwatch.LogGroupArgs{Name: pulumi.String(group), RetentionInDays: pulumi.Int(a.RetentionDays), Tags: pulumi.ToStringMap(a.Tags.Named(name))}
	if a.KMSKeyARN != nil {
		args.KmsKeyId = a.KMSKeyARN.ToStringOutput()
	}
	_, err := cloudwatch.NewLogGroup(ctx, name, args, pulumi.Parent(self), pulumi.Protect(a.Protect), pulumi.RetainOnDelete(a.Protect))
	return err
}
