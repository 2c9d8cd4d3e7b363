package cidr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Limits of a VPC and of a subnet, as prefix lengths.
// Source: Amazon VPC User Guide, "VPC CIDR blocks" and "Subnet CIDR blocks": a block has a size from /28 to /16.
const (
	// WidestBits is the prefix length of the largest VPC or subnet.
	WidestBits = 16
	// NarrowestBits is the prefix length of the smallest VPC or subnet.
	NarrowestBits = 28
)

// Named is a network and the name by which an error may call it.
type Named struct {
	// Name is what the network is for, for example "subnet public-us-east-1a".
	Name string
	// Prefix is its range.
	Prefix netip.Prefix
}

// String is the name and the range.
func (n Named) String() string { return fmt.Sprintf("%s (%s)", n.Name, n.Prefix) }

// CheckNetwork reports what keeps p from being the range of a VPC: it must be private IPv4 (RFC 1918), start at its
// network address, and have a size that AWS allows.
func CheckNetwork(p netip.Prefix) error {
	if err := checkBlock(p); err != nil {
		return err
	}
	if !p.Addr().IsPrivate() {
		return fmt.Errorf("%s is not private, take a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)", p)
	}
	return nil
}

// CheckSubnets reports every subnet that is malformed, outside network, or overlapping an earlier one, with both ranges.
func CheckSubnets(network netip.Prefix, subnets []Named) error {
	var errs []error
	for i, s := range subnets {
		if err := checkBlock(s.Prefix); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Name, err))
			continue
		}
		if !Contains(network, s.Prefix) {
			errs = append(errs, fmt.Errorf("%s is outside the network %s", s, network))
		}
		for _, earlier := range subnets[:i] {
			if earlier.Prefix.IsValid() && earlier.Prefix.Overlaps(s.Prefix) {
				errs = append(errs, fmt.Errorf("%s overlaps %s", s, earlier))
			}
		}
	}
	return errors.Join(errs...)
}

// Contains reports whether every address of inner is in outer.
func Contains(outer, inner netip.Prefix) bool {
	return outer.IsValid() && inner.IsValid() && inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
}

// Split answers the first n subnets of network, each a sixteenth of it but never narrower than AWS allows. It fails if
// network is malformed or too small for n of them.
func Split(network netip.Prefix, n int) ([]netip.Prefix, error) {
	if err := checkBlock(network); err != nil {
		return nil, err
	}
	bits := min(network.Bits()+4, NarrowestBits)
	if room := 1 << (bits - network.Bits()); n > room {
		return nil, fmt.Errorf("%s has room for %d subnets of size /%d, not for %d: take a wider network", network, room, bits, n)
	}
	subnets := make([]netip.Prefix, n)
	first := network.Addr().As4()
	base := binary.BigEndian.Uint32(first[:])
	for i := range subnets {
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], base+uint32(i)<<(32-bits)) // #nosec G115 -- i < 2^12
		subnets[i] = netip.PrefixFrom(netip.AddrFrom4(addr), bits)
	}
	return subnets, nil
}

func checkBlock(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return errors.New("the range is empty, want one like 10.20.0.0/16")
	case !p.Addr().Is4():
		return fmt.Errorf("%s is not IPv4", p)
	case p.Masked() != p:
		return fmt.Errorf("%s has host bits set, the network is %s", p, p.Masked())
	case p.Bits() < WidestBits || p.Bits() > NarrowestBits:
		return fmt.Errorf("%s has the size /%d, AWS allows /%d to /%d", p, p.Bits(), WidestBits, NarrowestBits)
	}
	return nil
}
