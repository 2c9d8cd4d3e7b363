package stacks

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/components/cidr"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Topology is everything that a stack consists of, as a plain value: it can be validated, printed and compared without
// Pulumi or AWS.
type Topology struct {
	// Stack is the stack's name.
	Stack string `json:"stack"`
	// Region is the AWS region.
	Region string `json:"region"`
	// Owner and CostCenter are tags.
	Owner      string `json:"owner"`
	CostCenter string `json:"costCenter"`
	// Network is where the machines live.
	Network Network `json:"network"`
	// Nodes are the machines, in the order of the outputs.
	Nodes []NodeSpec `json:"nodes"`
	// Configuration says how Ansible runs.
	Configuration Configuration `json:"configuration"`
}

// Network is a VPC with its subnets.
type Network struct {
	// Name is the network's name, for example "dev-vpc".
	Name string `json:"name"`
	// CIDR is its range.
	CIDR netip.Prefix `json:"cidr"`
	// Subnets are its public subnets, one for each zone.
	Subnets []Subnet `json:"subnets"`
	// FlowLogRetentionDays is how long the record of its traffic is kept.
	FlowLogRetentionDays int `json:"flowLogRetentionDays"`
}

// Subnet is a part of a network in one availability zone.
type Subnet struct {
	// Name is the subnet's name, for example "public-us-east-1a".
	Name string `json:"name"`
	// Zone is its availability zone.
	Zone string `json:"zone"`
	// CIDR is its range.
	CIDR netip.Prefix `json:"cidr"`
}

// NodeSpec is what a machine is to be. Node, in the outputs, is what it came to be.
type NodeSpec struct {
	// Name is the machine's name and host name, for example "dev-uc-1".
	Name string `json:"name"`
	// Domain completes the host name.
	Domain string `json:"domain"`
	// Roles says what runs on it; the first one names its tags.
	Roles []Role `json:"roles"`
	// Type is its EC2 instance type.
	Type InstanceType `json:"type"`
	// Subnet is the name of the subnet that it is in.
	Subnet string `json:"subnet"`
	// VolumeGiB is the size of its root volume.
	VolumeGiB int `json:"volumeGiB"`
	// AMIID pins its image; empty means the newest Debian 12 on the day it is made.
	AMIID string `json:"amiId,omitempty"`
	// Public says whether it has an Elastic IP.
	Public bool `json:"public"`
	// Protect keeps its Elastic IP from deletion and the machine from termination.
	Protect bool `json:"protect"`
	// User is the login that its image has.
	User string `json:"user"`
	// SSHPublicKey may log in as User.
	SSHPublicKey string `json:"sshPublicKey"`
	// Ingress is who may reach which of its ports.
	Ingress []ports.Rule `json:"-"`
}

// Configuration says how Ansible runs as part of a deployment.
type Configuration struct {
	// Enabled says whether it runs at all.
	Enabled bool `json:"enabled"`
	// Timeout is how long it may take.
	Timeout time.Duration `json:"timeout"`
}

// Domain is the domain of the machines' own names. Nothing resolves it outside: ICANN has reserved .internal for private
// use (resolution 2024.07.29.06).
const Domain = "calldata.internal"

// DebianUser is the login that Debian's AMIs have. Source: wiki.debian.org, Cloud/AmazonEC2Image.
const DebianUser = "admin"

// hostForm is the form of one label of a host name (RFC 1123), in lower case.
var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// shapes are the topologies that a stack can have, by name.
var shapes = map[string]func(string, Config) (Topology, error){
	"dev": dev,
}

// Topologies lists the names of the topologies in alphabetical order.
func Topologies() []string {
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// New answers the topology that c names, for the stack called stack. It is valid, or the error says all that is wrong.
func New(stack string, c Config) (Topology, error) {
	shape, ok := shapes[c.Topology]
	if !ok {
		return Topology{}, fmt.Errorf("stack %s: no topology is called %q, this project knows %s; fix it with: pulumi config set %s %s -s %s",
			stack, c.Topology, strings.Join(Topologies(), ", "), fullKey("topology"), Topologies()[0], stack)
	}
	t, err := shape(stack, c)
	if err == nil {
		err = t.Validate()
	}
	if err != nil {
		return Topology{}, fmt.Errorf("topology of stack %s: %w", stack, err)
	}
	return t, nil
}

// SIPAddress answers where phones register, given the address of the first engine.
func (t Topology) SIPAddress(address string) string {
	sip, _ := ports.Find(ports.UCEngine(), ports.SIP)
	return fmt.Sprintf("sip:%s:%d;transport=%s", address, sip.From, sip.Protocol)
}

// WebAddress answers the base URL of web interface and APIs, given the address of the first engine.
func (t Topology) WebAddress(address string) string { return "https://" + address }

// Engine is the position of the first UC Engine among the nodes, or -1.
func (t Topology) Engine() int {
	return slices.IndexFunc(t.Nodes, func(n NodeSpec) bool { return slices.Contains(n.Roles, RoleUCEngine) })
}

// Validate reports everything that does not fit together.
func (t Topology) Validate() error {
	v := validator{}
	v.check(stackForm.MatchString(t.Stack), "the stack's name is %q", t.Stack)
	v.check(regionForm.MatchString(t.Region), "the region is %q", t.Region)
	v.add("owner", tags.CheckValue(t.Owner))
	v.add("cost center", tags.CheckValue(t.CostCenter))
	v.network(t.Network, t.Region)
	v.check(len(t.Nodes) > 0, "there is no machine")
	v.check(t.Engine() >= 0, "no machine has the role %s", RoleUCEngine)
	for i, n := range t.Nodes {
		v.node(n, t.Network)
		for _, earlier := range t.Nodes[:i] {
			v.check(earlier.Name != n.Name, "two machines are called %s", n.Name)
		}
	}
	v.check(!t.Configuration.Enabled || t.Configuration.Timeout > 0, "the configuration stage has the time limit %s", t.Configuration.Timeout)
	return errors.Join(v.errs...)
}

type validator struct{ errs []error }

func (v *validator) check(ok bool, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, fmt.Errorf(format, args...))
	}
}

func (v *validator) add(what string, err error) {
	if err != nil {
		v.errs = append(v.errs, fmt.Errorf("%s: %w", what, err))
	}
}

func (v *validator) network(n Network, region string) {
	v.add("network "+n.Name, cidr.CheckNetwork(n.CIDR))
	v.check(len(n.Subnets) > 0, "network %s has no subnet", n.Name)
	v.check(slices.Contains(logRetentions, n.FlowLogRetentionDays), "network %s keeps its flow logs for %d days, CloudWatch knows %v", n.Name, n.FlowLogRetentionDays, logRetentions)
	named := make([]cidr.Named, len(n.Subnets))
	for i, s := range n.Subnets {
		named[i] = cidr.Named{Name: "subnet " + s.Name, Prefix: s.CIDR}
		v.check(zoneOf(s.Zone, region), "subnet %s is in %s, which is not an availability zone of %s", s.Name, s.Zone, region)
		for _, earlier := range n.Subnets[:i] {
			v.check(earlier.Name != s.Name, "two subnets are called %s", s.Name)
		}
	}
	v.add("network "+n.Name, cidr.CheckSubnets(n.CIDR, named))
}

func (v *validator) node(n NodeSpec, network Network) {
	at := "machine " + n.Name
	v.check(hostForm.MatchString(n.Name), "%s: the name must be lower case letters, digits and hyphens, at most 63", at)
	v.check(len(n.Roles) > 0, "%s has no role", at)
	for _, r := range n.Roles {
		v.check(r.Valid(), "%s has the role %q, want one of %v", at, r, AllRoles())
	}
	if known, err := FindInstanceType(n.Type.Name); err != nil {
		v.add(fmt.Sprintf("%s: type %q", at, n.Type.Name), err)
	} else {
		v.check(known.MemoryGiB >= minMemoryGiB, "%s: %s has %g GiB of memory, the engine needs %d", at, known.Name, known.MemoryGiB, minMemoryGiB)
	}
	v.check(slices.ContainsFunc(network.Subnets, func(s Subnet) bool { return s.Name == n.Subnet }), "%s is in the subnet %q, which the network does not have", at, n.Subnet)
	v.check(n.VolumeGiB >= minRootVolumeGiB && n.VolumeGiB <= maxRootVolumeGiB, "%s has a root volume of %d GiB, want %d to %d", at, n.VolumeGiB, minRootVolumeGiB, maxRootVolumeGiB)
	v.check(n.AMIID == "" || amiForm.MatchString(n.AMIID), "%s has the image %q", at, n.AMIID)
	v.check(n.User != "", "%s has no login", at)
	if _, err := parsePublicKey(n.SSHPublicKey); err != nil {
		v.errs = append(v.errs, fmt.Errorf("%s: the SSH key %w", at, err))
	}
	v.add(at, ports.CheckRules(ports.UCEngine(), n.Ingress))
}
