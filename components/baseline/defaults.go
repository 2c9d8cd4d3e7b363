package baseline

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func (b *builder) ebsEncryption(*Baseline) error {
	_, err := ebs.NewEncryptionByDefault(b.ctx, b.name+"-ebs", &ebs.EncryptionByDefaultArgs{Enabled: pulumi.Bool(true)}, b.parent)
	return err
}

func (b *builder) snapshotBlock(*Baseline) error {
	_, err := ebs.NewSnapshotBlockPublicAccess(b.ctx, b.name+"-snapshots", &ebs.SnapshotBlockPublicAccessArgs{State: pulumi.String("block-all-sharing")}, b.parent)
	return err
}

func (b *builder) metadataDefaults(*Baseline) error {
	_, err := ec2.NewInstanceMetadataDefaults(b.ctx, b.name+"-metadata", &ec2.InstanceMetadataDefaultsArgs{
		HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
	}, b.parent)
	return err
}

func (b *builder) s3Block(*Baseline) error {
	_, err := s3.NewAccountPublicAccessBlock(b.ctx, b.name+"-s3", &s3.AccountPublicAccessBlockArgs{
		BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true), IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, b.parent)
	return err
}

// What passwords of IAM users must be like. They do not expire: that makes people choose weaker ones.
// Source: CIS Amazon Web Services Foundations Benchmark v5.0.0, 1.7 and 1.8; AWS Security Hub, IAM.7; NIST SP 800-63B, 5.1.1.2.
const (
	passwordLength = 14
	passwordsKept  = 24
)

func (b *builder) passwordPolicy(*Baseline) error {
	_, err := iam.NewAccountPasswordPolicy(b.ctx, b.name+"-passwords", &iam.AccountPasswordPolicyArgs{
		MinimumPasswordLength: pulumi.Int(passwordLength), PasswordReusePrevention: pulumi.Int(passwordsKept), AllowUsersToChangePassword: pulumi.Bool(true),
		RequireLowercaseCharacters: pulumi.Bool(true), RequireUppercaseCharacters: pulumi.Bool(true), RequireNumbers: pulumi.Bool(true), RequireSymbols: pulumi.Bool(true),
	}, b.parent)
	return err
}
