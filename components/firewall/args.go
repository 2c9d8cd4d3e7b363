package firewall

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Args say who may reach whom.
type Args struct {
	// VpcID is the network.
	VpcID pulumi.StringInput
	// Groups are the security groups. At least one.
	Groups []GroupArgs
	// Tags are given to everything that takes tags; Role becomes the group's name.
	Tags tags.Tags
}

// GroupArgs describe a security group.
type GroupArgs struct {
	// Name says what the group is of. Its port table names the ports that must stay closed whatever Ingress says.
	Name ports.Group
	// Ingress is who may reach which port. A peer must be another group of the same firewall.
	Ingress []ports.Rule
}

// Validate reports every rule that is malformed or opens what must stay closed, and every group that is unknown or there
// twice.
func (a Args) Validate() error {
	var errs []error
	fail := func(format string, values ...any) { errs = append(errs, fmt.Errorf(format, values...)) }
	if a.VpcID == nil {
		fail("VPC id: it is missing")
	}
	if len(a.Groups) == 0 {
		fail("groups: at least one is needed")
	}
	for i, g := range a.Groups {
		if ports.Table(g.Name) == nil {
			fail("groups[%d]: %q is not one of %v", i, g.Name, ports.Groups())
			continue
		}
		if a.has(g.Name, i) {
			fail("groups[%d]: an earlier one is of %s too", i, g.Name)
		}
		if err := ports.CheckRules(ports.Table(g.Name), g.Ingress); err != nil {
			fail("group %s: %w", g.Name, err)
		}
		for _, r := range g.Ingress {
			if r.Peer != "" && !a.has(r.Peer, len(a.Groups)) {
				fail("group %s: rule %s: there is no group %s", g.Name, r.Name(), r.Peer)
			}
		}
	}
	if err := a.Tags.Validate(); err != nil {
		fail("tags: %w", err)
	}
	return errors.Join(errs...)
}

// has reports whether one of the first n groups is of name.
func (a Args) has(name ports.Group, n int) bool {
	return slices.ContainsFunc(a.Groups[:n], func(g GroupArgs) bool { return g.Name == name })
}
