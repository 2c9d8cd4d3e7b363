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
	"github.com/calldata/calldata-foundation/components/tags"
)

// Config is what a user decides about a stack. Every field has a setting of the same name in Pulumi.yaml, where its
// default stands for the reader; a test keeps the two equal.
type Config struct {
	// Topology is the shape of the stack, by default the one called like the stack.
	Topology string
	// Region is the AWS region (aws:region).
	Region string
	// VPCCIDR is the network's range.
	VPCCIDR netip.Prefix
	// Zones are the availability zones to use, by default the region's first.
	Zones []string
	// AdminCIDRs may reach SSH and the web interface.
	AdminCIDRs []netip.Prefix
	// SIPCIDRs may reach SIP and media.
	SIPCIDRs []netip.Prefix
	// InstanceType is the EC2 type of the engine.
	InstanceType InstanceType
	// RootVolumeGiB is the size of the engine's disk in GiB.
	RootVolumeGiB int
	// AMIID pins the image of the machines; empty means the newest Debian 12 when a machine is made.
	AMIID string
	// SSHPublicKey is the operator's key in OpenSSH form, without the comment.
	SSHPublicKey string
	// LogRetentionDays is how long CloudWatch keeps logs.
	LogRetentionDays int
	// Owner and CostCenter are tags.
	Owner, CostCenter string
	// Protect keeps Pulumi from deleting Elastic IPs, and EC2 from terminating machines.
	Protect bool
	// Configure says whether Ansible runs as part of the deployment.
	Configure bool
	// ConfigureTimeout is how long Ansible may take.
	ConfigureTimeout time.Duration
}

// logRetentions are the days that CloudWatch Logs accepts.
// Source: Amazon CloudWatch Logs API Reference, PutRetentionPolicy.
var logRetentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

var (
	stackForm  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}[a-z0-9]$`)
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	amiForm    = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

const (
	defaultNetwork = "10.20.0.0/16"
	exampleAdmin   = "203.0.113.7/32"
	// minRootVolumeGiB leaves room for the engine and for its upgrades; Wazo asks for 50 GiB for about 50 users.
	// Source: wazo-platform.org, uc-doc/installation/index.md.
	minRootVolumeGiB = 20
	// maxRootVolumeGiB is the largest gp3 volume. Source: Amazon EBS User Guide, "General Purpose SSD volumes".
	maxRootVolumeGiB = 16384
	// widestAdminBits is the widest admin range: one class A network.
	widestAdminBits = 8
)

// ReadConfig reads the settings of the stack called stack. It answers every mistake at once, each with the setting, its
// value and the command that mends it. No error shows the value of a setting that may hold a key.
func ReadConfig(stack string, settings Settings) (Config, error) {
	if !stackForm.MatchString(stack) {
		return Config{}, fmt.Errorf("the stack's name is %q: machines are named after it, so it must be 2 to 32 lower case letters, digits and hyphens, "+
			"beginning with a letter; fix it with: pulumi stack rename NAME -s %s", stack, stack)
	}
	r := &reader{stack: stack, settings: settings, known: map[string]bool{}}
	c := Config{
		Topology:         r.text("topology", stack),
		Region:           readRegion(r),
		AdminCIDRs:       r.ranges("adminCidrs", nil, exampleAdmin, checkAdminRange),
		SIPCIDRs:         r.ranges("sipCidrs", []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, "0.0.0.0/0", checkSIPRange),
		VPCCIDR:          readNetwork(r),
		InstanceType:     readInstanceType(r),
		RootVolumeGiB:    r.number("rootVolumeGiB", 50, minRootVolumeGiB, maxRootVolumeGiB),
		AMIID:            readAMI(r),
		SSHPublicKey:     readPublicKey(r),
		LogRetentionDays: r.oneOf("logRetentionDays", 14, logRetentions),
		Owner:            readTag(r, "owner", "platform"),
		CostCenter:       readTag(r, "costCenter", "telephony"),
		Protect:          r.flag("protect", false),
		Configure:        r.flag("configure", true),
		ConfigureTimeout: time.Duration(r.number("configureTimeoutMinutes", 45, 5, 240)) * time.Minute,
	}
	c.Zones = readZones(r, c.Region)
	if cidr.CheckNetwork(c.VPCCIDR) == nil {
		if _, err := cidr.Split(c.VPCCIDR, len(c.Zones)); err != nil {
			r.fail("vpcCidr", c.VPCCIDR.String(), err.Error(), r.set("vpcCidr", defaultNetwork))
		}
	}
	if !slices.Contains(Topologies(), c.Topology) {
		r.fail("topology", c.Topology, fmt.Sprintf("this project knows %s", strings.Join(Topologies(), ", ")), r.set("topology", Topologies()[0]))
	}
	r.unknown()
	if err := errors.Join(r.errs...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func readRegion(r *reader) string {
	region := r.text(regionKey, "")
	switch {
	case !regionForm.MatchString(region):
		r.fail(regionKey, region, "want an AWS region", r.set(regionKey, "us-east-1"))
		return ""
	case strings.HasPrefix(region, "cn-") || strings.HasPrefix(region, "us-gov-") || strings.Contains(region, "-iso"):
		r.fail(regionKey, region, "Debian's images and the managed policies have other names in that partition, which this project does not serve",
			r.set(regionKey, "us-east-1"))
	}
	return region
}

func readNetwork(r *reader) netip.Prefix {
	text := r.text("vpcCidr", defaultNetwork)
	p, err := netip.ParsePrefix(text)
	if err != nil {
		err = errors.New("that is not an IP range like " + defaultNetwork)
	} else {
		err = cidr.CheckNetwork(p)
	}
	if err != nil {
		r.fail("vpcCidr", text, err.Error(), r.set("vpcCidr", defaultNetwork))
	}
	return p
}

// readZones takes the zones that the user names, or the region's zone a: EC2 has no API that needs no call to AWS, and a
// region without a zone a answers with its own error, which names those it has.
func readZones(r *reader, region string) []string {
	zones := r.list("zones", region+"a")
	if region == "" { // its own error says so; zones cannot be judged without it
		return nil
	}
	if len(zones) == 0 {
		return []string{region + "a"}
	}
	for i, z := range zones {
		at := fmt.Sprintf("zones[%d]", i)
		fix := fmt.Sprintf("pulumi config set --path '%s' %s -s %s", fullKey(at), region+"a", r.stack)
		switch {
		case !zoneOf(z, region):
			r.fail(at, z, fmt.Sprintf("that is not an availability zone of %s, whose zones are called %sa, %sb and so on", region, region, region), fix)
		case slices.Contains(zones[:i], z):
			r.fail(at, z, "an earlier item is the same", fix)
		}
	}
	return zones
}

// zoneOf reports whether zone is called like a plain availability zone of region. Local and wavelength zones are not.
func zoneOf(zone, region string) bool {
	letter, ok := strings.CutPrefix(zone, region)
	return ok && len(letter) == 1 && letter[0] >= 'a' && letter[0] <= 'z'
}

func checkAdminRange(p netip.Prefix) error {
	switch {
	case p.Bits() == 0:
		return errors.New("that is the whole internet, and admin ranges reach SSH and a web interface that asks nobody for a password before it is set up")
	case p.Bits() < widestAdminBits:
		return fmt.Errorf("that is wider than /%d, name the networks that operators really use", widestAdminBits)
	}
	return nil
}

func checkSIPRange(p netip.Prefix) error {
	if !p.Addr().Is4() {
		return errors.New("that is IPv6, and the network has IPv4 only: such a rule could never match")
	}
	return nil
}

func readInstanceType(r *reader) InstanceType {
	const fallback = "t3.xlarge"
	name := r.text("instanceType", fallback)
	t, err := FindInstanceType(name)
	if err == nil && t.MemoryGiB < minMemoryGiB {
		err = fmt.Errorf("it has %g GiB of memory, the engine needs %d", t.MemoryGiB, minMemoryGiB)
	}
	if err != nil {
		r.fail("instanceType", name, err.Error(), r.set("instanceType", fallback))
	}
	return t
}

func readAMI(r *reader) string {
	id := r.text("amiId", "")
	if id != "" && !amiForm.MatchString(id) {
		r.fail("amiId", id, "want ami- and 8 or 17 hexadecimal digits, or nothing for the newest Debian 12", fmt.Sprintf("pulumi config rm %s -s %s", fullKey("amiId"), r.stack))
	}
	return id
}

func readPublicKey(r *reader) string {
	text := r.text("sshPublicKey", "")
	key, err := parsePublicKey(text)
	if err != nil {
		// The value stays out of the message: it may be a private key, or a part of one.
		r.errs = append(r.errs, fmt.Errorf("%s %w; fix it with: %s", fullKey("sshPublicKey"), err, r.set("sshPublicKey", `"$(cat ~/.ssh/id_ed25519.pub)"`)))
	}
	return key
}

func readTag(r *reader, name, fallback string) string {
	value := r.text(name, fallback)
	if err := tags.CheckValue(value); err != nil {
		r.fail(name, value, err.Error(), r.set(name, fallback))
	}
	return value
}
