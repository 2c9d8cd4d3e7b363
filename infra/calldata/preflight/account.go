package preflight

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// rank orders outcomes, the worst last.
func rank(f found) int {
	return slices.Index([]verdict.Status{"", verdict.Skip, verdict.OK, verdict.Warn, verdict.Fail}, f.status)
}

// regionEnabled asks at home: a region that is not enabled does not even know the credentials.
func (i *inspector) regionEnabled(ctx context.Context) found {
	out, err := i.clients.home.DescribeRegions(ctx, &ec2.DescribeRegionsInput{AllRegions: aws.Bool(true)})
	if err != nil {
		return unknown(err)
	}
	for _, r := range out.Regions {
		if aws.ToString(r.RegionName) != i.region {
			continue
		}
		if status := aws.ToString(r.OptInStatus); status == "not-opted-in" {
			return fail("%s is not enabled for account %s: aws account enable-region --region-name %s", i.region, i.id.Account, i.region)
		}
		return ok("%s is enabled", i.region)
	}
	return fail("AWS has no region %s for account %s: set aws:region to one of its own", i.region, i.id.Account)
}

func (i *inspector) zones(ctx context.Context) found {
	return i.with(hasNetwork, func(t *stacks.Topology) found {
		out, err := i.clients.ec2.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{})
		if err != nil {
			return unknown(err)
		}
		var has []string
		for _, z := range out.AvailabilityZones {
			if z.State == types.AvailabilityZoneStateAvailable && cmp.Or(aws.ToString(z.ZoneType), "availability-zone") == "availability-zone" {
				has = append(has, aws.ToString(z.ZoneName))
			}
		}
		slices.Sort(has)
		missing := slices.DeleteFunc(slices.Clone(t.Network.Zones), func(z string) bool { return slices.Contains(has, z) })
		if len(missing) > 0 {
			return fail("account %s has no zone %s, but %s: pulumi config set --path 'calldata-foundation:zones[0]' ... -s %s", i.id.Account,
				strings.Join(missing, ", "), strings.Join(has, ", "), i.file.Stack)
		}
		return ok("%s", strings.Join(t.Network.Zones, ", "))
	})
}

// instanceTypes looks for zones that do not have a type: newer and older ones are not everywhere.
func (i *inspector) instanceTypes(ctx context.Context) found {
	return i.with(hasMachines, func(t *stacks.Topology) found {
		n := needsOf(t)
		offered := map[string]bool{}
		pages := ec2.NewDescribeInstanceTypeOfferingsPaginator(i.clients.ec2, &ec2.DescribeInstanceTypeOfferingsInput{
			LocationType: types.LocationTypeAvailabilityZone,
			Filters:      []types.Filter{{Name: aws.String("instance-type"), Values: n.typeNames()}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return unknown(err)
			}
			for _, o := range page.InstanceTypeOfferings {
				offered[string(o.InstanceType)+" "+aws.ToString(o.Location)] = true
			}
		}
		var problems []string
		for _, name := range n.typeNames() {
			for _, zone := range n.types[name] {
				if !offered[name+" "+zone] {
					problems = append(problems, fmt.Sprintf("%s is not offered in %s: choose another type or zone", name, zone))
				}
			}
		}
		if len(problems) > 0 {
			return fail("%s", strings.Join(problems, "\n"))
		}
		return ok("%s", strings.Join(n.typeNames(), ", "))
	})
}

// Who publishes Debian's images, and how they are called, as the component machineimage looks for them.
const (
	debianAccount = "136693071363"
	debianImages  = "debian-12-amd64-*"
)

// image looks for the image that is pinned, or for the newest Debian.
func (i *inspector) image(ctx context.Context) found {
	return i.with(hasMachines, func(t *stacks.Topology) found {
		pinned := ""
		for _, n := range t.Nodes {
			pinned = cmp.Or(pinned, n.AMIID)
		}
		for _, f := range t.Fleets {
			pinned = cmp.Or(pinned, f.AMIID)
		}
		in := &ec2.DescribeImagesInput{Owners: []string{debianAccount}, Filters: []types.Filter{
			{Name: aws.String("name"), Values: []string{debianImages}}, {Name: aws.String("architecture"), Values: []string{"x86_64"}},
			{Name: aws.String("state"), Values: []string{"available"}},
		}}
		if pinned != "" {
			in = &ec2.DescribeImagesInput{ImageIds: []string{pinned}}
		}
		var newest types.Image
		pages := ec2.NewDescribeImagesPaginator(i.clients.ec2, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			switch {
			case awsapi.Is(err, "InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable"):
				return fail("amiId %s does not exist in %s for account %s", pinned, i.region, i.id.Account)
			case err != nil:
				return unknown(err)
			}
			for _, image := range page.Images {
				if newest.ImageId == nil || aws.ToString(image.CreationDate) > aws.ToString(newest.CreationDate) {
					newest = image
				}
			}
		}
		name := fmt.Sprintf("%s, %s", aws.ToString(newest.ImageId), aws.ToString(newest.Name))
		switch {
		case newest.ImageId == nil && pinned != "":
			return fail("amiId %s does not exist in %s for account %s", pinned, i.region, i.id.Account)
		case newest.ImageId == nil:
			return fail("account %s publishes no Debian 12 image in %s: pin one with amiId", debianAccount, i.region)
		case newest.State != types.ImageStateAvailable:
			return fail("%s is %s", name, newest.State)
		case newest.Architecture != types.ArchitectureValuesX8664:
			return fail("%s is for %s, want x86_64", name, newest.Architecture)
		case pinned != "" && deprecated(newest):
			return warn("%s is deprecated since %s: Debian has a newer one, set amiId to it", name, aws.ToString(newest.DeprecationTime))
		}
		return ok("%s", name)
	})
}

func deprecated(image types.Image) bool {
	at, err := time.Parse(time.RFC3339, aws.ToString(image.DeprecationTime))
	return err == nil && at.Before(time.Now())
}

// natAddresses looks for the Elastic IPs that are to be taken.
func (i *inspector) natAddresses(ctx context.Context) found {
	given := func(t *stacks.Topology) bool { return t.Network != nil && len(t.Network.NatAllocationIDs) > 0 }
	return i.with(given, func(t *stacks.Topology) found {
		out, err := i.clients.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
		if err != nil {
			return unknown(err)
		}
		var problems, shown []string
		for _, id := range t.Network.NatAllocationIDs {
			at := slices.IndexFunc(out.Addresses, func(a types.Address) bool { return aws.ToString(a.AllocationId) == id })
			switch {
			case at < 0:
				problems = append(problems, fmt.Sprintf("%s is not in %s of account %s", id, i.region, i.id.Account))
			case out.Addresses[at].InstanceId != nil && aws.ToString(out.Addresses[at].InstanceId) != "":
				problems = append(problems, fmt.Sprintf("%s is on the instance %s", id, aws.ToString(out.Addresses[at].InstanceId)))
			default:
				shown = append(shown, aws.ToString(out.Addresses[at].PublicIp))
			}
		}
		if len(problems) > 0 {
			return fail("%s", strings.Join(problems, "\n"))
		}
		return ok("%s", strings.Join(shown, ", "))
	})
}

// hostedZone looks for the zone, and for whether the internet asks its name servers: a certificate that DNS validates would
// otherwise never come.
func (i *inspector) hostedZone(ctx context.Context) found {
	return i.with(func(t *stacks.Topology) bool { return zoneName(t) != "" }, func(t *stacks.Topology) found {
		if !i.given("domain") {
			return skip("domain is not set")
		}
		name := zoneName(t)
		out, err := i.clients.route53.ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: aws.String(name)})
		if err != nil {
			return unknown(err)
		}
		var ids []string
		for _, z := range out.HostedZones {
			if strings.TrimSuffix(aws.ToString(z.Name), ".") == name && (z.Config == nil || !z.Config.PrivateZone) {
				ids = append(ids, strings.TrimPrefix(aws.ToString(z.Id), "/hostedzone/"))
			}
		}
		switch len(ids) {
		case 0:
			return fail("account %s has no public hosted zone %s: make it (aws route53 create-hosted-zone --name %s --caller-reference %s) and delegate the domain "+
				"to it, or name another with hostedZone", i.id.Account, name, name, name)
		case 1:
		default:
			return fail("account %s has %d public hosted zones %s (%s), and the records would go into any of them: delete those that are not delegated to",
				i.id.Account, len(ids), name, strings.Join(ids, ", "))
		}
		zone, err := i.clients.route53.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: aws.String(ids[0])})
		if err != nil || zone.DelegationSet == nil {
			return warn("%s is there (%s), but whether the domain is delegated to it could not be checked", name, ids[0])
		}
		asked, err := i.clients.nameServers(ctx, name)
		if err != nil {
			return warn("%s is there (%s), but its name servers could not be asked for: %s\nthe domain must be delegated to %s", name, ids[0], err,
				strings.Join(zone.DelegationSet.NameServers, ", "))
		}
		if !slices.Equal(hosts(asked), hosts(zone.DelegationSet.NameServers)) {
			return fail("%s is there (%s), but the internet asks %s: delegate the domain to %s", name, ids[0], strings.Join(hosts(asked), ", "),
				strings.Join(hosts(zone.DelegationSet.NameServers), ", "))
		}
		return ok("%s (%s), and the domain is delegated to it", name, ids[0])
	})
}

// hosts are names of hosts in one spelling and order.
func hosts(names []string) []string {
	out := make([]string, len(names))
	for n, name := range names {
		out[n] = strings.ToLower(strings.TrimSuffix(name, "."))
	}
	slices.Sort(out)
	return out
}

func zoneName(t *stacks.Topology) string {
	switch {
	case t.Web != nil:
		return t.Web.HostedZone
	case t.SIPEdge != nil:
		return t.SIPEdge.HostedZone
	}
	return ""
}

// secretsKey looks for the key that the stack's secrets are encrypted with.
func (i *inspector) secretsKey(ctx context.Context) found {
	provider := i.file.SecretsProvider
	switch {
	case provider == "":
		return skip("the stack has no key of KMS; a passphrase encrypts its secrets, or nothing does yet")
	case !strings.HasPrefix(provider, "awskms:"):
		return skip("%s is not of KMS", provider)
	}
	parsed, err := url.Parse(provider)
	if err != nil {
		return fail("secretsprovider %s is no URL", provider)
	}
	// "awskms://alias/name" has its first word as the host, "awskms:///arn:..." has none.
	id := strings.TrimPrefix(parsed.Host+parsed.Path, "/")
	out, err := i.clients.kms(cmp.Or(parsed.Query().Get("region"), i.region)).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(id)})
	switch {
	case awsapi.Is(err, "NotFoundException"):
		return fail("%s does not exist: without it nobody can read the stack's secrets; `calldata bootstrap` makes a new one for new stacks", provider)
	case err != nil:
		return unknown(err)
	case out.KeyMetadata.KeyState != kmstypes.KeyStateEnabled:
		return fail("%s is %s: cancel its deletion or enable it", provider, out.KeyMetadata.KeyState)
	}
	return ok("%s", aws.ToString(out.KeyMetadata.Arn))
}
