package stacks

import "errors"

// prod is fleets of SBCs and Routers over all zones, and two engines in different ones: a primary and the backup
// registrar, which phones turn to by themselves (wazo-platform.org, uc-doc/high_availability/index.md).
func prod(stack string, c Config) (Topology, error) {
	t := base(stack, c)
	network, err := network(stack, c, TierPublic, TierPrivate, TierIntra)
	if err != nil {
		return Topology{}, err
	}
	t.Network = network
	t.Keys = []KeyUse{KeyVolumes, KeyDatabase, KeyStorage, KeyLogs, KeySecrets, KeyBackups}
	t.Buckets = stackBuckets(c)
	private := network.Of(TierPrivate)
	t.Nodes = []NodeSpec{engine(stack, c, 1, private[0].Name), engine(stack, c, 2, private[1].Name)}
	if t.SIPEdge = sipEdge(stack, c, c.Fleets.SBCs.Max+spareAddresses); t.SIPEdge == nil {
		return Topology{}, errors.New("it has no SIP edge")
	}
	for _, colour := range Colours() {
		if c.Fleets.Standings[colour] == StandingNone {
			continue
		}
		sbc := fleet(stack, c, colour, RoleC4SBC, c.Fleets.SBCInstanceType, TierPublic, c.Fleets.SBCs)
		sbc.AddressPool, sbc.Balanced = t.SIPEdge.Phones, t.SIPEdge.Carriers
		t.Fleets = append(t.Fleets, sbc, fleet(stack, c, colour, RoleC4Router, c.Fleets.RouterInstanceType, TierPrivate, c.Fleets.Routers))
	}
	t.Database, t.Web, t.Backup = database(stack, c), web(stack, c), backups(stack, c)
	watch(&t, c)
	prometheus(&t, c)
	t.Firewall = firewall(t, edgeRanges(c))
	return t, nil
}

// spareAddresses are for SBCs that come before those go that they replace.
const spareAddresses = 1

// fleet is one of a colour. Only what serves is protected: what does not may go without a deployment that first lets it.
func fleet(stack string, c Config, colour Colour, role Role, t InstanceType, tier string, size FleetSize) FleetSpec {
	standing := c.Fleets.Standings[colour]
	return FleetSpec{
		Name: FleetName(stack, role, colour), Role: role, Colour: colour, Standing: standing, Type: t, Tier: tier, Size: size, CPUTarget: c.Fleets.CPUTarget,
		VolumeGiB: c.Machines.RootVolumeGiB, AMIID: c.Machines.AMIID, DrainTimeout: c.Fleets.DrainTimeout,
		DetailedMonitoring: c.Machines.DetailedMonitoring, Protect: c.Protect && standing.Serves(), SSHPublicKey: c.Access.SSHPublicKey,
	}
}

// AddressPool is the tag by which the SBCs of a stack, of whatever colour, find the Elastic IPs that they may claim.
func AddressPool(stack string) string { return FleetName(stack, RoleC4SBC, Blue) }

// FleetName is the name of a fleet and of its Auto Scaling group. That of blue has no word for the colour: it was there first.
func FleetName(stack string, role Role, colour Colour) string {
	name := stack + "-" + string(role)
	if colour == Green {
		name += "-" + string(Green)
	}
	return name
}
