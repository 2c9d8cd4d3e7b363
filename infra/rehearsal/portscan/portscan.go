package portscan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/calldata/calldata-foundation/components/ports"
)

// Position is somebody who looks.
type Position struct {
	// Name is what findings call it, for example "carrier".
	Name string
	// Namespace is the network namespace that it is in: its name, or a path like /proc/123/ns/net. Empty is the caller's own.
	Namespace string
	// Address is the IPv4 address that it looks from, one of that namespace.
	Address netip.Addr
}

// Machine is one that is looked at.
type Machine struct {
	// Name is what findings call it.
	Name string
	// Address is where it is looked at: the private address, or from outside the Elastic IP.
	Address netip.Addr
	// Groups are its security groups.
	Groups []ports.Group
	// Also is what its own firewall has besides: SSH for whoever configured it, where Systems Manager is not played.
	Also []ports.Rule
}

// Table says who should reach what.
type Table struct {
	// Firewall is the rules of the security groups.
	Firewall ports.Firewall
	// Members are the addresses of groups. Load balancers have the network's whole range, as the machines' own firewalls do.
	Members ports.Members
}

// Answer is what came of a probe.
type Answer string

const (
	// Open means that something answered.
	Open Answer = "open"
	// Refused means that the machine itself said that nothing listens: the packet got through its firewall.
	Refused Answer = "refused"
	// Silent means that nothing came back.
	Silent Answer = "silent"
)

// reached reports whether the packet got through.
func (a Answer) reached() bool { return a == Open || a == Refused }

// Finding is one port that is not as the table has it.
type Finding struct {
	// Position, Machine and Port say who looked at what; a Port is one port or ICMP type.
	Position, Machine string
	Port              ports.Port
	// Wanted says whether the table lets the position in, Answer what came back.
	Wanted bool
	Answer Answer
}

// String is one line for a person.
func (f Finding) String() string {
	should := "must not reach"
	if f.Wanted {
		should = "should reach"
	}
	return fmt.Sprintf("%s %s %s of %s: %s", f.Position, should, f.Port, f.Machine, f.Answer)
}

// Result is what a scan found out.
type Result struct {
	// Probes is how many ports were looked at, Reached how many of them let the packet in.
	Probes, Reached int
	// Findings are the differences, in the order of positions, machines and ports.
	Findings []Finding
}

// parallel bounds the probes that are under way at once. Nearly all of them wait for an answer that does not come.
const parallel = 256

// Scan looks from every position at every machine: at all ports of the tables of its groups, those that must stay closed too,
// at the first, middle and last port of a range, and at the neighbours. A position does not look at its own address. What the
// table wants is decided by the rules of the security groups. Findings are no error; an address or a namespace that is not
// there is one.
func Scan(ctx context.Context, positions []Position, machines []Machine, table Table) (Result, error) {
	if err := validate(positions, machines); err != nil {
		return Result{}, err
	}
	var result Result
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, p := range positions {
		for _, m := range machines {
			if p.Address == m.Address {
				continue
			}
			for _, port := range portsOf(m) {
				group.Go(func() error {
					answer, err := p.probe(ctx, m.Address, port)
					if err != nil {
						return fmt.Errorf("look from %s at %s of %s: %w", p.Name, port, m.Name, err)
					}
					wanted := table.Firewall.Reaches(p.Address, table.Members, m.Groups, port) || m.also(p.Address, port)
					mu.Lock()
					defer mu.Unlock()
					result.Probes++
					if answer.reached() {
						result.Reached++
					}
					if answer.reached() != wanted {
						result.Findings = append(result.Findings, Finding{Position: p.Name, Machine: m.Name, Port: port, Wanted: wanted, Answer: answer})
					}
					return nil
				})
			}
		}
	}
	err := group.Wait()
	slices.SortFunc(result.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.Port.Protocol, b.Port.Protocol), a.Port.From-b.Port.From)
	})
	return result, err
}

func validate(positions []Position, machines []Machine) error {
	var errs []error
	if len(positions) == 0 || len(machines) == 0 {
		errs = append(errs, errors.New("a scan needs positions and machines"))
	}
	for _, p := range positions {
		if !p.Address.Is4() {
			errs = append(errs, fmt.Errorf("position %q: the address is %s, want an IPv4 address", p.Name, p.Address))
		}
	}
	for _, m := range machines {
		if !m.Address.Is4() {
			errs = append(errs, fmt.Errorf("machine %q: the address is %s, want an IPv4 address", m.Name, m.Address))
		}
		if len(portsOf(m)) == 0 {
			errs = append(errs, fmt.Errorf("machine %q: none of its groups %v has a table", m.Name, m.Groups))
		}
	}
	return errors.Join(errs...)
}

func (m Machine) also(from netip.Addr, port ports.Port) bool {
	return slices.ContainsFunc(m.Also, func(r ports.Rule) bool { return r.Source.Contains(from) && r.Port.Overlaps(port) })
}

// portsOf are single ports, each once, in a fixed order.
func portsOf(m Machine) []ports.Port {
	var list []ports.Port
	add := func(protocol ports.Protocol, from, to int) {
		p := ports.Port{Protocol: protocol, From: from, To: to}
		if from >= 0 && from <= 65535 && !slices.ContainsFunc(list, p.Overlaps) {
			list = append(list, p)
		}
	}
	for _, g := range m.Groups {
		for _, row := range ports.Table(g) {
			if row.Protocol == ports.ICMP {
				add(row.Protocol, row.From, row.To)
				continue
			}
			for _, n := range []int{row.From - 1, row.From, (row.From + row.To) / 2, row.To, row.To + 1} {
				add(row.Protocol, n, n)
			}
		}
	}
	return list
}

const (
	tcpTime = 2 * time.Second
	udpTime = 700 * time.Millisecond
	// A machine limits how many unreachable messages it sends to one address; a later try has its turn.
	tries = 3
)
