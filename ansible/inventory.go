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

	"github.com/calldata/calldata-foundation/components/ports"
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
	// Stack is the stack's name, Region its AWS region.
	Stack  string `yaml:"calldata_stack"`
	Region string `yaml:"calldata_region"`
	// Roles says what runs on it. Each makes it a member of one group.
	Roles []stacks.Role `yaml:"calldata_roles,flow"`
	// InstanceID is the EC2 instance id.
	InstanceID string `yaml:"calldata_instance_id"`
	// PrivateIP is the address inside the VPC; PublicIP is the Elastic IP, or empty.
	PrivateIP string `yaml:"private_ip"`
	PublicIP  string `yaml:"public_ip"`
	// VpcCIDR is the network's range of addresses.
	VpcCIDR netip.Prefix `yaml:"calldata_vpc_cidr"`
	// Fleets are the roles whose machines come and go: EC2 knows who is there, and no inventory does.
	Fleets []stacks.Role `yaml:"calldata_fleets,flow"`
	// Firewall is who may reach which port, by the same rules as the security groups.
	Firewall []ports.Opening `yaml:"calldata_firewall"`
	// Carriers are the addresses that carriers signal from.
	Carriers []netip.Prefix `yaml:"calldata_carriers,flow"`
	// Silent keeps Routers from registering with carriers.
	Silent bool `yaml:"calldata_silent,omitempty"`
	// LogPrefix is how the names of the stack's CloudWatch log groups begin.
	LogPrefix string `yaml:"calldata_log_prefix"`
	// BackupBucket is the S3 bucket for backups, BackupKeyARN the KMS key of its objects; both are empty in a stack without.
	BackupBucket string `yaml:"calldata_backup_bucket"`
	BackupKeyARN string `yaml:"calldata_backup_key_arn"`

	// Access is stacks.AccessSSM for a machine that is reached through Systems Manager, and empty for one that SSH reaches.
	Access stacks.Access `yaml:"access,omitempty"`

	// DatabaseHost, DatabasePort and DatabaseSecretARN are the Routers' PostgreSQL, on Routers of a stack that has one.
	// Machines of fleets have the same variables.
	DatabaseHost      string `yaml:"database_host,omitempty"`
	DatabasePort      int    `yaml:"database_port,omitempty"`
	DatabaseSecretARN string `yaml:"database_secret_arn,omitempty"`

	// Prometheus is what the monitoring node is to know of the stack; nil on all other machines.
	Prometheus *stacks.Prometheus `yaml:"calldata_prometheus,omitempty"`
}

// Managed tells whether the host is reached through Systems Manager.
func (h Host) Managed() bool { return h.Access == stacks.AccessSSM }

// nameForm is what host names may be: a DNS label, which also keeps them harmless in paths and patterns.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// userForm is what login names may be. It keeps them from being taken for an option of ssh.
var userForm = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// The forms of what AWS or the stack has named. Ansible takes the values of variables for templates, which can run commands: none of
// these has a brace, a quote or a blank.
var (
	idForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	dnsForm    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	// arnForm has the characters of names in Secrets Manager: letters, digits and /_+=.@-, and ! in names that RDS gives.
	// Source: Secrets Manager API Reference, CreateSecret.
	arnForm = regexp.MustCompile(`^[A-Za-z0-9:/_+=.@!-]+$`)
	// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
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
			Name: n.Name, Address: n.Address(), User: n.User, Stack: o.Stack, Region: o.Region, Roles: slices.Clone(n.Roles),
			InstanceID: n.InstanceID, PrivateIP: n.PrivateIP, PublicIP: n.PublicIP, VpcCIDR: o.VpcCIDR, Fleets: []stacks.Role{},
			Firewall: slices.Clone(n.Firewall), Carriers: append([]netip.Prefix{}, o.Carriers...), Silent: o.Silent, LogPrefix: stacks.LogPrefix(o.Stack),
		}
		for _, f := range o.Fleets {
			if !slices.Contains(h.Fleets, f.Role) { // the other colour has the same ones
				h.Fleets = append(h.Fleets, f.Role)
			}
		}
		if n.Access == stacks.AccessSSM {
			h.Address, h.Access = n.PrivateIP, n.Access
		}
		if o.Backups != nil {
			h.BackupBucket, h.BackupKeyARN = o.Backups.Bucket, o.Backups.KeyARN
		}
		if o.Database != nil && slices.Contains(n.Roles, stacks.RoleC4Router) {
			h.DatabaseHost, h.DatabasePort, h.DatabaseSecretARN = o.Database.Host, o.Database.Port, o.Database.SecretARN
		}
		if slices.Contains(n.Roles, stacks.RolePrometheus) {
			h.Prometheus = o.Prometheus
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
		if len(h.Roles) == 0 {
			bad(h, "calldata_roles", "", fmt.Sprintf("at least one of %v", stacks.AllRoles()))
		}
		for _, r := range h.Roles {
			if !r.Valid() {
				bad(h, "calldata_roles", string(r), fmt.Sprintf("one of %v", stacks.AllRoles()))
			}
		}
		h.checkAccess(bad)
		h.checkStack(bad)
		h.checkFirewall(bad)
		h.checkBackups(bad)
		h.checkDatabase(bad)
		if has := slices.Contains(h.Roles, stacks.RolePrometheus); has != (h.Prometheus != nil) {
			bad(h, "calldata_prometheus", "", "there on machines of the role "+string(stacks.RolePrometheus)+", and on no other")
		} else if has {
			errs = append(errs, h.Prometheus.Validate())
		}
	}
	return errors.Join(errs...)
}

// report takes what is wrong with one field of a host.
type report func(h Host, field, value, want string)

func (h Host) checkAccess(bad report) {
	if h.Managed() && h.Address != h.PrivateIP {
		bad(h, "ansible_host", h.Address, "its private_ip, as access is "+string(h.Access))
	}
	if !h.Managed() && h.Access != "" {
		bad(h, "access", string(h.Access), string(stacks.AccessSSM)+" or nothing")
	}
}

func (h Host) checkStack(bad report) {
	if !nameForm.MatchString(h.Stack) {
		bad(h, "calldata_stack", h.Stack, "the name of a stack")
	}
	if !regionForm.MatchString(h.Region) {
		bad(h, "calldata_region", h.Region, "an AWS region")
	}
	if !idForm.MatchString(h.InstanceID) {
		bad(h, "calldata_instance_id", h.InstanceID, "an EC2 instance id")
	}
	if !isAddress(h.PrivateIP) {
		bad(h, "private_ip", h.PrivateIP, "an IP address")
	}
	if h.PublicIP != "" && !isAddress(h.PublicIP) {
		bad(h, "public_ip", h.PublicIP, "an IP address or nothing")
	}
	if h.VpcCIDR.Masked() != h.VpcCIDR || !h.VpcCIDR.IsValid() {
		bad(h, "calldata_vpc_cidr", h.VpcCIDR.String(), "the network's range; run `pulumi up` for this stack first")
	}
	for _, r := range h.Fleets {
		if !r.Valid() {
			bad(h, "calldata_fleets", string(r), fmt.Sprintf("some of %v", stacks.AllRoles()))
		}
	}
	if h.LogPrefix != stacks.LogPrefix(h.Stack) {
		bad(h, "calldata_log_prefix", h.LogPrefix, stacks.LogPrefix(h.Stack))
	}
}

func (h Host) checkFirewall(bad report) {
	if len(h.Firewall) == 0 {
		bad(h, "calldata_firewall", "", "the machine's openings; run `pulumi up` for this stack first")
	}
	for _, o := range h.Firewall {
		if err := o.Validate(); err != nil {
			bad(h, "calldata_firewall", o.Name, "an opening: "+err.Error())
		}
	}
}

func (h Host) checkBackups(bad report) {
	if h.BackupBucket == "" && h.BackupKeyARN == "" {
		return
	}
	if !bucketForm.MatchString(h.BackupBucket) {
		bad(h, "calldata_backup_bucket", h.BackupBucket, "the name of an S3 bucket")
	}
	if !arnForm.MatchString(h.BackupKeyARN) {
		bad(h, "calldata_backup_key_arn", h.BackupKeyARN, "the ARN of a key")
	}
}

func (h Host) checkDatabase(bad report) {
	switch {
	case h.DatabaseHost == "" && h.DatabasePort == 0 && h.DatabaseSecretARN == "":
		return
	case !slices.Contains(h.Roles, stacks.RoleC4Router):
		bad(h, "database_host", h.DatabaseHost, "nothing, as its calldata_roles do not have "+string(stacks.RoleC4Router))
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
