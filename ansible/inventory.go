package ansible

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/stacks"
)

// Inventory is the hosts of a stack, in the order of their names.
type Inventory struct {
	Hosts []Host
}

// Host is one machine of an inventory.
type Host struct {
	// Name is the node's name, for example "dev-uc-1".
	Name string `yaml:"-"`
	// Address is where SSH finds it: the public address, or else the private one.
	Address string `yaml:"ansible_host"`
	// User is the login.
	User string `yaml:"ansible_user"`
	// InstanceID is the EC2 instance id.
	InstanceID string `yaml:"instance_id"`
	// PrivateIP is the address inside the VPC; PublicIP is the Elastic IP, or empty.
	PrivateIP string `yaml:"private_ip"`
	PublicIP  string `yaml:"public_ip"`
	// Roles says what runs on it. Each makes it a member of one group.
	Roles []stacks.Role `yaml:"roles,flow"`
}

// nameForm is what host names may be: a DNS label, which also keeps them harmless in paths and patterns.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// userForm is what login names may be. It keeps them from being taken for an option of ssh.
var userForm = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// Group is the inventory group of a role: "uc-engine" becomes "uc_engine_host", the name that wazo-ansible expects.
func Group(r stacks.Role) string {
	return strings.ReplaceAll(string(r), "-", "_") + "_host"
}

// FromOutputs builds the inventory of a deployed stack. It answers everything that is wrong with o at once.
func FromOutputs(o stacks.Outputs) (Inventory, error) {
	if err := o.Validate(); err != nil {
		return Inventory{}, err
	}
	var inv Inventory
	for _, n := range o.Nodes {
		inv.Hosts = append(inv.Hosts, Host{
			Name: n.Name, Address: n.Address(), User: n.User, InstanceID: n.InstanceID,
			PrivateIP: n.PrivateIP, PublicIP: n.PublicIP, Roles: slices.Clone(n.Roles),
		})
	}
	inv.sort()
	return inv, inv.Validate()
}

func (inv *Inventory) sort() {
	slices.SortFunc(inv.Hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
}

// Validate reports every host that Ansible could not work with.
func (inv Inventory) Validate() error {
	var errs []error
	bad := func(h Host, field, value, want string) {
		errs = append(errs, fmt.Errorf("inventory host %q: %s is %q, want %s", h.Name, field, value, want))
	}
	if len(inv.Hosts) == 0 {
		errs = append(errs, errors.New("inventory has no hosts: run `pulumi up` for this stack first"))
	}
	seen := map[string]bool{}
	for _, h := range inv.Hosts {
		if !nameForm.MatchString(h.Name) {
			bad(h, "name", h.Name, "lower-case letters, digits and -, at most 63")
		}
		if seen[h.Name] {
			bad(h, "name", h.Name, "a name that no other host has")
		}
		seen[h.Name] = true
		if !isAddress(h.Address) {
			bad(h, "ansible_host", h.Address, "an IP address")
		}
		if !userForm.MatchString(h.User) {
			bad(h, "ansible_user", h.User, "a login name")
		}
		if h.InstanceID == "" {
			bad(h, "instance_id", h.InstanceID, "an EC2 instance id")
		}
		if !isAddress(h.PrivateIP) {
			bad(h, "private_ip", h.PrivateIP, "an IP address")
		}
		if h.PublicIP != "" && !isAddress(h.PublicIP) {
			bad(h, "public_ip", h.PublicIP, "an IP address or nothing")
		}
		if len(h.Roles) == 0 {
			bad(h, "roles", "", fmt.Sprintf("at least one of %v", stacks.AllRoles()))
		}
		for _, r := range h.Roles {
			if !r.Valid() {
				bad(h, "roles", string(r), fmt.Sprintf("one of %v", stacks.AllRoles()))
			}
		}
	}
	return errors.Join(errs...)
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// document is the YAML form: variables with the hosts, membership with the groups.
type document struct {
	All struct {
		Hosts    map[string]Host  `yaml:"hosts"`
		Children map[string]group `yaml:"children"`
	} `yaml:"all"`
}

type group struct {
	Hosts map[string]struct{} `yaml:"hosts"`
}

// YAML is the inventory as Ansible's yaml plugin reads it. Equal inventories give equal bytes.
func (inv Inventory) YAML() ([]byte, error) {
	if err := inv.Validate(); err != nil {
		return nil, err
	}
	var d document
	d.All.Hosts, d.All.Children = map[string]Host{}, map[string]group{}
	for _, h := range inv.Hosts {
		d.All.Hosts[h.Name] = h
		for _, r := range h.Roles {
			g, ok := d.All.Children[Group(r)]
			if !ok {
				g.Hosts = map[string]struct{}{}
				d.All.Children[Group(r)] = g
			}
			g.Hosts[h.Name] = struct{}{}
		}
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("write inventory: %w", err)
	}
	return out.Bytes(), nil
}

// ParseInventory reads what YAML wrote. Anything that YAML would not write is an error, all of them at once: the text may
// come from outside, and a variable such as ansible_ssh_common_args runs commands.
func ParseInventory(data []byte) (Inventory, error) {
	var d document
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		return Inventory{}, fmt.Errorf("inventory is not the YAML that the stack's outputs hold: %w", err)
	}
	var inv Inventory
	var errs []error
	for name, h := range d.All.Hosts {
		h.Name = name
		inv.Hosts = append(inv.Hosts, h)
		for _, r := range h.Roles {
			if _, ok := d.All.Children[Group(r)].Hosts[name]; !ok {
				errs = append(errs, fmt.Errorf("inventory host %q has role %s but is not in group %s", name, r, Group(r)))
			}
		}
	}
	inv.sort()
	for _, name := range sortedKeys(d.All.Children) {
		for _, host := range sortedKeys(d.All.Children[name].Hosts) {
			h, ok := d.All.Hosts[host]
			if !ok || !slices.ContainsFunc(h.Roles, func(r stacks.Role) bool { return Group(r) == name }) {
				errs = append(errs, fmt.Errorf("inventory group %s has %q, which is not a host with that role", name, host))
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if err := errors.Join(append([]error{inv.Validate()}, errs...)...); err != nil {
		return Inventory{}, err
	}
	return inv, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
