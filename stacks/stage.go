package stacks

// stage is one machine for each role: a public SBC, a private Router with its database, a private engine behind a load
// balancer. It has every part of prod once, so that what would break there breaks here.
func stage(stack string, c Config) (Topology, error) {
	t := base(stack, c)
	network, err := network(stack, c, TierPublic, TierPrivate, TierIntra)
	if err != nil {
		return Topology{}, err
	}
	t.Network = network
	t.Keys = []KeyUse{KeyVolumes, KeyDatabase, KeyStorage, KeyLogs, KeySecrets, KeyBackups}
	t.Buckets = stackBuckets(c)
	public, private := network.Of(TierPublic)[0].Name, network.Of(TierPrivate)[0].Name
	sbc := node(stack, c, "sbc-1", RoleC4SBC, c.Fleets.SBCInstanceType, public)
	sbc.Public = true
	t.Nodes = []NodeSpec{
		engine(stack, c, 1, private),
		node(stack, c, "router-1", RoleC4Router, c.Fleets.RouterInstanceType, private),
		sbc,
	}
	t.Database, t.Web, t.SIPEdge, t.Backup = database(stack, c), web(stack, c), sipEdge(stack, c, 0), backups(stack, c)
	watch(&t, c)
	prometheus(&t, c)
	t.Firewall = firewall(t, edgeRanges(c))
	return t, nil
}
