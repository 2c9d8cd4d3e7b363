package vpc

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/tags"
)

// EndpointsArgs describe the doors of a network to AWS services. Each service costs about 7 USD a month in each subnet
// given, and 0.01 USD a GB.
// Source: AWS PrivateLink pricing, us-east-1.
type EndpointsArgs struct {
	// VpcID is the network. It must resolve DNS, as that of NewVpc does: the services' public names then lead to the
	// endpoints.
	VpcID pulumi.StringInput
	// Services are AWS services as the endpoints' names have them, for example "ssm", "ssmmessages" and "ec2messages".
	Services []string
	// SubnetIDs are where the endpoints are: at most one subnet in each zone.
	SubnetIDs pulumi.StringArrayInput
	// SecurityGroupID is their firewall. It must let HTTPS in from the network.
	SecurityGroupID pulumi.StringInput
	// Region is the network's.
	Region string
	// Tags are given to every endpoint; Role says what they serve.
	Tags tags.Tags
}

var (
	serviceForm = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// Validate reports every field that AWS would refuse.
func (a EndpointsArgs) Validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	need(a.VpcID != nil, "VPC id: it is missing")
	need(a.SubnetIDs != nil, "subnet ids: they are missing")
	need(a.SecurityGroupID != nil, "security group id: it is missing, and the default one lets nothing through")
	need(regionForm.MatchString(a.Region), "region: %q is not like us-east-1", a.Region)
	need(len(a.Services) > 0, "services: at least one is needed")
	for i, s := range a.Services {
		need(serviceForm.MatchString(s), "services[%d]: %q is not a service's short name, like ssm", i, s)
		need(!slices.Contains(a.Services[:i], s), "services[%d]: %q is there twice", i, s)
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

// Endpoints are doors of a network to AWS services, for machines that do not reach the internet or are not to.
type Endpoints struct {
	pulumi.ResourceState

	// IDs are the endpoints' ids by service.
	IDs map[string]pulumi.StringOutput
	// Ready are the endpoints: what must be there before a machine can reach the services through them.
	Ready []pulumi.Resource
}

// NewEndpoints registers an interface endpoint for each service. It fails before the first resource if args are not valid.
func NewEndpoints(ctx *pulumi.Context, name string, args EndpointsArgs, opts ...pulumi.ResourceOption) (*Endpoints, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("endpoints %s: %w", name, err)
	}
	self := &Endpoints{IDs: map[string]pulumi.StringOutput{}}
	if err := ctx.RegisterComponentResource("calldata:vpc:Endpoints", name, self, opts...); err != nil {
		return nil, fmt.Errorf("endpoints %s: %w", name, err)
	}
	ids := pulumi.StringMap{}
	for _, s := range args.Services {
		child := name + "-" + s
		endpoint, err := ec2.NewVpcEndpoint(ctx, child, &ec2.VpcEndpointArgs{
			VpcId: args.VpcID, ServiceName: pulumi.String(serviceName(args.Region, s)), VpcEndpointType: pulumi.String("Interface"),
			SubnetIds: args.SubnetIDs, SecurityGroupIds: pulumi.StringArray{args.SecurityGroupID}, PrivateDnsEnabled: pulumi.Bool(true),
			Tags: pulumi.ToStringMap(args.Tags.Named(child)),
		}, pulumi.Parent(self))
		if err != nil {
			return nil, fmt.Errorf("endpoints %s: %w", name, err)
		}
		self.IDs[s] = endpoint.ID().ToStringOutput()
		self.Ready = append(self.Ready, endpoint)
		ids[s] = self.IDs[s]
	}
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{"ids": ids})
}

// serviceName is the name by which an endpoint knows an AWS service.
// Source: AWS PrivateLink Guide, "AWS services that integrate with AWS PrivateLink".
func serviceName(region, service string) string { return "com.amazonaws." + region + "." + service }
