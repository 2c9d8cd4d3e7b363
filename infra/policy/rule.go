package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// Level says what a violation does.
type Level string

const (
	// Mandatory violations stop a deployment.
	Mandatory Level = "mandatory"
	// Advisory violations are shown.
	Advisory Level = "advisory"
)

// References are the names that others give to the same rule.
type References struct {
	// CIS are recommendations of the CIS Amazon Web Services Foundations Benchmark v5.0.0; REL and COST are questions of
	// the AWS Well-Architected Framework.
	CIS string `json:"cis,omitempty"`
	// SecurityHub are controls of AWS Security Hub.
	SecurityHub string `json:"securityHub,omitempty"`
	// Checkov and Prowler are checks of the tools of these names.
	Checkov string `json:"checkov,omitempty"`
	Prowler string `json:"prowler,omitempty"`
}

// Rule is one policy.
type Rule struct {
	// ID is CD- and two digits. It never changes.
	ID string
	// Title says what has to be.
	Title string
	// Detail says what exactly is looked at, and what is not held against anybody.
	Detail string
	// Levels are the scopes in which the rule applies, with the level of its violations.
	Levels map[Scope]Level
	// Advises says which part of a mandatory rule is only advice; empty for rules of one level.
	Advises string
	// References are the names that others give to it.
	References References

	check func(*checker)
}

// Violation is what a rule found.
type Violation struct {
	// Rule is the rule's id.
	Rule string `json:"rule"`
	// Level says what it does.
	Level Level `json:"level"`
	// Resource is the logical name of what breaks the rule, Type its type and URN its identity. All are empty where
	// something is missing from the stack.
	Resource string `json:"resource,omitempty"`
	Type     string `json:"type,omitempty"`
	URN      string `json:"urn,omitempty"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
}

// Check answers what breaks the rule in g, in the order of the resources; nothing where the rule does not apply.
func (r Rule) Check(g Graph) []Violation {
	level, applies := r.Levels[g.Scope]
	if !applies {
		return nil
	}
	c := &checker{Graph: g, rule: r.ID, level: level}
	r.check(c)
	return c.found
}

// Rules lists every rule in the order of their ids.
func Rules() []Rule {
	rules := slices.Concat(machineRules(), firewallRules(), networkRules(), bucketRules(), databaseRules(), balancerRules(),
		keyRules(), accountRules(), fleetRules(), monitoringRules(), backupRules(), costRules(), protectionRules())
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return rules
}

// FindRule answers the rule with an id.
func FindRule(id string) (Rule, bool) {
	rules := Rules()
	if i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id }); i >= 0 {
		return rules[i], true
	}
	return Rule{}, false
}

// levels gives one level to some scopes.
func levels(level Level, scopes ...Scope) map[Scope]Level {
	at := map[Scope]Level{}
	for _, s := range scopes {
		at[s] = level
	}
	return at
}

// and joins levels; later ones win.
func and(all ...map[Scope]Level) map[Scope]Level {
	joined := map[Scope]Level{}
	for _, one := range all {
		for scope, level := range one {
			joined[scope] = level
		}
	}
	return joined
}

// checker collects the violations of one rule in one graph.
type checker struct {
	Graph
	rule  string
	level Level
	found []Violation
}

// fail records that r breaks the rule.
func (c *checker) fail(r Resource, format string, args ...any) {
	c.found = append(c.found, Violation{Rule: c.rule, Level: c.level, Resource: r.Name, Type: r.Type, URN: r.URN, Message: fmt.Sprintf(format, args...)})
}

// failUnless records that r breaks the rule unless ok.
func (c *checker) failUnless(ok bool, r Resource, format string, args ...any) {
	if !ok {
		c.fail(r, format, args...)
	}
}

// advise records something about r that is worth a look, whatever the rule's level.
func (c *checker) advise(r Resource, format string, args ...any) {
	c.fail(r, format, args...)
	c.found[len(c.found)-1].Level = Advisory
}

// lack records that something is missing from the stack.
func (c *checker) lack(format string, args ...any) { c.fail(Resource{}, format, args...) }
