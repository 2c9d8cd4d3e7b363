// Package hostedzone finds the Route 53 zone that a stack's records go into.
package hostedzone

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Find answers the id of the public zone called name. It exists before any stack, because a domain is delegated to it by
// hand; without it, the error says what to do.
func Find(ctx *pulumi.Context, name string, opts ...pulumi.InvokeOption) (string, error) {
	zone, err := route53.LookupZone(ctx, &route53.LookupZoneArgs{Name: &name, PrivateZone: pulumi.BoolRef(false)}, opts...)
	if err != nil {
		return "", fmt.Errorf("find the public hosted zone %s; make it in Route 53 and delegate the domain to it, or name another one by hostedZone: %w", name, err)
	}
	return zone.ZoneId, nil
}
