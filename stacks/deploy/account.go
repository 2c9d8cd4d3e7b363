package deploy

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/baseline"
	"github.com/calldata/calldata-foundation/stacks"
)

func (d *deployment) account() error {
	b, err := baseline.NewBaseline(d.ctx, d.topology.Stack, d.baselineArgs())
	if err != nil {
		return err
	}
	d.made.baseline = b
	return nil
}

func (d *deployment) baselineArgs() baseline.Args {
	spec := d.topology.Account
	on := func(part stacks.AccountPart) bool { return slices.Contains(spec.Parts, part) }
	args := baseline.Args{
		Parts: baseline.Parts{
			GitHub: on(stacks.PartGitHub), Trail: on(stacks.PartTrail), TrailAlarms: on(stacks.PartTrail), Recorder: on(stacks.PartConfig), GuardDuty: on(stacks.PartGuardDuty),
			SecurityHub: on(stacks.PartSecurityHub), AccessAnalyzer: on(stacks.PartAnalyzer), EBSEncryption: on(stacks.PartEBSEncryption),
			S3Block: on(stacks.PartS3Block), SnapshotBlock: on(stacks.PartSnapshotBlock), MetadataDefaults: on(stacks.PartMetadata),
			PasswordPolicy: on(stacks.PartPasswordPolicy), Budgets: on(stacks.PartBudgets),
			CostTags: on(stacks.PartCostTags), CostAnomalies: on(stacks.PartAnomalies),
		},
		Repository: spec.Repository, OwnerID: spec.OwnerID, RepositoryID: spec.RepositoryID, ProviderExists: spec.ProviderExists, OtherRegions: spec.OtherRegions,
		StateBucket: spec.StateBucket, SecretsKeyAlias: spec.SecretsKeyAlias,
		AlertEmails: spec.AlertEmails, AnomalyMonitorARN: spec.AnomalyMonitorARN, AnomalyUSD: spec.AnomalyUSD,
		LogRetentionDays: d.topology.LogRetentionDays, ArchiveDays: spec.AuditDays, TrailLockDays: spec.TrailLockDays,
		Protect: d.topology.Protect, Tags: d.tags("account"),
	}
	for _, e := range spec.Environments {
		// What cannot be undone in the environment that callers depend on is for people, not for a workflow.
		args.Environments = append(args.Environments, baseline.Environment{
			Name: e.Name, BudgetUSD: e.BudgetUSD, Guarded: e.Name == string(stacks.KindProd), Domains: e.Domains,
		})
	}
	// The account's own stack is previewed by workflows and deployed by people.
	args.Environments = append(args.Environments, baseline.Environment{Name: d.topology.Stack, PreviewOnly: true})
	return args
}

// exportAccount tells what workflows and stacks need to know of the account.
func (d *deployment) exportAccount() error {
	arns := func(of map[string]pulumi.StringOutput) pulumi.StringMap {
		m := pulumi.StringMap{}
		for name, arn := range of {
			m[name] = arn
		}
		return m
	}
	d.ctx.Export("stack", pulumi.String(d.topology.Stack))
	d.ctx.Export("region", pulumi.String(d.topology.Region))
	d.ctx.Export("previewRoles", arns(d.made.baseline.PreviewRoleARNs))
	d.ctx.Export("deployRoles", arns(d.made.baseline.DeployRoleARNs))
	d.ctx.Export("callsRoles", arns(d.made.baseline.CallsRoleARNs))
	d.ctx.Export("boundaries", arns(d.made.baseline.WorkloadBoundaryARNs))
	d.ctx.Export("trailBucket", d.made.baseline.TrailBucket)
	d.ctx.Export("noticesTopic", d.made.baseline.NoticesTopicARN)
	return nil
}
