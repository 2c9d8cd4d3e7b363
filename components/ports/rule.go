package ports

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rule lets packets reach Port: those from Source, or those from the members of Peer.
type Rule struct {
	Port   Port
	Source netip.Prefix
	// Peer is a group of the same network; with it, there is no Source.
	Peer Group
}

// Name identifies the rule among those of one group, for example "sip-udp-from-0-0-0-0-0" or "sip-udp-from-c4-router".
// It depends on nothing but the port's name and the source, so that adding a range never touches the rules of another.
func (r Rule) Name() string { return r.Port.Name + "-from-" + r.from() }

func (r Rule) from() string {
	if r.Peer != "" {
		return string(r.Peer)
	}
	return strings.NewReplacer(".", "-", ":", "-", "/", "-").Replace(r.Source.String())
}

// Rules answers a rule for each port that is open by default and each range of its exposure, and one for each of its
// peers that is among those present, in the table's order. A public port needs no ranges.
func Rules(table []Port, ranges map[Exposure][]netip.Prefix, present ...Group) []Rule {
	var rules []Rule
	for _, p := range table {
		if !p.Default {
			continue
		}
		sources := ranges[p.Exposure]
		if p.Exposure == Public {
			sources = []netip.Prefix{anywhere}
		}
		if p.Exposure == Internal {
			sources = nil
		}
		for _, s := range sources {
			rules = append(rules, Rule{Port: p, Source: s})
		}
		for _, peer := range p.Peers {
			if slices.Contains(present, peer) {
				rules = append(rules, Rule{Port: p, Peer: peer})
			}
		}
	}
	return rules
}

var anywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// CheckRules reports every rule that is malformed, given twice, opens to the whole internet what is not for it, lets a
// group in that the port does not name, or covers a port that table keeps for nobody or for peers alone.
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
		if err := r.checkSource(); err != nil {
			fail("%w", err)
		}
		for _, closed := range table {
			named := r.Peer != "" && slices.Contains(closed.Peers, r.Peer)
			if closed.Exposure.closed() && closed.Overlaps(r.Port) && !named {
				fail("%s covers %s (%s), which nobody else may reach from outside", r.Port, closed, closed.Description)
			}
		}
		if seen[r.Name()] {
			fail("it is there twice")
		}
		seen[r.Name()] = true
	}
	return errors.Join(errs...)
}

func (r Rule) checkSource() error {
	switch {
	case r.Peer != "" && r.Source.IsValid():
		return fmt.Errorf("it has both the peer %s and the source %s", r.Peer, r.Source)
	case r.Peer != "" && !slices.Contains(r.Port.Peers, r.Peer):
		return fmt.Errorf("%s is not for %q, its peers are %v", r.Port, r.Peer, r.Port.Peers)
	case r.Peer != "":
		return nil
	case !r.Source.IsValid() || !r.Source.Addr().Is4():
		return fmt.Errorf("the source %s is not an IPv4 range", r.Source)
	case r.Source.Masked() != r.Source:
		return fmt.Errorf("the source %s has host bits set, the network is %s", r.Source, r.Source.Masked())
	case r.Source.Bits() == 0 && !r.Port.Exposure.open():
		return fmt.Errorf("%s is for %s, not for the whole internet", r.Port, r.Port.Exposure)
	}
	return nil
}
