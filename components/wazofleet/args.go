package wazofleet

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/bundle"
	"github.com/calldata/calldata-foundation/components/noderole"
	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/components/userdata"
)

// The roles that a fleet may have.
const (
	RoleC4SBC    = "c4-sbc"
	RoleC4Router = "c4-router"
)

// Args describe the fleet. Inputs may be unknown until AWS answers; everything else decides the graph's shape and is
// checked before the first resource.
type Args struct {
	// Role is what the machines serve: RoleC4SBC or RoleC4Router.
	Role string
	// Stack is the stack's name.
	Stack string
	// Group is the name of the Auto Scaling group, by default Stack-Role. It is fixed, so that permissions, metrics and alarms can
	// name it.
	Group string
	// Region is the AWS region.
	Region string
	// Domain completes the machines' host names.
	Domain string

	// SubnetIDs are the subnets that the machines are spread over, in Zones availability zones. They must have a route to
	// the internet: a gateway for machines with public addresses, else NAT.
	SubnetIDs pulumi.StringArrayInput
	Zones     int
	// SecurityGroupIDs are the machines' firewall. Firewall are its rules: no machine is launched before them.
	SecurityGroupIDs pulumi.StringArrayInput
	Firewall         []pulumi.Resource
	// Public gives each machine a public address of its own at launch. Only SBCs take calls from outside.
	Public bool
	// AddressPool is the pool of Elastic IPs, by the value of the tag noderole.PoolKey, that each machine takes one of
	// instead. It implies Public. The pool needs more addresses than Max: while machines are replaced, a new one comes
	// before an old one goes.
	AddressPool string

	// InstanceType is an amd64 EC2 type.
	InstanceType string
	// AMIID pins the image. Empty means the newest Debian 12 for amd64 when the launch template is made, and no other
	// when a newer one appears.
	AMIID string
	// SSHPublicKey may log in, in OpenSSH form, through a session of AWS Systems Manager. Another key replaces the machines, one
	// after the other. Empty lets nobody in.
	SSHPublicKey string
	// RootVolumeGiB is the size of the encrypted root volume in GiB.
	RootVolumeGiB int
	// VolumeKMSKeyARN is the key that it is encrypted with. Auto Scaling must be allowed to use it. Nil means AWS's own.
	VolumeKMSKeyARN pulumi.StringInput
	// DetailedMonitoring gives metrics each minute instead of each five minutes. It costs by the metric.
	DetailedMonitoring bool

	// Min and Max bound the number of machines.
	Min, Max int
	// CallsPerNode is the average of calls per machine that the group's size is to lead to.
	CallsPerNode int
	// CPUTarget is the average of CPU use in percent that it is to lead to. Whichever wants more machines wins.
	CPUTarget float64
	// TargetGroupARNs are the load balancers' groups that the machines join, and whose health checks count. Nil means that
	// EC2's own checks count alone.
	TargetGroupARNs pulumi.StringArrayInput

	// Bundle is what the machines configure themselves with. Another bundle replaces them, one after the other.
	Bundle *bundle.Bundle
	// Playbook is the playbook's path in the bundle.
	Playbook string
	// Facts and Variables are what the playbook knows of the stack, by the names of its variables: Facts what is known by
	// now, in any form that JSON has, Variables texts that AWS may have to tell. Anybody on the machine can read them:
	// nothing secret, but the ARN of a secret is well.
	Facts     map[string]any
	Variables map[string]pulumi.StringInput
	// Grants are what the machines may do in AWS. They need the bundle's bucket. The group's own lifecycle and the address
	// pool are granted here.
	Grants noderole.Grants

	// BootTimeout is how long a machine may take from its first command until it is ready. One that takes longer is
	// replaced.
	BootTimeout time.Duration
	// DrainTimeout is how long a machine that is to go waits for its calls to end. Calls that last longer are cut.
	DrainTimeout time.Duration
	// Aside is a fleet that calls are not to come to: its machines leave the load balancers' groups, and carry the tag ServiceKey, by
	// which others pass over them. New ones take no address of the pool by themselves.
	Aside bool
	// Frozen keeps the machines as they are, whatever the other fields say of them: nothing replaces them.
	Frozen bool

	// ScaleInProtection keeps the group from shrinking by itself: only an operator or a new bundle removes machines.
	ScaleInProtection bool
	// Protect keeps Pulumi from deleting the group.
	Protect bool
	// Tags are given to everything that takes tags, the machines and their volumes included.
	Tags tags.Tags
}

// ServiceKey is the key of the tag that says that calls are not to come to a machine, by the value ServiceAside. Machines without it
// are in service.
const (
	ServiceKey   = "Service"
	ServiceAside = "aside"
)

const (
	// minRootVolumeGiB is what Debian's image itself has. Source: wiki.debian.org, Cloud/AmazonEC2Image/Bookworm.
	minRootVolumeGiB = 8
	// minBootTimeout leaves time to install packages and run the playbook.
	minBootTimeout = 5 * time.Minute
	// maxGroupName is the longest name of a group. It is the host names' beginning, too: 17 digits and a hyphen follow,
	// and a label has 63 characters (RFC 1123).
	maxGroupName = 63 - 1 - 17
)

var groupForm = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)

var (
	stackForm    = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$`)
	regionForm   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	domainForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`) // RFC 1123
	amiForm      = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	typeForm     = regexp.MustCompile(`^[a-z0-9-]+\.[a-z0-9-]+$`)
	playbookForm = regexp.MustCompile(`^([a-z0-9_-]+/)*[a-z0-9_-]+\.yml$`)
	// Source: Ansible documentation, "Creating valid variable names".
	variableForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Validate reports every field that AWS, cloud-init or the machines' own script would refuse.
func (a Args) Validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	need(a.Role == RoleC4SBC || a.Role == RoleC4Router, "role: %q is neither %s nor %s", a.Role, RoleC4SBC, RoleC4Router)
	need(stackForm.MatchString(a.Stack), "stack: %q is not a lower case name", a.Stack)
	need(a.Group == "" || groupForm.MatchString(a.Group), "group: %q is not a lower case name", a.Group)
	need(len(a.group()) <= maxGroupName, "stack: %q makes the group's name longer than %d characters, which host names begin with", a.Stack, maxGroupName)
	need(regionForm.MatchString(a.Region), "region: %q is not like us-east-1", a.Region)
	need(domainForm.MatchString(a.Domain), "domain: %q is not a domain name in lower case", a.Domain)
	need(a.SSHPublicKey == "" || userdata.IsPublicKey(a.SSHPublicKey), "SSH public key: it is not one line like `ssh-ed25519 AAAA...` (not shown)")
	need(a.SubnetIDs != nil, "subnet ids: they are missing")
	need(a.Zones > 0, "zones: %d, want at least one, better two", a.Zones)
	need(a.SecurityGroupIDs != nil, "security group ids: they are missing")
	need(!a.public() || a.Role == RoleC4SBC, "public address: machines of the role %s take no calls from outside, and have none", a.Role)
	if a.AddressPool != "" {
		if err := tags.CheckValue(a.AddressPool); err != nil {
			errs = append(errs, fmt.Errorf("address pool: %w", err))
		}
	}
	need(typeForm.MatchString(a.InstanceType), "instance type: %q is not like c7i.large", a.InstanceType)
	need(a.AMIID == "" || amiForm.MatchString(a.AMIID), "AMI id: %q is not ami- and 8 or 17 hexadecimal digits", a.AMIID)
	need(a.RootVolumeGiB >= minRootVolumeGiB, "root volume: %d GiB is less than the image's %d", a.RootVolumeGiB, minRootVolumeGiB)
	need(a.Min >= 0 && a.Max >= 1 && a.Min <= a.Max, "size: %d to %d machines, want at least 0, at most one or more, in this order", a.Min, a.Max)
	need(a.CallsPerNode > 0, "calls per node: %d, want at least 1", a.CallsPerNode)
	need(a.CPUTarget > 0 && a.CPUTarget <= 100, "CPU target: %g percent is not within 1 to 100", a.CPUTarget)
	need(a.Bundle != nil, "bundle: it is missing, and machines would boot to nothing")
	need(playbookForm.MatchString(a.Playbook), "playbook: %q is not like playbooks/fleet.yml", a.Playbook)
	taken := a.ownFacts()
	variable := func(name string, value any) {
		_, known := taken[name]
		need(variableForm.MatchString(name), "variable %q: want lower case letters, digits and _", name)
		need(!known, "variable %q: it is given twice, or the machines have it already", name)
		need(value != nil, "variable %q: its value is missing", name)
		taken[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(a.Facts)) {
		variable(name, a.Facts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(a.Variables)) {
		variable(name, a.Variables[name])
	}
	need(a.Grants.ArtifactsBucketARN != nil, "grants: the machines may not read the bundle's bucket")
	need(a.BootTimeout >= minBootTimeout && a.BootTimeout <= maxWait(bootHeartbeat), "boot timeout: %s is not within %s to %s", a.BootTimeout, minBootTimeout, maxWait(bootHeartbeat))
	need(a.DrainTimeout >= time.Minute && a.DrainTimeout <= maxDrain, "drain timeout: %s is not within 1m to %s, which AWS waits at most", a.DrainTimeout, maxDrain)
	if err := a.checkUserData(); err != nil {
		errs = append(errs, err)
	}
	if err := a.grants().Validate(); err != nil {
		errs = append(errs, fmt.Errorf("grants: %w", err))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

// group is the name of the Auto Scaling group.
func (a Args) group() string { return cmp.Or(a.Group, a.Stack+"-"+a.Role) }

func (a Args) public() bool { return a.Public || a.AddressPool != "" }

// grants are the given ones with those that follow from the fleet itself.
func (a Args) grants() noderole.Grants {
	g := a.Grants
	g.LifecycleGroup, g.ClaimAddresses = a.group(), a.AddressPool
	return g
}
