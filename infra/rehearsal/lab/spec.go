package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Spec says which machines there are. Its file form is YAML with these names.
type Spec struct {
	// Machines lists them; the order is that of the inventory.
	Machines []Machine `yaml:"machines"`
	// Outside are addresses of the outside world, each with its network's size: 198.51.100.10/24, say, for a carrier.
	// 203.0.113.1/24, the operator's, is always there.
	Outside []netip.Prefix `yaml:"outside"`
	// Doubles puts the rehearsal's doubles of Wazo's roles on Ansible's path of roles. Not by default.
	Doubles bool `yaml:"doubles"`
}

// Machine is one machine of a Spec.
type Machine struct {
	// Name is its name in the inventory and its host name.
	Name string `yaml:"name"`
	// Address is its private address, in a subnet of 256 whose first address is the gateway's.
	Address netip.Addr `yaml:"address"`
	// Public is its Elastic IP, within a network of Outside. None by default.
	Public netip.Addr `yaml:"public"`
	// Groups are the inventory groups that it is in.
	Groups []string `yaml:"groups"`
	// Vars are more variables of the host.
	Vars map[string]any `yaml:"vars"`
}

var (
	operator  = netip.MustParsePrefix("203.0.113.1/24")
	nameForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	groupForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

const subnetBits = 24

// ReadSpec reads a file. It answers everything that is wrong with it at once.
func ReadSpec(path string) (Spec, error) {
	f, err := os.Open(path) //nolint:gosec // the operator's own file
	if err != nil {
		return Spec{}, err
	}
	defer func() { _ = f.Close() }()
	var s Spec
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	if err := dec.Decode(&s); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.Validate(); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Validate reports everything that machines could not be made from.
func (s Spec) Validate() error {
	var errs []error
	if len(s.Machines) == 0 {
		errs = append(errs, errors.New("machines is empty: name at least one"))
	}
	for _, p := range s.Outside {
		if !p.IsValid() || !p.Addr().Is4() {
			errs = append(errs, fmt.Errorf("outside has %s: want an IPv4 address with the size of its network, 198.51.100.10/24", p))
		}
	}
	seen := map[string]bool{}
	once := func(what, value string) {
		if seen[value] {
			errs = append(errs, fmt.Errorf("%s %s is there twice", what, value))
		}
		seen[value] = true
	}
	for i, m := range s.Machines {
		at := fmt.Sprintf("machines[%d]", i)
		if !nameForm.MatchString(m.Name) {
			errs = append(errs, fmt.Errorf("%s.name is %q: want lower case letters, digits and dashes", at, m.Name))
		}
		once(at+".name", m.Name)
		switch {
		case !m.Address.Is4() || !m.Address.IsPrivate():
			errs = append(errs, fmt.Errorf("%s.address is %s: want a private IPv4 address", at, m.Address))
		case m.Address.As4()[3] < 4:
			errs = append(errs, fmt.Errorf("%s.address is %s: the first addresses of a subnet are AWS's own, take 4 or more", at, m.Address))
		default:
			once(at+".address", m.Address.String())
		}
		if m.Public.IsValid() {
			if !slices.ContainsFunc(s.outside(), func(p netip.Prefix) bool { return p.Contains(m.Public) && p.Addr() != m.Public }) {
				errs = append(errs, fmt.Errorf("%s.public is %s: want a free address in one of the networks %v", at, m.Public, s.outside()))
			}
			once(at+".public", m.Public.String())
		}
		for _, g := range m.Groups {
			if !groupForm.MatchString(g) {
				errs = append(errs, fmt.Errorf("%s.groups has %q: want lower case letters, digits and _", at, g))
			}
		}
	}
	return errors.Join(errs...)
}

func (s Spec) outside() []netip.Prefix {
	return append([]netip.Prefix{operator}, s.Outside...)
}

// host are the variables of a machine in the inventory: those of a deployed stack's, and its own.
func (m Machine) host() map[string]any {
	vars := map[string]any{"ansible_host": m.Address.String(), "ansible_user": user, "private_ip": m.Address.String(), "public_ip": ""}
	if m.Public.IsValid() {
		vars["public_ip"] = m.Public.String()
	}
	for k, v := range m.Vars {
		vars[k] = v
	}
	return vars
}

// inventory is the Ansible inventory in YAML.
func (s Spec) inventory() ([]byte, error) {
	hosts, children := map[string]any{}, map[string]map[string]map[string]any{}
	for _, m := range s.Machines {
		hosts[m.Name] = m.host()
		for _, g := range m.Groups {
			if children[g] == nil {
				children[g] = map[string]map[string]any{"hosts": {}}
			}
			children[g]["hosts"][m.Name] = nil
		}
	}
	return yaml.Marshal(map[string]any{"all": map[string]any{"hosts": hosts, "children": children}})
}
