// Package otherregion has AWS providers for regions besides the stack's own.
package otherregion

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NewProvider registers a provider for region, called like it, that is as the stack's own otherwise: a provider that a
// program makes has none of the stack's settings unless it is given them, such as the profile of the credentials. Settings
// are the stack's, as Pulumi hands them to programs, by keys like "aws:profile"; those of others than AWS are left out.
func NewProvider(ctx *pulumi.Context, region string, settings map[string]string) (pulumi.ProviderResource, error) {
	all := pulumi.Map{}
	for key, value := range settings {
		if name, ours := strings.CutPrefix(key, "aws:"); ours {
			all[name] = pulumi.String(value)
			if ctx.IsConfigSecret(key) {
				all[name] = pulumi.ToSecret(all[name])
			}
		}
	}
	all["region"] = pulumi.String(region)
	// The SDK's type would have each setting parsed, only to write it as a text again: the engine hands settings to the
	// stack's own provider as they are.
	return aws.NewProvider(ctx, region, nil, pulumi.Transformations([]pulumi.ResourceTransformation{
		func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			return &pulumi.ResourceTransformationResult{Props: all, Opts: args.Opts}
		},
	}))
}
