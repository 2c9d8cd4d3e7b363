package bundle

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Prefix is where bundles are in their bucket. A machine needs to read no other keys.
const Prefix = "bundles/"

// Bundle is an archive in S3.
type Bundle struct {
	pulumi.ResourceState

	// Key and SHA256 are its key in the bucket and its hash in hexadecimal.
	Key    string
	SHA256 string
	// BucketName is its bucket. It resolves once the archive is there.
	BucketName pulumi.StringOutput
}

// NewBundle registers an archive. It fails before the first resource if args are not valid.
func NewBundle(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Bundle, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("bundle %s: %w", name, err)
	}
	self := &Bundle{Key: Prefix + args.SHA256 + ".tar.gz", SHA256: args.SHA256}
	if err := ctx.RegisterComponentResource("calldata:bundle:Bundle", name, self, opts...); err != nil {
		return nil, fmt.Errorf("bundle %s: %w", name, err)
	}
	object := &s3.BucketObjectv2Args{
		Bucket: args.BucketName, Key: pulumi.String(self.Key), Source: pulumi.NewFileAsset(args.Path), ContentType: pulumi.String("application/gzip"),
		Tags: pulumi.ToStringMap(args.Tags.Named(name)),
	}
	if args.KMSKeyARN != nil {
		object.ServerSideEncryption, object.BucketKeyEnabled = pulumi.String("aws:kms"), pulumi.Bool(true)
		object.KmsKeyId = args.KMSKeyARN.ToStringOutput().ToStringPtrOutput()
	}
	// An earlier archive stays in the bucket: machines that boot while a rollback or a refresh is under way ask for it. It
	// is small. The bucket must not let these keys expire: the newest archive may be old.
	upload, err := s3.NewBucketObjectv2(ctx, name, object, pulumi.Parent(self), pulumi.DependsOn(args.After), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", name, err)
	}
	self.BucketName = upload.Bucket
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{"key": pulumi.String(self.Key), "sha256": pulumi.String(self.SHA256), "bucketName": self.BucketName})
}
