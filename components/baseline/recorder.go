package baseline

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cfg"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/buckets"
	"github.com/calldata/calldata-foundation/components/linkedrole"
)

// only is the name of a region's only recorder and delivery channel.
const only = "default"

// recorder registers AWS Config: everything is recorded as it changes, brought to S3 once a day, and judged by rules. It
// records with the role that AWS Config has in the account, since Security Hub wants no other (Config.1).
func (b *builder) recorder(*Baseline) error {
	bucket, err := b.records("config", buckets.WriterConfig, 0)
	if err != nil {
		return err
	}
	name := b.name + "-config"
	recorder, err := cfg.NewRecorder(b.ctx, name, &cfg.RecorderArgs{
		Name: pulumi.String(only), RoleArn: pulumi.String(linkedrole.Config.ARN(b.account)),
		RecordingGroup: cfg.RecorderRecordingGroupArgs{AllSupported: pulumi.Bool(true), IncludeGlobalResourceTypes: pulumi.Bool(true)},
	}, b.parent)
	if err != nil {
		return err
	}
	channel, err := cfg.NewDeliveryChannel(b.ctx, name, &cfg.DeliveryChannelArgs{
		Name: pulumi.String(only), S3BucketName: bucket.Name, S3KmsKeyArn: b.shared.recordKey.ARN,
		SnapshotDeliveryProperties: cfg.DeliveryChannelSnapshotDeliveryPropertiesArgs{DeliveryFrequency: pulumi.String("TwentyFour_Hours")},
	}, b.parent, pulumi.DependsOn([]pulumi.Resource{recorder}))
	if err != nil {
		return err
	}
	status, err := cfg.NewRecorderStatus(b.ctx, name, &cfg.RecorderStatusArgs{Name: recorder.Name, IsEnabled: pulumi.Bool(true)}, b.parent, pulumi.DependsOn([]pulumi.Resource{channel}))
	if err != nil {
		return err
	}
	for _, r := range rules(b.args.Parts) {
		if err := b.rule(r, status); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) rule(r rule, status pulumi.Resource) error {
	name := b.name + "-" + r.name()
	args := &cfg.RuleArgs{
		Description: pulumi.String(r.description()), Source: cfg.RuleSourceArgs{Owner: pulumi.String("AWS"), SourceIdentifier: pulumi.String(r.identifier)}, Tags: b.tags(name),
	}
	if r.parameters != nil {
		text, err := json.Marshal(r.parameters)
		if err != nil {
			return fmt.Errorf("write the parameters of the rule %s: %w", r.identifier, err)
		}
		args.InputParameters = pulumi.String(string(text))
	}
	_, err := cfg.NewRule(b.ctx, name, args, b.parent, pulumi.DependsOn([]pulumi.Resource{status}))
	return err
}
