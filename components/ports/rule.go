package ports

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Rule lets packets from Source reach Port.
type Rule struct {
	Port   Port
	Source netip.Prefix
}

// Name identifies the rule among those of one machine, for example "sip-udp-from-0-0-0-0-0". It depends on nothing but
// the port's name and the source, so that adding a range never touches the rules of another.
func (r Rule) Name() string {
	return r.Port.Name + "-from-" + strings.NewReplacer(".", "-", ":", "-", "/", "-").Replace(r.Source.String())
}

// Rules answers a rule for each port that is open by default and each range of its exposure, in the table's order.
// A public port needs no ranges.
func Rules(table []Port, ranges map[Exposure][]netip.Prefix) []Rule {
	var rules []Rule
	for _, p := range table {
		if !p.Default {
			continue
		}
		sources := ranges[p.Exposure]
		if p.Exposure == Public {
			sources = []netip.Prefix{anywhere}
		}
		for _, s := range sources {
			rules = append(rules, Rule{Port: p, Source: s})
		}
	}
	return rules
}

var anywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// CheckRules reports every rule that is malformed, given twice, opens an admin port to the whole internet, or covers a
// port that table keeps for nobody.
func CheckRules(table []Port, rules []Rule) error {
	var errs []error
	seen := map[string]bool{}
	for _, r := range rules {
		fail := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("rule %s: "+format, append([]any{r.Name()}, args...)...))
		}
		if err := r.Port.Validate(); err != nil {
			fail("%w", err)
		}
		switch {
		case !r.Source.IsValid() || !r.Source.Addr().Is4():
			fail("the source %s is not an IPv4 range", r.Source)
		case r.Source.Masked() != r.Source:
			fail("the source %s has host bits set, the network is %s", r.Source, r.Source.Masked())
		case r.Source.Bits() == 0 && r.Port.Exposure != Phones && r.Port.Exposure != Public:
			fail("%s is for %s, not for the whole internet", r.Port, r.Port.Exposure)
		}
		for _, closed := range table {
			if closed.Exposure == Nobody && closed.Overlaps(r.Port) {
				fail("%s covers %s (%s), which nobody may reach from outside", r.Port, closed, closed.Description)
			}
		}
		if seen[r.Name()] {
			fail("it is there twice")
		}
		seen[r.Name()] = true
	}
	return errors.Join(errs...)
}
