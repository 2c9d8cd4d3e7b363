package vpc

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/calldata/calldata-foundation/components/cidr"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Args decide the shape of the network.
type Args struct {
	// CIDR is the network's range: private IPv4, /16 to /28.
	CIDR netip.Prefix
	// Subnets are its public subnets. At least one.
	Subnets []SubnetArgs
	// FlowLogRetentionDays is how long the record of its traffic is kept, one of the values that CloudWatch Logs knows.
	FlowLogRetentionDays int
	// Tags are given to everything that takes tags; Role says what the network serves.
	Tags tags.Tags
}

// SubnetArgs describe a public subnet.
type SubnetArgs struct {
	// Name identifies the subnet within the network, for example "public-us-east-1a".
	Name string
	// Zone is its availability zone.
	Zone string
	// CIDR is its range, inside the network's and apart from other subnets'.
	CIDR netip.Prefix
}

// Validate reports every field that AWS would refuse.
func (a Args) Validate() error {
	var errs []error
	if err := cidr.CheckNetwork(a.CIDR); err != nil {
		errs = append(errs, fmt.Errorf("CIDR: %w", err))
	}
	if len(a.Subnets) == 0 {
		errs = append(errs, errors.New("subnets: at least one is needed"))
	}
	named := make([]cidr.Named, len(a.Subnets))
	seen := map[string]bool{}
	for i, s := range a.Subnets {
		named[i] = cidr.Named{Name: s.Name, Prefix: s.CIDR}
		if s.Name == "" || s.Zone == "" {
			errs = append(errs, fmt.Errorf("subnets[%d]: the name %q and the zone %q must both be set", i, s.Name, s.Zone))
		}
		if seen[s.Name] {
			errs = append(errs, fmt.Errorf("subnets[%d]: an earlier one is called %q too", i, s.Name))
		}
		seen[s.Name] = true
	}
	if err := cidr.CheckSubnets(a.CIDR, named); err != nil {
		errs = append(errs, fmt.Errorf("subnets: %w", err))
	}
	if a.FlowLogRetentionDays < 1 {
		errs = append(errs, fmt.Errorf("flow log retention: %d days, want at least 1: logs are never kept without end", a.FlowLogRetentionDays))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}
