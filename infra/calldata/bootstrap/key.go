package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// keyAPI is the part of KMS that this command uses.
type keyAPI interface {
	DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error)
	ListKeys(context.Context, *kms.ListKeysInput, ...func(*kms.Options)) (*kms.ListKeysOutput, error)
	ListResourceTags(context.Context, *kms.ListResourceTagsInput, ...func(*kms.Options)) (*kms.ListResourceTagsOutput, error)
	GetKeyRotationStatus(context.Context, *kms.GetKeyRotationStatusInput, ...func(*kms.Options)) (*kms.GetKeyRotationStatusOutput, error)
	CreateKey(context.Context, *kms.CreateKeyInput, ...func(*kms.Options)) (*kms.CreateKeyOutput, error)
	CreateAlias(context.Context, *kms.CreateAliasInput, ...func(*kms.Options)) (*kms.CreateAliasOutput, error)
	EnableKeyRotation(context.Context, *kms.EnableKeyRotationInput, ...func(*kms.Options)) (*kms.EnableKeyRotationOutput, error)
	TagResource(context.Context, *kms.TagResourceInput, ...func(*kms.Options)) (*kms.TagResourceOutput, error)
}

// keyName tells a key apart from that of the same alias in the other region.
func (f *foundation) keyName() string {
	if f.regionFlag == copyFlag {
		return "key " + f.KeyAlias + " in " + f.region
	}
	return "key " + f.KeyAlias
}

// inspectKey compares the key behind the alias.
func (f *foundation) inspectKey(ctx context.Context) ([]mend.Setting, error) {
	out, err := f.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(f.KeyAlias)})
	switch {
	case awsapi.Is(err, "NotFoundException"):
		return f.inspectNoAlias(ctx)
	case err != nil:
		return nil, fmt.Errorf("%s: %s", f.keyName(), awsapi.Message(err))
	}
	if err := f.usable(out.KeyMetadata); err != nil {
		return nil, err
	}
	f.keyARN = aws.ToString(out.KeyMetadata.Arn)
	settings, err := f.inspectOf(ctx)
	return append([]mend.Setting{{Resource: f.keyName(), Name: "key", Found: f.keyARN, Want: f.keyARN}}, settings...), err
}

// usable reports what keeps a key from keeping the secrets.
func (f *foundation) usable(key *types.KeyMetadata) error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s is %s: "+format, append([]any{f.keyName(), aws.ToString(key.Arn)}, args...)...))
	}
	if owner := aws.ToString(key.AWSAccountId); owner != f.id.Account {
		fail("it belongs to the account %s, not to %s", owner, f.id.Account)
	}
	switch key.KeyState {
	case types.KeyStateEnabled:
	case types.KeyStatePendingDeletion:
		fail("it is to be deleted, and with it every secret and state it encrypts: keep it with `aws kms cancel-key-deletion` and "+
			"`aws kms enable-key`, or choose another --key-alias (region %s)", f.region)
	default:
		fail("it is %s: enable it with `aws kms enable-key`, or choose another --key-alias", key.KeyState)
	}
	if key.KeySpec != types.KeySpecSymmetricDefault || key.KeyUsage != types.KeyUsageTypeEncryptDecrypt {
		fail("it is a %s key for %s, want a symmetric one for encryption: choose another --key-alias", key.KeySpec, key.KeyUsage)
	}
	if key.Origin != types.OriginTypeAwsKms {
		fail("its material is of the origin %s, which KMS does not rotate: choose another --key-alias", key.Origin)
	}
	return errors.Join(errs...)
}

// inspectNoAlias plans the alias. A key that an earlier run made, and was broken off before it had the alias, is taken.
func (f *foundation) inspectNoAlias(ctx context.Context) ([]mend.Setting, error) {
	orphan, err := f.orphan(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", f.keyName(), awsapi.Message(err))
	}
	alias := mend.Setting{Resource: f.keyName(), Name: "alias", Missing: true, Want: f.KeyAlias, Mend: func(ctx context.Context) error {
		_, err := f.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String(f.KeyAlias), TargetKeyId: aws.String(f.keyARN)})
		return err
	}}
	if orphan != "" {
		f.keyARN = orphan
		settings, err := f.inspectOf(ctx)
		return append([]mend.Setting{{Resource: f.keyName(), Name: "key", Found: orphan, Want: orphan}, alias}, settings...), err
	}
	want := f.tags(f.KeyAlias, "secrets", nil)
	return []mend.Setting{
		{Resource: f.keyName(), Name: "key", Missing: true, Want: "symmetric, with the tags " + words(want), Mend: func(ctx context.Context) error {
			out, err := f.kms.CreateKey(ctx, &kms.CreateKeyInput{
				KeySpec: types.KeySpecSymmetricDefault, KeyUsage: types.KeyUsageTypeEncryptDecrypt,
				Description: aws.String("Secrets and state of CallData Foundation's Pulumi stacks"), Tags: keyTags(want),
			})
			if err == nil {
				f.keyARN = aws.ToString(out.KeyMetadata.Arn)
			}
			return err
		}},
		alias,
		f.rotation(false),
	}, nil
}

// orphan finds an enabled key that carries our tags and the alias as its name.
func (f *foundation) orphan(ctx context.Context) (string, error) {
	pages := kms.NewListKeysPaginator(f.kms, &kms.ListKeysInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, key := range page.Keys {
			has, err := f.keyTags(ctx, aws.ToString(key.KeyArn))
			if awsapi.Denied(err) { // a key whose policy keeps us out is not ours
				continue
			}
			if err != nil {
				return "", err
			}
			if has[tags.KeyName] != f.KeyAlias || has[tags.KeyManagedBy] != managedBy {
				continue
			}
			out, err := f.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: key.KeyArn})
			if err != nil {
				return "", err
			}
			if f.usable(out.KeyMetadata) == nil {
				return aws.ToString(key.KeyArn), nil
			}
		}
	}
	return "", nil
}

// inspectOf compares the settings of a key that is there.
func (f *foundation) inspectOf(ctx context.Context) ([]mend.Setting, error) {
	rotation, err := f.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: aws.String(f.keyARN)})
	if err != nil {
		return nil, fmt.Errorf("%s, rotation: %s", f.keyName(), awsapi.Message(err))
	}
	has, err := f.keyTags(ctx, f.keyARN)
	if err != nil {
		return nil, fmt.Errorf("%s, tags: %s", f.keyName(), awsapi.Message(err))
	}
	return []mend.Setting{
		f.rotation(rotation.KeyRotationEnabled),
		f.tagSetting(f.keyName(), f.KeyAlias, "secrets", has, func(ctx context.Context, want map[string]string) error {
			_, err := f.kms.TagResource(ctx, &kms.TagResourceInput{KeyId: aws.String(f.keyARN), Tags: keyTags(want)})
			return err
		}),
	}, nil
}

// rotation wants new key material every year. Old material still decrypts.
func (f *foundation) rotation(on bool) mend.Setting {
	s := mend.Setting{Resource: f.keyName(), Name: "rotation", Found: "yearly", Want: "yearly"}
	if !on {
		s.Found, s.Missing = "", true
		s.Mend = func(ctx context.Context) error {
			_, err := f.kms.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: aws.String(f.keyARN)})
			return err
		}
	}
	return s
}

func (f *foundation) keyTags(ctx context.Context, key string) (map[string]string, error) {
	has := map[string]string{}
	pages := kms.NewListResourceTagsPaginator(f.kms, &kms.ListResourceTagsInput{KeyId: aws.String(key)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, tag := range page.Tags {
			if !strings.HasPrefix(aws.ToString(tag.TagKey), "aws:") {
				has[aws.ToString(tag.TagKey)] = aws.ToString(tag.TagValue)
			}
		}
	}
	return has, nil
}

func keyTags(want map[string]string) []types.Tag {
	list := make([]types.Tag, 0, len(want))
	for key, value := range want {
		list = append(list, types.Tag{TagKey: aws.String(key), TagValue: aws.String(value)})
	}
	return list
}
