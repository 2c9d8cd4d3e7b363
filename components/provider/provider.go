package provider

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Account answers the account that the credentials belong to. It fails where AWS does not answer.
func Account(ctx *pulumi.Context, opts ...pulumi.InvokeOption) (string, error) {
	identity, err := aws.GetCallerIdentity(ctx, &aws.GetCallerIdentityArgs{}, opts...)
	if err != nil {
		return "", fmt.Errorf("ask AWS which account this is; are the credentials set and not expired? %w", err)
	}
	return identity.AccountId, nil
}

// Region answers the provider's region.
func Region(ctx *pulumi.Context, opts ...pulumi.InvokeOption) (string, error) {
	region, err := aws.GetRegion(ctx, &aws.GetRegionArgs{}, opts...)
	if err != nil {
		return "", fmt.Errorf("ask the provider which region this is: %w", err)
	}
	return region.Name, nil
}
