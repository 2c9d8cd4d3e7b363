package preflight

import (
	"context"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
)

// home is the region that every account has: what may not be asked in a region that is not enabled is asked there.
const home = "us-east-1"

// clients are the parts of AWS that the checks ask.
type clients struct {
	sts     awsapi.Identifier
	home    regionAPI
	ec2     computeAPI
	quotas  quotaAPI
	iam     identityAPI
	costs   costAPI
	route53 zoneAPI
	// kms answers a client of a region, s3 one for a state's URL.
	kms func(region string) keyAPI
	s3  func(statestore.Bucket) stateAPI
	// nameServers asks the internet's DNS for a domain's name servers.
	nameServers func(ctx context.Context, domain string) ([]string, error)
}

type regionAPI interface {
	DescribeRegions(context.Context, *ec2.DescribeRegionsInput, ...func(*ec2.Options)) (*ec2.DescribeRegionsOutput, error)
}

type computeAPI interface {
	ec2.DescribeInstancesAPIClient
	ec2.DescribeInstanceTypeOfferingsAPIClient
	ec2.DescribeNatGatewaysAPIClient
	ec2.DescribeSubnetsAPIClient
	ec2.DescribeVpcsAPIClient
	ec2.DescribeImagesAPIClient
	DescribeAddresses(context.Context, *ec2.DescribeAddressesInput, ...func(*ec2.Options)) (*ec2.DescribeAddressesOutput, error)
	DescribeAvailabilityZones(context.Context, *ec2.DescribeAvailabilityZonesInput, ...func(*ec2.Options)) (*ec2.DescribeAvailabilityZonesOutput, error)
}

type quotaAPI interface {
	GetServiceQuota(context.Context, *servicequotas.GetServiceQuotaInput, ...func(*servicequotas.Options)) (*servicequotas.GetServiceQuotaOutput, error)
	GetAWSDefaultServiceQuota(context.Context, *servicequotas.GetAWSDefaultServiceQuotaInput, ...func(*servicequotas.Options)) (*servicequotas.GetAWSDefaultServiceQuotaOutput, error)
}

type identityAPI interface {
	GetRole(context.Context, *iam.GetRoleInput, ...func(*iam.Options)) (*iam.GetRoleOutput, error)
	GetOpenIDConnectProvider(context.Context, *iam.GetOpenIDConnectProviderInput, ...func(*iam.Options)) (*iam.GetOpenIDConnectProviderOutput, error)
}

type costAPI interface {
	costexplorer.GetAnomalyMonitorsAPIClient
	costexplorer.ListCostAllocationTagsAPIClient
	ListTagsForResource(context.Context, *costexplorer.ListTagsForResourceInput, ...func(*costexplorer.Options)) (*costexplorer.ListTagsForResourceOutput, error)
}

type zoneAPI interface {
	ListHostedZonesByName(context.Context, *route53.ListHostedZonesByNameInput, ...func(*route53.Options)) (*route53.ListHostedZonesByNameOutput, error)
	GetHostedZone(context.Context, *route53.GetHostedZoneInput, ...func(*route53.Options)) (*route53.GetHostedZoneOutput, error)
}

type keyAPI interface {
	DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error)
}

type stateAPI interface {
	statestore.BucketAPI
	HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
	GetBucketVersioning(context.Context, *s3.GetBucketVersioningInput, ...func(*s3.Options)) (*s3.GetBucketVersioningOutput, error)
}

func connect(ctx context.Context, region, profile string) (*clients, error) {
	settings, err := awsapi.Load(ctx, region, profile, home)
	if err != nil {
		return nil, err
	}
	return clientsFor(settings), nil
}

func clientsFor(settings aws.Config) *clients {
	at := func(region string) aws.Config {
		other := settings.Copy()
		other.Region = region
		return other
	}
	return &clients{
		sts:     sts.NewFromConfig(at(home)),
		home:    ec2.NewFromConfig(at(home)),
		ec2:     ec2.NewFromConfig(settings),
		quotas:  servicequotas.NewFromConfig(settings),
		iam:     iam.NewFromConfig(settings),
		costs:   costexplorer.NewFromConfig(at(home)), // which has no other region
		route53: route53.NewFromConfig(settings),
		kms:     func(region string) keyAPI { return kms.NewFromConfig(at(region)) },
		s3:      func(b statestore.Bucket) stateAPI { return b.Client(settings) },
		nameServers: func(ctx context.Context, domain string) ([]string, error) {
			found, err := net.DefaultResolver.LookupNS(ctx, domain)
			names := make([]string, len(found))
			for i, ns := range found {
				names[i] = ns.Host
			}
			return names, err
		},
	}
}
