package keys

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/provider"
)

// Key is a symmetric KMS key with yearly rotation and an alias.
type Key struct {
	pulumi.ResourceState

	// ARN is the key's ARN. It resolves once the key has its policy and its alias.
	ARN pulumi.StringOutput
	// ID is the key's id.
	ID pulumi.StringOutput
}

// builder registers the children of one Key.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOrInvokeOption
}

// NewKey registers a key and the alias "alias/<name>". It fails before the first resource if args are not valid.
func NewKey(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Key, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	self := &Key{}
	if err := ctx.RegisterComponentResource("calldata:keys:Key", name, self, opts...); err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self)}
	if err := b.build(self); err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	return self, nil
}

func (b *builder) build(self *Key) error {
	account, err := provider.Account(b.ctx, b.parent)
	if err != nil {
		return err
	}
	region, err := provider.Region(b.ctx, b.parent)
	if err != nil {
		return err
	}
	policy, err := policyOf(b.args, place{account: account, region: region})
	if err != nil {
		return err
	}
	key, err := kms.NewKey(b.ctx, b.name, &kms.KeyArgs{
		Description: pulumi.String("Encrypts " + string(b.args.Use) + ": " + b.name), Policy: pulumi.String(policy),
		EnableKeyRotation: pulumi.Bool(true), DeletionWindowInDays: pulumi.Int(b.args.deletionWindow()),
		Tags: pulumi.ToStringMap(b.args.Tags.Named(b.name)),
	}, b.parent, pulumi.Protect(b.args.Protect), pulumi.RetainOnDelete(b.args.Protect))
	if err != nil {
		return err
	}
	// The alias is never retained: it holds nothing, and one that a stack forgot would block its name.
	alias, err := kms.NewAlias(b.ctx, b.name, &kms.AliasArgs{Name: pulumi.String("alias/" + b.name), TargetKeyId: key.KeyId}, b.parent)
	if err != nil {
		return err
	}
	self.ID = key.KeyId
	self.ARN = pulumi.All(key.Arn, alias.ID()).ApplyT(func(values []any) string { return values[0].(string) }).(pulumi.StringOutput)
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{"arn": self.ARN, "id": self.ID})
}
