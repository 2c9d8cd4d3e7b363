package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

const (
	defaultRegion     = "us-east-1"
	defaultAlias      = "alias/calldata-foundation-secrets"
	defaultOwner      = "platform"
	defaultCostCenter = "telephony"
	// Old versions of the state are what a lost or broken state is restored from.
	defaultKeepDays     = 90
	defaultKeepVersions = 50
	// maxKeepVersions is the most that a lifecycle rule can keep.
	// Source: Amazon S3 API Reference, NoncurrentVersionExpiration, NewerNoncurrentVersions.
	maxKeepVersions = 100
	// maxBucket is the longest name of a bucket. Source: Amazon S3 User Guide, "General purpose bucket naming rules".
	maxBucket = 63
)

var (
	// Source: Amazon S3 User Guide, "General purpose bucket naming rules". Dots are left out: they break TLS with host names.
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	// Source: AWS KMS API Reference, CreateAlias, AliasName.
	aliasForm = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,249}$`)
)

// Options is what `calldata bootstrap` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Region is where bucket and key are. Default: the profile's or the environment's, or else us-east-1.
	Region string
	// Profile is the AWS profile. Default: the environment's.
	Profile string
	// CopyRegion is a second region that gets a copy of the state. Empty: nothing is copied, and what copies is left as it is.
	CopyRegion string
	// Bucket is the bucket for the state. Default: calldata-foundation-state-<account>-<region>.
	Bucket string
	// KeyAlias names the KMS key, default alias/calldata-foundation-secrets.
	KeyAlias string
	// KeepDays and KeepVersions say how long old states are kept: for at least so many days, and the newest so many of
	// each object however old they are. Default 90 days and 50.
	KeepDays, KeepVersions int
	// Owner and CostCenter are tags. Empty: what is there stays, and what is made gets "platform" and "telephony".
	Owner, CostCenter string
	// DryRun reads only.
	DryRun bool
	// JSON prints the report as JSON instead of a table.
	JSON bool

	// connect makes the clients of a region; tests answer their own.
	connect func(ctx context.Context, o *Options, region string) (clients, error)
}

// clients are the parts of AWS that the command talks to.
type clients struct {
	region string
	sts    awsapi.Identifier
	kms    keyAPI
	s3     bucketAPI
	iam    roleAPI
}

// NewCmdBootstrap makes the command.
func NewCmdBootstrap(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, connect: connect})
}

func newCmd(opts *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make the state bucket, the secrets key and AWS's own roles, before the first stack",
		Long: `Make what has to exist before the first stack: an S3 bucket for Pulumi's state, a KMS key for its secrets, and the roles
of EC2 Auto Scaling and AWS Config, which stacks name before these services would make them.

The key gets the alias, yearly rotation and tags; its policy is KMS's own, which leaves access to IAM. The bucket is
versioned, encrypted with that key, closed to the public, to plain HTTP and to other accounts, without ACLs, and forgets
old versions and broken uploads by itself.

With --copy-region S3 copies every object to a bucket called BUCKET-copy in another region, under a key of that region with the
same alias, in a role of its own. What is there already S3 would not copy: this command does, each time it is run. Locks are
copied with everything else, and so may be left in the copy when the region is lost: pulumi cancel removes them there. Secrets
in the state stay encrypted with the key of the first region.

Everything is looked at first. What is there and right is left alone, what is missing is made, what is wrong is mended; so
the command may be run again at any time, and goes on where it was broken off. Statements and rules that others have put
into the bucket's policy and lifecycle stay. It never deletes anything, and refuses buckets of other accounts.

Exit codes: 0 all is in place (with --dry-run: nothing stands in the way), 1 AWS refused something, 2 wrong input, or
something is there that must be decided by hand; then nothing was changed.`,
		Example: `  calldata bootstrap --dry-run
  calldata bootstrap --profile telephony --region eu-west-1
  calldata bootstrap --copy-region us-west-2
  calldata bootstrap --json | jq -r .login`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Region, "region", "", "AWS region (default: the profile's or the environment's, or else "+defaultRegion+")")
	flags.StringVar(&opts.CopyRegion, "copy-region", "", "AWS region that gets a copy of the state (default: none)")
	flags.StringVar(&opts.Profile, "profile", "", "AWS profile (default: the environment's)")
	flags.StringVar(&opts.Bucket, "bucket", "", "bucket for the state (default: calldata-foundation-state-ACCOUNT-REGION)")
	flags.StringVar(&opts.KeyAlias, "key-alias", defaultAlias, "alias of the KMS key")
	flags.IntVar(&opts.KeepDays, "keep-days", defaultKeepDays, "days that an old version of the state is kept at least")
	flags.IntVar(&opts.KeepVersions, "keep-versions", defaultKeepVersions, "old versions of each object that are kept however old they are")
	flags.StringVar(&opts.Owner, "owner", "", "tag Owner (default: what is there, or else "+defaultOwner+")")
	flags.StringVar(&opts.CostCenter, "cost-center", "", "tag CostCenter (default: what is there, or else "+defaultCostCenter+")")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "say what would be done, and change nothing")
	flags.BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

func connect(ctx context.Context, o *Options, region string) (clients, error) {
	settings, err := awsapi.Load(ctx, region, o.Profile, defaultRegion)
	if err != nil {
		return clients{}, err
	}
	return clients{region: settings.Region, sts: sts.NewFromConfig(settings), kms: kms.NewFromConfig(settings), s3: awsapi.S3(settings), iam: iam.NewFromConfig(settings)}, nil
}

// validate reports everything that is wrong with the options.
func (o *Options) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for _, region := range []struct{ flag, value string }{{"--region", o.Region}, {copyFlag, o.CopyRegion}} {
		if region.value == "" {
			continue
		}
		if err := awsapi.CheckRegion(region.value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", region.flag, err))
		}
	}
	check(o.CopyRegion == "" || len(o.Bucket) <= maxBucket-len(copySuffix), "--bucket has %d characters, and with --copy-region at most %d: the copy's name ends with %s",
		len(o.Bucket), maxBucket-len(copySuffix), copySuffix)
	check(o.Bucket == "" || bucketForm.MatchString(o.Bucket), "--bucket is %q, want 3 to 63 lower case letters, digits and hyphens", o.Bucket)
	check(aliasForm.MatchString(o.KeyAlias), "--key-alias is %q, want alias/ and letters, digits, / _ and -", o.KeyAlias)
	check(!strings.HasPrefix(o.KeyAlias, "alias/aws/"), "--key-alias is %q, and alias/aws/ is for AWS's own keys: choose another", o.KeyAlias)
	check(o.KeepDays >= 1, "--keep-days is %d, want 1 or more", o.KeepDays)
	check(o.KeepVersions >= 1 && o.KeepVersions <= maxKeepVersions, "--keep-versions is %d, want 1 to %d", o.KeepVersions, maxKeepVersions)
	for _, tag := range []struct{ flag, value string }{{"--owner", o.Owner}, {"--cost-center", o.CostCenter}} {
		if tag.value == "" {
			continue
		}
		if err := tags.CheckValue(tag.value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", tag.flag, err))
		}
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

func run(ctx context.Context, o *Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	to, err := o.connect(ctx, o, o.Region)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	if err := awsapi.CheckRegion(to.region); err != nil {
		return cli.WithCode(cli.ExitUsage, fmt.Errorf("the region of the profile or the environment: %w, or give --region", err))
	}
	f := &foundation{Options: o, clients: to, regionFlag: "--region"}
	if o.CopyRegion != "" {
		if o.CopyRegion == to.region {
			return cli.UsageErrorf("%s is %s, and so is the region of the state: name another", copyFlag, o.CopyRegion)
		}
		there, err := o.connect(ctx, o, o.CopyRegion)
		if err != nil {
			return cli.WithCode(cli.ExitUsage, err)
		}
		f.copy = &foundation{Options: o, clients: there, regionFlag: copyFlag}
	}
	work, finish := o.IO.Reporter()
	report, err := f.lay(ctx, work)
	finish()
	if report != nil {
		err = errors.Join(err, o.IO.Print(o.JSON, report, report.writeTable))
	}
	return err
}
