package machineimage

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// debianAccount is the AWS account that publishes Debian's images. Source: wiki.debian.org, Cloud/AmazonEC2Image.
const debianAccount = "136693071363"

// RootDevice is the name of the root volume of Debian's images.
const RootDevice = "/dev/xvda"

// NewestDebian answers the id of the newest Debian 12 image for amd64 in the provider's region. It fails where AWS does not answer,
// or has none.
func NewestDebian(ctx *pulumi.Context, opts ...pulumi.InvokeOption) (string, error) {
	image, err := ec2.LookupAmi(ctx, &ec2.LookupAmiArgs{
		MostRecent: pulumi.BoolRef(true),
		Owners:     []string{debianAccount},
		Filters: []ec2.GetAmiFilter{
			{Name: "name", Values: []string{"debian-12-amd64-*"}},
			{Name: "architecture", Values: []string{"x86_64"}},
			{Name: "root-device-type", Values: []string{"ebs"}},
			{Name: "virtualization-type", Values: []string{"hvm"}},
			{Name: "state", Values: []string{"available"}},
		},
	}, opts...)
	if err != nil {
		return "", fmt.Errorf("find the newest Debian 12 image of account %s; to do without, set amiId: %w", debianAccount, err)
	}
	return image.Id, nil
}
