package cidr

import (
	"fmt"
	"net/netip"
)

// slotsPerTier is how many zones a tier has room for: the fourth is in reserve.
const slotsPerTier = 4

// Planned is a subnet's place in a network.
type Planned struct {
	Tier, Zone string
	CIDR       netip.Prefix
}

// Plan gives each tier in each zone its place in network: the sixteenth number 4 x tier + zone. A place depends on nothing
// but the two positions, so that adding a zone or a tier at the end moves nothing. It fails if network is malformed or too
// small.
func Plan(network netip.Prefix, tiers, zones []string) ([]Planned, error) {
	if len(zones) > slotsPerTier {
		return nil, fmt.Errorf("%s has room for %d zones, not for %d", network, slotsPerTier, len(zones))
	}
	if len(tiers) == 0 || len(zones) == 0 {
		return nil, nil
	}
	slots, err := Split(network, (len(tiers)-1)*slotsPerTier+len(zones))
	if err != nil {
		return nil, err
	}
	var planned []Planned
	for t, tier := range tiers {
		for z, zone := range zones {
			planned = append(planned, Planned{Tier: tier, Zone: zone, CIDR: slots[t*slotsPerTier+z]})
		}
	}
	return planned, nil
}
