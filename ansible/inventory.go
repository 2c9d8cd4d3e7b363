package ansible

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
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
	// Address is where SSH finds it: the public address, or else the private one. Through Systems Manager it is always the
	// private one, which belongs to no other machine of the network.
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

	// Access is stacks.AccessSSM for a machine that is reached through Systems Manager, in the region of that name. Both are
	// empty for a machine that SSH reaches.
	Access stacks.Access `yaml:"access,omitempty"`
	Region string        `yaml:"aws_region,omitempty"`

	// DatabaseHost, DatabasePort and DatabaseSecretARN are the Routers' PostgreSQL, on Routers of a stack that has one.
	// Machines of fleets have the same variables.
	DatabaseHost      string `yaml:"database_host,omitempty"`
	DatabasePort      int    `yaml:"database_port,omitempty"`
	DatabaseSecretARN string `yaml:"database_secret_arn,omitempty"`
}

// Managed tells whether the host is reached through Systems Manager.
func (h Host) Managed() bool { return h.Access == stacks.AccessSSM }

// nameForm is what host names may be: a DNS label, which also keeps them harmless in paths and patterns.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// userForm is what login names may be. It keeps them from being taken for an option of ssh.
var userForm = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// The forms of what AWS has named. Ansible takes the values of variables for templates, which can run commands: none of
// these has a brace, a quote or a blank.
var (
	idForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	dnsForm    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	// arnForm has the characters of names in Secrets Manager: letters, digits and /_+=.@-, and ! in names that RDS gives.
	// Source: Secrets Manager API Reference, CreateSecret.
	arnForm = regexp.MustCompile(`^[A-Za-z0-9:/_+=.@!-]+$`)
)

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
		h := Host{
			Name: n.Name, Address: n.Address(), User: n.User, InstanceID: n.InstanceID,
			PrivateIP: n.PrivateIP, PublicIP: n.PublicIP, Roles: slices.Clone(n.Roles),
		}
		if n.Access == stacks.AccessSSM {
			h.Address, h.Access, h.Region = n.PrivateIP, n.Access, o.Region
		}
		if o.Database != nil && slices.Contains(n.Roles, stacks.RoleC4Router) {
			h.DatabaseHost, h.DatabasePort, h.DatabaseSecretARN = o.Database.Host, o.Database.Port, o.Database.SecretARN
		}
		inv.Hosts = append(inv.Hosts, h)
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
	names, addresses := map[string]bool{}, map[string]bool{}
	for _, h := range inv.Hosts {
		if !nameForm.MatchString(h.Name) {
			bad(h, "name", h.Name, "lower-case letters, digits and -, at most 63")
		}
		if names[h.Name] {
			bad(h, "name", h.Name, "a name that no other host has")
		}
		if addresses[h.Address] {
			bad(h, "ansible_host", h.Address, "an address that no other host has")
		}
		names[h.Name], addresses[h.Address] = true, true
		if !isAddress(h.Address) {
			bad(h, "ansible_host", h.Address, "an IP address")
		}
		if !userForm.MatchString(h.User) {
			bad(h, "ansible_user", h.User, "a login name")
		}
		if !idForm.MatchString(h.InstanceID) {
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
		h.checkAccess(bad)
		h.checkDatabase(bad)
	}
	return errors.Join(errs...)
}

// report takes what is wrong with one field of a host.
type report func(h Host, field, value, want string)

func (h Host) checkAccess(bad report) {
	switch {
	case h.Managed():
		if h.Address != h.PrivateIP {
			bad(h, "ansible_host", h.Address, "its private_ip, as access is "+string(h.Access))
		}
		if !regionForm.MatchString(h.Region) {
			bad(h, "aws_region", h.Region, "an AWS region, as access is "+string(h.Access))
		}
	case h.Access != "":
		bad(h, "access", string(h.Access), string(stacks.AccessSSM)+" or nothing")
	case h.Region != "":
		bad(h, "aws_region", h.Region, "nothing, as access is not "+string(stacks.AccessSSM))
	}
}

func (h Host) checkDatabase(bad report) {
	switch {
	case h.DatabaseHost == "" && h.DatabasePort == 0 && h.DatabaseSecretARN == "":
		return
	case !slices.Contains(h.Roles, stacks.RoleC4Router):
		bad(h, "database_host", h.DatabaseHost, "nothing, as its roles do not have "+string(stacks.RoleC4Router))
	}
	if !dnsForm.MatchString(h.DatabaseHost) {
		bad(h, "database_host", h.DatabaseHost, "a host name")
	}
	if h.DatabasePort < 1 || h.DatabasePort > 65535 {
		bad(h, "database_port", strconv.Itoa(h.DatabasePort), "a port")
	}
	if !arnForm.MatchString(h.DatabaseSecretARN) {
		bad(h, "database_secret_arn", h.DatabaseSecretARN, "the ARN of a secret")
	}
}

// isAddress refuses zones, which may hold any text.
func isAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
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
