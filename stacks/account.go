package stacks

import "slices"

// account is what exists once in an AWS account, whatever runs there: who may deploy, what is recorded, who is told.
func account(stack string, c Config) (Topology, error) {
	t := base(stack, c)
	t.Configuration = Configuration{}
	a := c.Account
	spec := &AccountSpec{
		Repository: a.Repository, OwnerID: a.OwnerID, RepositoryID: a.RepositoryID, ProviderExists: a.ProviderExists, Environments: a.Environments, OtherRegions: a.OtherRegions,
		StateBucket: a.StateBucket, SecretsKeyAlias: a.SecretsKeyAlias, AlertEmails: a.AlertEmails, AnomalyMonitorARN: a.AnomalyMonitorARN, AnomalyUSD: a.AnomalyUSD,
		AuditDays: a.AuditDays, TrailLockDays: a.TrailLockDays,
	}
	for _, part := range AccountParts() {
		if !slices.Contains(a.Off, part) {
			spec.Parts = append(spec.Parts, part)
		}
	}
	if a.CostTags {
		spec.Parts = append(spec.Parts, PartCostTags)
	}
	t.Account = spec
	return t, nil
}
