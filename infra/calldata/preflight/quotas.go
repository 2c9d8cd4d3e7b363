package preflight

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// quota is a limit of an account in a region.
type quota struct {
	service, code, what string
	// standard is what AWS gives without being asked, in most accounts.
	standard int
}

// The quotas that a stack can run into. Source: Amazon VPC User Guide, "Amazon VPC quotas"; AWS General Reference, "Amazon EC2
// endpoints and quotas"; Amazon EC2 User Guide, "On-Demand Instance quotas".
var (
	quotaVPCs      = quota{"vpc", "L-F678F1CE", "VPCs", 5}
	quotaAddresses = quota{"ec2", "L-0263D0A3", "Elastic IPs", 5}
	quotaNAT       = quota{"vpc", "L-FE5A380F", "NAT gateways in a zone", 5}
	quotaVCPUs     = quota{"ec2", "L-1216C47A", "vCPUs of running standard on-demand instances", 5}
	quotaRules     = quota{"vpc", "L-0EA8095F", "rules in a security group", 60}
)

// standardFamilies are the first letters of the instance types that quotaVCPUs counts.
// Source: Amazon EC2 User Guide, "On-Demand Instance quotas".
const standardFamilies = "acdhimrtz"

// limit answers the quota that applies, which is AWS's default where the account has no value of its own.
func (i *inspector) limit(ctx context.Context, q quota) (int, error) {
	out, err := i.clients.quotas.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String(q.service), QuotaCode: aws.String(q.code)})
	if err == nil && out.Quota != nil && out.Quota.Value != nil {
		return int(*out.Quota.Value), nil
	}
	if err != nil && !awsapi.Is(err, "NoSuchResourceException") {
		return 0, err
	}
	standard, err := i.clients.quotas.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{
		ServiceCode: aws.String(q.service), QuotaCode: aws.String(q.code)})
	if err != nil {
		return 0, err
	}
	if standard.Quota == nil || standard.Quota.Value == nil {
		return 0, fmt.Errorf("quota %s has no value", q.code)
	}
	return int(*standard.Quota.Value), nil
}

// usage is what is there already: in all, and of that this stack's own.
type usage struct{ all, ours int }

func (u *usage) add(n int, ours bool) {
	u.all += n
	if ours {
		u.ours += n
	}
}

// judge compares a limit with what will be in use once the stack is deployed.
func (i *inspector) judge(q quota, limit, need int, in usage) found {
	total := in.all + max(0, need-in.ours)
	sum := fmt.Sprintf("%s: the stack needs %d, and has %d; %d of %d are in use", q.what, need, in.ours, in.all, limit)
	if total > limit {
		return fail("%s, so it lacks %d\nask for more: aws service-quotas request-service-quota-increase --region %s --service-code %s --quota-code %s --desired-value %d",
			sum, total-limit, i.region, q.service, q.code, total)
	}
	return ok("%s", sum)
}

// quota runs one check of a quota: need says what the stack needs of it, used counts what is there.
func (i *inspector) quota(ctx context.Context, q quota, need func(needs) int, used func(context.Context) (usage, error)) found {
	return i.with(hasNetwork, func(t *stacks.Topology) found {
		n := need(needsOf(t))
		if n == 0 {
			return skip("the stack needs none")
		}
		limit, err := i.limit(ctx, q)
		if err != nil {
			return unknown(err)
		}
		in, err := used(ctx)
		if err != nil {
			return unknown(err)
		}
		return i.judge(q, limit, n, in)
	})
}

// ours tells this stack's own things by their tags.
func (i *inspector) ours(list []types.Tag) bool {
	has := map[string]string{}
	for _, tag := range list {
		has[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return i.owns(has)
}

// owns reports whether something with these tags is this stack's own.
func (i *inspector) owns(has map[string]string) bool {
	return has[tags.KeyProject] == stacks.Project && has[tags.KeyEnvironment] == i.file.Stack
}

func (i *inspector) vpcs(ctx context.Context) found {
	return i.quota(ctx, quotaVPCs, func(needs) int { return 1 }, func(ctx context.Context) (u usage, err error) {
		pages := ec2.NewDescribeVpcsPaginator(i.clients.ec2, &ec2.DescribeVpcsInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return u, err
			}
			for _, v := range page.Vpcs {
				u.add(1, i.ours(v.Tags))
			}
		}
		return u, nil
	})
}

func (i *inspector) addresses(ctx context.Context) found {
	return i.quota(ctx, quotaAddresses, func(n needs) int { return n.addresses }, func(ctx context.Context) (u usage, err error) {
		out, err := i.clients.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
		if err != nil {
			return u, err
		}
		for _, a := range out.Addresses {
			u.add(1, i.ours(a.Tags))
		}
		return u, nil
	})
}

func (i *inspector) vcpus(ctx context.Context) found {
	return i.quota(ctx, quotaVCPUs, func(n needs) int { return n.vcpus }, func(ctx context.Context) (u usage, err error) {
		pages := ec2.NewDescribeInstancesPaginator(i.clients.ec2, &ec2.DescribeInstancesInput{
			Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}}}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return u, err
			}
			for _, reservation := range page.Reservations {
				for _, instance := range reservation.Instances {
					if standardOnDemand(instance) {
						u.add(processors(instance), i.ours(instance.Tags))
					}
				}
			}
		}
		return u, nil
	})
}

func standardOnDemand(i types.Instance) bool {
	return i.InstanceLifecycle == "" && strings.Contains(standardFamilies, string(i.InstanceType)[:min(1, len(i.InstanceType))])
}

// processors are the virtual processors of an instance.
func processors(i types.Instance) int {
	if options := i.CpuOptions; options != nil && options.CoreCount != nil && options.ThreadsPerCore != nil {
		return int(*options.CoreCount * *options.ThreadsPerCore)
	}
	if known, err := stacks.FindInstanceType(string(i.InstanceType)); err == nil {
		return known.VCPU
	}
	return 0
}

// natGateways has a quota for each zone; the fullest zone counts.
func (i *inspector) natGateways(ctx context.Context) found {
	return i.with(func(t *stacks.Topology) bool { return len(needsOf(t).natGateways) > 0 }, func(t *stacks.Topology) found {
		limit, err := i.limit(ctx, quotaNAT)
		if err != nil {
			return unknown(err)
		}
		in, err := i.gatewaysByZone(ctx)
		if err != nil {
			return unknown(err)
		}
		need := needsOf(t).natGateways
		var judged []found
		for _, zone := range slices.Sorted(maps.Keys(need)) {
			f := i.judge(quotaNAT, limit, need[zone], in[zone])
			f.detail = zone + ": " + f.detail
			judged = append(judged, f)
		}
		return worst(judged)
	})
}

func (i *inspector) gatewaysByZone(ctx context.Context) (map[string]usage, error) {
	zones := map[string]string{}
	subnets := ec2.NewDescribeSubnetsPaginator(i.clients.ec2, &ec2.DescribeSubnetsInput{})
	for subnets.HasMorePages() {
		page, err := subnets.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range page.Subnets {
			zones[aws.ToString(s.SubnetId)] = aws.ToString(s.AvailabilityZone)
		}
	}
	in := map[string]usage{}
	pages := ec2.NewDescribeNatGatewaysPaginator(i.clients.ec2, &ec2.DescribeNatGatewaysInput{
		Filter: []types.Filter{{Name: aws.String("state"), Values: []string{"pending", "available"}}}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.NatGateways {
			zone := zones[aws.ToString(g.SubnetId)]
			u := in[zone]
			u.add(1, i.ours(g.Tags))
			in[zone] = u
		}
	}
	return in, nil
}

// rules has a quota for each security group, of whose rules the stack knows the number beforehand.
func (i *inspector) rules(ctx context.Context) found {
	return i.with(hasNetwork, func(t *stacks.Topology) found {
		limit, err := i.limit(ctx, quotaRules)
		if err != nil {
			return unknown(err)
		}
		n := needsOf(t)
		if n.rules > limit {
			return fail("%s: group %s has %d, and %d are allowed\ngive fewer ranges, or ask for more: aws service-quotas request-service-quota-increase "+
				"--region %s --service-code %s --quota-code %s --desired-value %d", quotaRules.what, n.group, n.rules, limit, i.region, quotaRules.service, quotaRules.code, n.rules)
		}
		return ok("%s: at most %d (%s), and %d are allowed", quotaRules.what, n.rules, cmp.Or(n.group, "none"), limit)
	})
}

// worst is the worst of several outcomes, with the details of all that are as bad.
func worst(all []found) found {
	var out found
	for _, f := range all {
		switch rank(f) - rank(out) {
		case 0:
			out.detail += "\n" + f.detail
		default:
			if rank(f) > rank(out) {
				out = f
			}
		}
	}
	return out
}
