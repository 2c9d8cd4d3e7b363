package backup

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/backup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Vault keeps backups. It stands alone where copies come from another region.
type Vault struct {
	pulumi.ResourceState

	// ARN and Name are the vault's. They resolve once it is locked, if it is to be.
	ARN, Name pulumi.StringOutput
}

// NewVault registers a vault. It fails before the first resource if args are not valid.
func NewVault(ctx *pulumi.Context, name string, args VaultArgs, opts ...pulumi.ResourceOption) (*Vault, error) {
	if err := errors.Join(checkName(name), args.Validate()); err != nil {
		return nil, fmt.Errorf("backup vault %s: %w", name, err)
	}
	self := &Vault{}
	if err := ctx.RegisterComponentResource("calldata:backup:Vault", name, self, opts...); err != nil {
		return nil, fmt.Errorf("backup vault %s: %w", name, err)
	}
	if err := self.build(ctx, name, args); err != nil {
		return nil, fmt.Errorf("backup vault %s: %w", name, err)
	}
	return self, nil
}

func (v *Vault) build(ctx *pulumi.Context, name string, args VaultArgs) error {
	keep := []pulumi.ResourceOption{pulumi.Parent(v), pulumi.Protect(args.Protect), pulumi.RetainOnDelete(args.Protect)}
	vault, err := backup.NewVault(ctx, name, &backup.VaultArgs{
		KmsKeyArn: args.KMSKeyARN.ToStringOutput(), Tags: pulumi.ToStringMap(args.Tags.Named(name)),
	}, keep...)
	if err != nil {
		return err
	}
	v.ARN, v.Name = vault.Arn, vault.Name
	if args.Lock {
		lockArgs := &backup.VaultLockConfigurationArgs{BackupVaultName: vault.Name, MinRetentionDays: pulumi.Int(minLockedDays)}
		if args.Protect {
			lockArgs.ChangeableForDays = pulumi.Int(coolingOffDays)
		}
		lock, err := backup.NewVaultLockConfiguration(ctx, name, lockArgs, keep...)
		if err != nil {
			return err
		}
		after := func(value pulumi.StringOutput) pulumi.StringOutput {
			return pulumi.All(value, lock.ID()).ApplyT(func(both []any) string { return both[0].(string) }).(pulumi.StringOutput)
		}
		v.ARN, v.Name = after(vault.Arn), after(vault.Name)
	}
	return ctx.RegisterResourceOutputs(v, pulumi.Map{"arn": v.ARN, "name": v.Name})
}
