package backup

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/backup"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// Minutes that a backup has to begin, and from then on to end. AWS counts the second from the scheduled time too and gives
// up a backup that takes longer; a first copy of a full volume takes hours.
const (
	startWindow      = 60
	completionWindow = 12 * 60
)

// policies let AWS Backup copy and restore.
// Source: AWS Backup Developer Guide, "Managed policies for AWS Backup", "AWS Backup service roles".
var policies = map[string]string{
	"backup":  "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
	"restore": "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores",
}

// Backup is a vault and what fills it.
type Backup struct {
	pulumi.ResourceState

	// VaultARN and VaultName are the vault that keeps the copies.
	VaultARN, VaultName pulumi.StringOutput
	// PlanID is the plan that says when and for how long.
	PlanID pulumi.StringOutput
	// RoleARN is the role that copies and restores.
	RoleARN pulumi.StringOutput
}

// builder registers the children of one Backup.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOrInvokeOption
}

// NewBackup registers vault and plan. It fails before the first resource if args are not valid.
func NewBackup(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Backup, error) {
	if err := errors.Join(checkName(name), args.Validate()); err != nil {
		return nil, fmt.Errorf("backup %s: %w", name, err)
	}
	self := &Backup{}
	if err := ctx.RegisterComponentResource("calldata:backup:Backup", name, self, opts...); err != nil {
		return nil, fmt.Errorf("backup %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self)}
	if err := b.build(self); err != nil {
		return nil, fmt.Errorf("backup %s: %w", name, err)
	}
	return self, nil
}

func (b *builder) build(self *Backup) error {
	vault, err := NewVault(b.ctx, b.name, VaultArgs{KMSKeyARN: b.args.KMSKeyARN, Lock: b.args.Lock, Protect: b.args.Protect, Tags: b.args.Tags}, b.parent)
	if err != nil {
		return err
	}
	role, permissions, err := b.role()
	if err != nil {
		return err
	}
	plan, err := b.plan(vault)
	if err != nil {
		return err
	}
	if _, err := backup.NewSelection(b.ctx, b.name, &backup.SelectionArgs{
		PlanId: plan.ID(), IamRoleArn: role.Arn,
		SelectionTags: backup.SelectionSelectionTagArray{backup.SelectionSelectionTagArgs{
			Type: pulumi.String("STRINGEQUALS"), Key: pulumi.String(TagKey), Value: pulumi.String(b.args.TagValue),
		}},
	}, b.parent, pulumi.DependsOn(permissions)); err != nil { // else the first backup may come before its permission
		return err
	}
	self.VaultARN, self.VaultName, self.PlanID, self.RoleARN = vault.ARN, vault.Name, plan.ID().ToStringOutput(), role.Arn
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{
		"vaultArn": self.VaultARN, "vaultName": self.VaultName, "planId": self.PlanID, "roleArn": self.RoleARN,
	})
}

func (b *builder) plan(vault *Vault) (*backup.Plan, error) {
	hour, minute := clock(b.args.Start)
	rule := backup.PlanRuleArgs{
		RuleName: pulumi.String("daily"), TargetVaultName: vault.Name, Schedule: pulumi.Sprintf("cron(%d %d ? * * *)", minute, hour),
		ScheduleExpressionTimezone: pulumi.String("Etc/UTC"), StartWindow: pulumi.Int(startWindow), CompletionWindow: pulumi.Int(completionWindow),
		Lifecycle:         backup.PlanRuleLifecycleArgs{DeleteAfter: pulumi.Int(b.args.DailyRetentionDays)},
		RecoveryPointTags: pulumi.ToStringMap(b.args.Tags.Named(b.name)),
	}
	if b.args.CopyToVaultARN != nil {
		rule.CopyActions = backup.PlanRuleCopyActionArray{backup.PlanRuleCopyActionArgs{
			DestinationVaultArn: b.args.CopyToVaultARN,
			Lifecycle:           backup.PlanRuleCopyActionLifecycleArgs{DeleteAfter: pulumi.Int(b.args.DailyRetentionDays)},
		}}
	}
	return backup.NewPlan(b.ctx, b.name, &backup.PlanArgs{Rules: backup.PlanRuleArray{rule}, Tags: b.tags(b.name)}, b.parent)
}

// role registers the role that copies and restores, and answers it with what gives it its permissions.
func (b *builder) role() (*iam.Role, []pulumi.Resource, error) {
	// AWS Backup takes the role on for its own jobs and does not promise to name the account then, and only who may pass
	// the role can have it used: there is no deputy to confuse.
	trust, err := iamdoc.Trust("backup.amazonaws.com", "")
	if err != nil {
		return nil, nil, err
	}
	role, err := iam.NewRole(b.ctx, b.name, &iam.RoleArgs{
		Description: pulumi.String("Lets AWS Backup copy and restore what the plan " + b.name + " selects"), AssumeRolePolicy: pulumi.String(trust), Tags: b.tags(b.name),
	}, b.parent)
	if err != nil {
		return nil, nil, err
	}
	var permissions []pulumi.Resource
	for _, use := range []string{"backup", "restore"} {
		attachment, err := iam.NewRolePolicyAttachment(b.ctx, b.name+"-"+use, &iam.RolePolicyAttachmentArgs{Role: role.Name, PolicyArn: pulumi.String(policies[use])}, b.parent)
		if err != nil {
			return nil, nil, err
		}
		permissions = append(permissions, attachment)
	}
	return role, permissions, nil
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}
