package ports

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Opening is what a machine's own firewall lets in at one port: the rules of all its groups for it, together. It has no
// more than rules say, and in the form that Ansible reads.
type Opening struct {
	// Name is the port's name in the table.
	Name string `json:"name" yaml:"name"`
	// Protocol is tcp, udp or icmp.
	Protocol Protocol `json:"protocol" yaml:"protocol"`
	// From and To are the first and the last port; for ICMP, the type and the code.
	From int `json:"from" yaml:"from"`
	To   int `json:"to" yaml:"to"`
	// Sources are ranges of addresses, Peers groups of the same network, that may reach it.
	Sources []netip.Prefix `json:"sources" yaml:"sources,flow"`
	Peers   []Group        `json:"peers" yaml:"peers,flow"`
}

// Openings merges rules, which may be of several groups, into one opening for each port, in the order in which the ports
// come first. Two groups with the same port have it once, by the name that it has in the first.
func Openings(rules []Rule) []Opening {
	openings := []Opening{}
	for _, r := range rules {
		i := slices.IndexFunc(openings, func(o Opening) bool {
			return o.Protocol == r.Port.Protocol && o.From == r.Port.From && o.To == r.Port.To
		})
		if i < 0 {
			i = len(openings)
			openings = append(openings, Opening{
				Name: r.Port.Name, Protocol: r.Port.Protocol, From: r.Port.From, To: r.Port.To, Sources: []netip.Prefix{}, Peers: []Group{},
			})
		}
		o := &openings[i]
		switch {
		case r.Peer != "" && !slices.Contains(o.Peers, r.Peer):
			o.Peers = append(o.Peers, r.Peer)
		case r.Peer == "" && !slices.Contains(o.Sources, r.Source):
			o.Sources = append(o.Sources, r.Source)
		}
	}
	return openings
}

// Validate reports everything about o that a firewall could not work with, and an opening that lets nobody in.
func (o Opening) Validate() error {
	var errs []error
	for _, s := range o.Sources {
		if !s.IsValid() || !s.Addr().Is4() || s.Masked() != s {
			errs = append(errs, fmt.Errorf("opening %q: the source %s is not an IPv4 network", o.Name, s))
		}
	}
	if len(o.Sources)+len(o.Peers) == 0 {
		errs = append(errs, fmt.Errorf("opening %q: it is for nobody", o.Name))
	}
	p := Port{Name: o.Name, Protocol: o.Protocol, From: o.From, To: o.To, Exposure: Internal, Peers: o.Peers, Description: o.Name}
	return errors.Join(append(errs, p.Validate())...)
}
