package cidr

import (
	"errors"
	"fmt"
	"net/netip"
)

// Limits of a plan. Three tiers of four zones make three quarters of a network; the last quarter stays free for what
// nobody has thought of yet.
const (
	// MaxTiers is how many tiers of subnets a network is planned for.
	MaxTiers = 3
	// MaxZones is how many availability zones each tier has room for, used or not.
	MaxZones = 4
)

// Planned is the subnet of one tier in one zone.
type Planned struct {
	// Tier and Zone are as they were given.
	Tier, Zone string
	// CIDR is the subnet's range.
	CIDR netip.Prefix
}

// Plan answers a subnet of network for each tier and zone, tiers first. The z-th zone of the t-th tier has the place
// 4*t+z among those of Split, whatever else there is, so that another zone or tier at the end of its list moves no
// subnet. It fails if network is not one for a VPC or has no such place, or if there are more tiers or zones than a plan
// has room for. A /24 or wider has every place.
func Plan(network netip.Prefix, tiers, zones []string) ([]Planned, error) {
	if err := errors.Join(CheckNetwork(network), checkCount("tiers", len(tiers), MaxTiers), checkCount("zones", len(zones), MaxZones)); err != nil {
		return nil, err
	}
	if len(tiers) == 0 || len(zones) == 0 {
		return nil, nil
	}
	places, err := Split(network, MaxZones*(len(tiers)-1)+len(zones))
	if err != nil {
		return nil, err
	}
	var planned []Planned
	for t, tier := range tiers {
		for z, zone := range zones {
			planned = append(planned, Planned{Tier: tier, Zone: zone, CIDR: places[MaxZones*t+z]})
		}
	}
	return planned, nil
}

func checkCount(what string, n, most int) error {
	if n > most {
		return fmt.Errorf("%s: %d of them, a network has room for %d", what, n, most)
	}
	return nil
}
