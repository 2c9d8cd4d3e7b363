package baseline

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/provider"
)

// Baseline is what an account has once.
type Baseline struct {
	pulumi.ResourceState

	// PreviewRoleARNs, DeployRoleARNs and CallsRoleARNs are the roles of GitHub's workflows by environment. They resolve once the role
	// has its permissions.
	PreviewRoleARNs, DeployRoleARNs, CallsRoleARNs map[string]pulumi.StringOutput
	// WorkloadBoundaryARNs are, by environment, the permissions boundaries without which deployments can make no role.
	WorkloadBoundaryARNs map[string]pulumi.StringOutput
	// TrailBucket is where CloudTrail's records are; empty without Trail.
	TrailBucket pulumi.StringOutput
	// NoticesTopicARN is the topic that findings and alarms are told to; empty without any that have something to tell.
	NoticesTopicARN pulumi.StringOutput
}

// builder registers the children of one Baseline.
type builder struct {
	ctx             *pulumi.Context
	name            string
	args            Args
	parent          pulumi.ResourceOrInvokeOption
	account, region string
	shared          shared
}

// NewBaseline registers a baseline. It fails before the first resource if args are not valid.
func NewBaseline(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Baseline, error) {
	if err := errors.Join(args.checkName(name), args.Validate()); err != nil {
		return nil, fmt.Errorf("baseline %s: %w", name, err)
	}
	self := &Baseline{
		PreviewRoleARNs: map[string]pulumi.StringOutput{}, DeployRoleARNs: map[string]pulumi.StringOutput{}, CallsRoleARNs: map[string]pulumi.StringOutput{}, WorkloadBoundaryARNs: map[string]pulumi.StringOutput{},
		TrailBucket: pulumi.String("").ToStringOutput(), NoticesTopicARN: pulumi.String("").ToStringOutput(),
	}
	if err := ctx.RegisterComponentResource("calldata:baseline:Baseline", name, self, opts...); err != nil {
		return nil, fmt.Errorf("baseline %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self)}
	if err := b.build(self); err != nil {
		return nil, fmt.Errorf("baseline %s: %w", name, err)
	}
	return self, nil
}

func (b *builder) build(self *Baseline) error {
	account, err := provider.Account(b.ctx, b.parent)
	if err != nil {
		return err
	}
	region, err := provider.Region(b.ctx, b.parent)
	if err != nil {
		return err
	}
	b.account, b.region = account, region
	policies, err := b.documents() // which may be too long, and says so before the first resource
	if err != nil {
		return err
	}
	p := b.args.Parts
	for _, part := range []struct {
		on       bool
		register func(*Baseline) error
	}{
		{p.GitHub, func(self *Baseline) error { return b.gitHub(self, policies) }},
		{p.notices(), b.notices},
		{p.archive(), b.accessLogs},
		{p.Trail, b.trail},
		{p.TrailAlarms, b.trailAlarms},
		{p.Recorder, b.recorder},
		{p.GuardDuty, b.guardDuty},
		{p.SecurityHub, b.securityHub},
		{p.AccessAnalyzer, b.accessAnalyzer},
		{p.EBSEncryption, b.ebsEncryption},
		{p.SnapshotBlock, b.snapshotBlock},
		{p.MetadataDefaults, b.metadataDefaults},
		{p.S3Block, b.s3Block},
		{p.PasswordPolicy, b.passwordPolicy},
		{p.Budgets, b.budgets},
		{p.CostTags, b.costTags},
		{p.CostAnomalies, b.costAnomalies},
	} {
		if part.on {
			if err := part.register(self); err != nil {
				return err
			}
		}
	}
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{
		"previewRoleArns": outputs(self.PreviewRoleARNs), "deployRoleArns": outputs(self.DeployRoleARNs), "callsRoleArns": outputs(self.CallsRoleARNs), "workloadBoundaryArns": outputs(self.WorkloadBoundaryARNs),
		"trailBucket": self.TrailBucket, "noticesTopicArn": self.NoticesTopicARN,
	})
}

// outputs are a map that can be an output.
func outputs(values map[string]pulumi.StringOutput) pulumi.StringMap {
	all := pulumi.StringMap{}
	for k, v := range values {
		all[k] = v
	}
	return all
}

// after answers value once all of things are there.
func after(value pulumi.StringOutput, things ...pulumi.CustomResource) pulumi.StringOutput {
	wait := []any{value}
	for _, t := range things {
		wait = append(wait, t.ID())
	}
	return pulumi.All(wait...).ApplyT(func(all []any) string { return all[0].(string) }).(pulumi.StringOutput)
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}
