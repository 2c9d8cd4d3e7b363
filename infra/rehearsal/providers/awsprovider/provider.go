package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-provider-aws/xpprovider"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	sdkshim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	"github.com/pulumi/pulumi-terraform-bridge/v3/unstable/metadata"
)

// version is that of the Pulumi AWS SDK whose names the provider speaks. The engine matches it against the SDK the
// program was compiled with.
const version = "6.83.2"

// newProvider describes the Terraform AWS provider to the bridge: which types, under which names.
func newProvider(ctx context.Context) (tfbridge.ProviderInfo, error) {
	framework, sdk, err := xpprovider.GetProvider(ctx)
	if err != nil {
		return tfbridge.ProviderInfo{}, fmt.Errorf("make the Terraform AWS provider: %w", err)
	}
	info := tfbridge.ProviderInfo{
		P:              pfbridge.MuxShimWithPF(ctx, sdkshim.NewProvider(sdk), framework),
		Name:           "aws",
		Version:        version,
		ResourcePrefix: "aws",
		GitHubOrg:      "hashicorp",
		MetadataInfo:   tfbridge.NewProviderMetadata([]byte("{}")),
		Resources:      map[string]*tfbridge.ResourceInfo{},
		DataSources:    map[string]*tfbridge.DataSourceInfo{},
	}
	if err := addTokens(&info, tokenTable); err != nil {
		return tfbridge.ProviderInfo{}, err
	}
	ignoreUnnamed(&info)
	// The SDK has aws.s3.Bucket beside BucketV2: one upstream resource under two tokens.
	info.RenameResourceWithAlias("aws_s3_bucket", "aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2", "s3", "s3", nil)
	if err := applyOverrides(&info, sdk.ResourcesMap); err != nil {
		return tfbridge.ProviderInfo{}, err
	}
	// Pulumi's AWS provider names resources up to 255 characters, "-" before the random part.
	info.SetAutonaming(255, "-")
	return info, dispatch(&info)
}

// ignoreUnnamed tells the bridge that types without a token are left out on purpose.
func ignoreUnnamed(info *tfbridge.ProviderInfo) {
	info.P.ResourcesMap().Range(func(name string, _ shim.Resource) bool {
		if info.Resources[name] == nil {
			info.IgnoreMappings = append(info.IgnoreMappings, name)
		}
		return true
	})
	info.P.DataSourcesMap().Range(func(name string, _ shim.Resource) bool {
		if info.DataSources[name] == nil {
			info.IgnoreMappings = append(info.IgnoreMappings, name)
		}
		return true
	})
}

// dispatch stores which of the two halves (plugin SDK, plugin framework) serves each type.
func dispatch(info *tfbridge.ProviderInfo) error {
	resolver, ok := info.P.(interface {
		ResolveDispatch(*tfbridge.ProviderInfo) (muxer.DispatchTable, error)
	})
	if !ok {
		return fmt.Errorf("the bridge's provider %T cannot tell which half serves a type", info.P)
	}
	table, err := resolver.ResolveDispatch(info)
	if err != nil {
		return fmt.Errorf("sort the types by plugin SDK and plugin framework: %w", err)
	}
	if err := metadata.Set(info.GetMetadata(), "mux", table); err != nil {
		return fmt.Errorf("store which half serves a type: %w", err)
	}
	return nil
}
