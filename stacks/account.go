package stacks

import "slices"

// account is what exists once in an AWS account, whatever runs there: who may deploy, what is recorded, who is told.
func account(stack string, c Config) (Topology, error) {
	t := base(stack, c)
	t.Configuration = Configuration{}
	spec := &AccountSpec{
		Repository: c.Account.Repository, Environments: c.Account.Environments, AlertEmails: c.Account.AlertEmails, StateBucket: c.Account.StateBucket,
	}
	for _, part := range AccountParts() {
		if !slices.Contains(c.Account.Off, part) {
			spec.Parts = append(spec.Parts, part)
		}
	}
	t.Account = spec
	return t, nil
}
