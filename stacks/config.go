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
	"github.com/calldata/calldata-foundation/components/rds/snapshot"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Config is what a user decides about a stack. Every field has a setting of the same name in Pulumi.yaml, where its
// default stands for the reader; a test keeps the two equal. What a field says only for some topologies is read and
// checked for all of them, so that a mistake shows before a stack changes its shape.
type Config struct {
	// Topology is the shape of the stack, by default the one called like the stack.
	Topology Kind
	// Region is the AWS region (aws:region).
	Region string
	// Owner and CostCenter are tags.
	Owner, CostCenter string

	Network     NetworkConfig
	Access      AccessConfig
	Machines    MachinesConfig
	Fleets      FleetsConfig
	Database    DatabaseConfig
	Web         WebConfig
	Account     AccountConfig
	Retention   RetentionConfig
	Watch       WatchConfig
	Prometheus  PrometheusConfig
	Provisioner ProvisionerConfig

	// Protect keeps Pulumi and AWS from deleting what carriers, callers and data depend on.
	Protect bool
	// WorkloadBoundary is the policy that limits every role of the stack; empty means none.
	WorkloadBoundary string
	// PolicyExceptions are lines "CD-NN reason" or "CD-NN resource: reason", which the policies report instead of failing.
	PolicyExceptions []string
}

// NetworkConfig is the VPC.
type NetworkConfig struct {
	// CIDR is the network's range (vpcCidr).
	CIDR netip.Prefix
	// Zones are the availability zones to use, by default the region's first.
	Zones []string
	// Nat is how private machines reach the internet.
	Nat Nat
	// NatAllocationIDs are Elastic IPs that exist, for the NAT gateways: their addresses outlive the stack.
	NatAllocationIDs []string
	// SSMEndpoints puts doors to Systems Manager into the network, about 7 USD a month for each of three in each zone.
	SSMEndpoints bool
}

// AccessConfig is who may reach what.
type AccessConfig struct {
	// AdminCIDRs may reach SSH and the web interface of a dev stack.
	AdminCIDRs []netip.Prefix
	// SIPCIDRs may reach SIP: phones.
	SIPCIDRs []netip.Prefix
	// CarrierCIDRs may reach the carriers' load balancer.
	CarrierCIDRs []netip.Prefix
	// Registrations says whether Routers register with carriers (carrierRegistrations).
	Registrations bool
	// MediaCIDRs may send voice packets.
	MediaCIDRs []netip.Prefix
	// WebCIDRs may reach the web load balancer.
	WebCIDRs []netip.Prefix
	// Edges are the ways for SIP into the platform (sipEdges).
	Edges []Edge
	// SSHPublicKey is the operator's key in OpenSSH form, without the comment.
	SSHPublicKey string
}

// MachinesConfig is the fixed machines: the engines, and in stage the SBC and the router.
type MachinesConfig struct {
	// InstanceType is the EC2 type of the engines.
	InstanceType InstanceType
	// RootVolumeGiB is the size of every machine's own disk in GiB.
	RootVolumeGiB int
	// DataVolumeGiB is the size of an engine's database volume in GiB; 0 leaves the database on the machine's own disk.
	DataVolumeGiB int
	// AMIID pins the image of the machines; empty means the newest Debian 12 when a machine is made.
	AMIID string
	// C4 gives a dev stack a Router and an SBC, each on a machine of its own.
	C4 bool
	// DetailedMonitoring makes EC2 report every minute, for about 2 USD a month and machine.
	DetailedMonitoring bool
}

// FleetsConfig is SBCs and Routers.
type FleetsConfig struct {
	// SBCInstanceType and RouterInstanceType are their EC2 types.
	SBCInstanceType, RouterInstanceType InstanceType
	// SBCs and Routers are the sizes of the fleets.
	SBCs, Routers FleetSize
	// CPUTarget is the average CPU in percent that a fleet grows at.
	CPUTarget int
	// DrainTimeout is how long calls may last before a machine goes without waiting for them.
	DrainTimeout time.Duration
	// Standings are how the fleets of each colour stand (blueFleets, greenFleets).
	Standings map[Colour]Standing
	// ReleaseBegan is when the release that is under way, or the last one, began; zero where there was none.
	ReleaseBegan time.Time
}

// FleetSize is how many machines a fleet has.
type FleetSize struct {
	// Min and Max bound it.
	Min, Max int
	// Calls is the number of active calls on each machine that the fleet is kept at.
	Calls int
}

// DatabaseConfig is the Routers' PostgreSQL.
type DatabaseConfig struct {
	// Version is PostgreSQL's major version.
	Version int
	// Class is the RDS instance class.
	Class string
	// GiB and MaxGiB are the storage and what it may grow to.
	GiB, MaxGiB int
	// MultiAZ keeps a standby in another zone, at twice the price.
	MultiAZ bool
	// Snapshot is the snapshot of RDS that the database begins with, by identifier or ARN (databaseSnapshot); empty is an empty one.
	Snapshot string
}

// WebConfig is the HTTPS edge.
type WebConfig struct {
	// Domain is the name that people and phones use; its records are made in HostedZone.
	Domain, HostedZone string
	// CertificateARN is a certificate that exists; empty means that one is made for Domain.
	CertificateARN string
	// WAF puts a web application firewall in front, about 10 USD a month and 0.60 for each million requests.
	WAF bool
	// BlueWeight and GreenWeight share requests between the two colours.
	BlueWeight, GreenWeight int
}

// RetentionConfig is how long things are kept.
type RetentionConfig struct {
	// LogDays is how long CloudWatch keeps logs (logRetentionDays).
	LogDays int
	// BackupDays is how long backups are kept (backupRetentionDays).
	BackupDays int
	// LockBackups keeps backups from being deleted before their time, in S3 and in AWS Backup (lockBackups). It is not
	// Protect, which comes and goes: a bucket is made with its lock or without.
	LockBackups bool
	// CopyRegion is a second region that gets a copy of every backup; empty means none.
	CopyRegion string
}

// ProvisionerConfig is the configuration stage.
type ProvisionerConfig struct {
	// Enabled says whether Ansible runs as part of the deployment (configure).
	Enabled bool
	// Timeout is how long Ansible may take (configureTimeoutMinutes).
	Timeout time.Duration
}

var (
	stackForm  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}[a-z0-9]$`)
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	amiForm    = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	eipForm    = regexp.MustCompile(`^eipalloc-([0-9a-f]{8}|[0-9a-f]{17})$`)
	// domainForm is a name of at least two labels (RFC 1123), in lower case.
	domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	certForm   = regexp.MustCompile(`^arn:aws:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+$`)
	policyForm = regexp.MustCompile(`^arn:aws:iam::\d{12}:policy/[A-Za-z0-9+=,.@_/-]+$`)
	classForm  = regexp.MustCompile(`^db\.[a-z0-9]+\.[a-z0-9]+$`)
)

const (
	defaultNetwork = "10.20.0.0/16"
	exampleAdmin   = "203.0.113.7/32"
	exampleCarrier = "198.51.100.0/24"
	anyAddress     = "0.0.0.0/0"
	// minRootVolumeGiB leaves room for the engine and for its upgrades; Wazo asks for 50 GiB for about 50 users.
	// Source: wazo-platform.org, uc-doc/installation/index.md.
	minRootVolumeGiB = 20
	// maxVolumeGiB is the largest gp3 volume. Source: Amazon EBS User Guide, "General Purpose SSD volumes".
	maxVolumeGiB = 16384
	// widestAdminBits is the widest admin or carrier range: one class A network.
	widestAdminBits = 8
	// maxZones is how many zones a network may have: each has its place in the network's plan from the beginning.
	maxZones = 3
	// postgreSQL is the major version of the Routers' client, which is Debian 12's: its pg_dump saves no database of a newer
	// server, and the Routers' schema is for none that is older. Source: PostgreSQL 15, pg_dump, "Notes".
	postgreSQL = 15
)

// ReadConfig reads the settings of the stack called stack. It answers every mistake at once, each with the setting, its
// value and the command that mends it. No error shows the value of a setting that may hold a key.
func ReadConfig(stack string, settings Settings) (Config, error) {
	if !stackForm.MatchString(stack) {
		return Config{}, fmt.Errorf("the stack's name is %q: machines are named after it, so it must be 2 to 32 lower case letters, digits and hyphens, "+
			"beginning with a letter; fix it with: pulumi stack rename NAME -s %s", stack, stack)
	}
	r := &reader{stack: stack, settings: settings, known: map[string]bool{}}
	c := Config{Topology: readKind(r), Region: readRegion(r)}
	r.defaults = byKind[c.Topology]
	c.Owner, c.CostCenter = readTag(r, "owner", "platform"), readTag(r, "costCenter", "telephony")
	c.Network = readNetwork(r, c.Region)
	c.Access = readAccess(r, c.Topology)
	c.Machines = readMachines(r)
	c.Fleets = readFleets(r)
	c.Database = readDatabase(r, c.Topology, c.Region)
	c.Web = readWeb(r, c.Topology)
	c.Account = readAccount(r, c.Topology, c.Region)
	c.Retention = RetentionConfig{
		LogDays:    r.oneOf("logRetentionDays", r.defaults.logRetentionDays, logRetentions),
		BackupDays: r.sized("backupRetentionDays", r.defaults.backupRetentionDays, 1, maxBackupDays), LockBackups: r.choice("lockBackups", r.defaults.lockBackups),
		CopyRegion: readCopyRegion(r, c.Topology, c.Region),
	}
	c.Watch = readWatch(r, c.Topology == KindDev || slices.Contains(c.Access.Edges, EdgePhones))
	c.Prometheus = readPrometheus(r, c.Topology)
	c.Provisioner = ProvisionerConfig{
		Enabled: r.flag("configure", true), Timeout: time.Duration(r.sized("configureTimeoutMinutes", r.defaults.configureMinutes, 5, 240)) * time.Minute,
	}
	c.Protect = r.choice("protect", r.defaults.protect)
	c.WorkloadBoundary = readBoundary(r)
	c.PolicyExceptions = r.list("policyExceptions", "'CD-21 why this stack is an exception'")
	r.unknown()
	if err := errors.Join(r.errs...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func readKind(r *reader) Kind {
	kind := Kind(r.text("topology", r.stack))
	if !slices.Contains(Topologies(), string(kind)) {
		r.fail("topology", string(kind), fmt.Sprintf("this project knows %s", strings.Join(Topologies(), ", ")), r.set("topology", "dev"))
		return KindDev // so that the other settings can be judged
	}
	return kind
}

func readRegion(r *reader) string {
	region := r.text(regionKey, "")
	switch {
	case !regionForm.MatchString(region):
		r.fail(regionKey, region, "want an AWS region", r.set(regionKey, "us-east-1"))
		return ""
	case otherPartition(region):
		r.fail(regionKey, region, "Debian's images and the managed policies have other names in that partition, which this project does not serve",
			r.set(regionKey, "us-east-1"))
	}
	return region
}

// otherPartition reports whether a region is in a part of AWS of its own: China, the government's or a secret one.
func otherPartition(region string) bool {
	return strings.HasPrefix(region, "cn-") || strings.HasPrefix(region, "us-gov-") || strings.Contains(region, "-iso")
}

// notElsewhere is what keeps other from being a region besides own; empty means nothing.
func notElsewhere(other, own string) string {
	switch {
	case !regionForm.MatchString(other):
		return "want an AWS region"
	case otherPartition(other):
		return "credentials of one partition of AWS do not work in another"
	case other == own:
		return "that is the stack's own region"
	}
	return ""
}

func readCopyRegion(r *reader, kind Kind, own string) string {
	const setting = "copyRegion"
	region := r.text(setting, "")
	if region == "" {
		return ""
	}
	if problem := notElsewhere(region, own); problem != "" {
		r.fail(setting, region, problem, r.set(setting, pick(own == "us-west-2", "us-east-1", "us-west-2")))
	} else if kind != KindStage && kind != KindProd {
		r.fail(setting, region, fmt.Sprintf("a stack of the topology %s copies no backups", kind), fmt.Sprintf("pulumi config rm %s -s %s", fullKey(setting), r.stack))
	}
	return region
}

func readNetwork(r *reader, region string) NetworkConfig {
	n := NetworkConfig{
		CIDR: readRange(r), Zones: readZones(r, region), Nat: readNat(r),
		NatAllocationIDs: r.list("natAllocationIds", "eipalloc-0123456789abcdef0"), SSMEndpoints: r.choice("ssmEndpoints", r.defaults.ssmEndpoint),
	}
	for i, id := range n.NatAllocationIDs {
		at := fmt.Sprintf("natAllocationIds[%d]", i)
		if !eipForm.MatchString(id) {
			r.fail(at, id, "want the allocation id of an Elastic IP, like eipalloc-0123456789abcdef0", r.setPath(at, "eipalloc-0123456789abcdef0"))
		}
	}
	if gateways := map[Nat]int{NatNone: 0, NatSingle: 1, NatOnePerAz: len(n.Zones)}[n.Nat]; len(n.NatAllocationIDs) > 0 && len(n.NatAllocationIDs) != gateways {
		r.fail("natAllocationIds", fmt.Sprintf("%d addresses", len(n.NatAllocationIDs)), fmt.Sprintf("nat %s over %d zones has %d gateways, each with one", n.Nat, len(n.Zones), gateways),
			fmt.Sprintf("pulumi config rm %s -s %s", fullKey("natAllocationIds"), r.stack))
	}
	if cidr.CheckNetwork(n.CIDR) == nil {
		if _, err := cidr.Plan(n.CIDR, r.tiers(), n.Zones); err != nil {
			r.fail("vpcCidr", n.CIDR.String(), err.Error(), r.set("vpcCidr", defaultNetwork))
		}
	}
	return n
}

func readRange(r *reader) netip.Prefix {
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

func readNat(r *reader) Nat {
	nat := Nat(r.text("nat", string(r.defaults.nat)))
	if known := []Nat{NatNone, NatSingle, NatOnePerAz}; nat != "" && !slices.Contains(known, nat) {
		r.fail("nat", string(nat), fmt.Sprintf("want one of %v", known), r.set("nat", string(NatSingle)))
	}
	if nat == NatNone && r.defaults.nat != NatNone && r.defaults.nat != "" {
		r.fail("nat", string(nat), "the machines of this topology are private, and need a way to package archives", r.set("nat", string(NatSingle)))
	}
	return nat
}

// readZones takes the zones that the user names, or the region's first: EC2 has no API that needs no call to AWS, and a
// region without such a zone answers with its own error, which names those it has.
func readZones(r *reader, region string) []string {
	zones := r.list("zones", region+"a")
	if region == "" { // its own error says so; zones cannot be judged without it
		return nil
	}
	if len(zones) == 0 {
		for i := range r.defaults.zones {
			zones = append(zones, region+string(rune('a'+i)))
		}
		return zones
	}
	for i, z := range zones {
		at := fmt.Sprintf("zones[%d]", i)
		fix := r.setPath(at, region+"a")
		switch {
		case !zoneOf(z, region):
			r.fail(at, z, fmt.Sprintf("that is not an availability zone of %s, whose zones are called %sa, %sb and so on", region, region, region), fix)
		case slices.Contains(zones[:i], z):
			r.fail(at, z, "an earlier item is the same", fix)
		}
	}
	if len(zones) > maxZones {
		r.fail("zones", strings.Join(zones, ", "), fmt.Sprintf("a network has at most %d zones", maxZones), fmt.Sprintf("pulumi config rm --path '%s' -s %s", fullKey("zones[3]"), r.stack))
	}
	// A load balancer and a database need two zones; three are what prod promises to lose one of.
	if least := min(r.defaults.zones, 2); len(zones) < least {
		r.fail("zones", strings.Join(zones, ", "), fmt.Sprintf("this topology needs at least %d zones", least), r.setPath(fmt.Sprintf("zones[%d]", len(zones)), region+"b"))
	}
	return zones
}

// zoneOf reports whether zone is called like a plain availability zone of region. Local and wavelength zones are not.
func zoneOf(zone, region string) bool {
	letter, ok := strings.CutPrefix(zone, region)
	return ok && len(letter) == 1 && letter[0] >= 'a' && letter[0] <= 'z'
}

func readAccess(r *reader, kind Kind) AccessConfig {
	world := []netip.Prefix{netip.MustParsePrefix(anyAddress)}
	a := AccessConfig{
		SIPCIDRs:   r.ranges("sipCidrs", world, anyAddress, checkIPv4),
		MediaCIDRs: r.ranges("mediaCidrs", world, anyAddress, checkIPv4),
		WebCIDRs:   r.ranges("webCidrs", world, anyAddress, checkIPv4),
	}
	a.Edges, a.Registrations = readEdges(r), r.flag("carrierRegistrations", true)
	none := []netip.Prefix{}
	// Only a dev stack has machines that operators reach directly; carriers are needed where their edge is.
	a.AdminCIDRs = r.ranges("adminCidrs", pick(kind == KindDev, nil, none), exampleAdmin, checkAdminRange)
	a.CarrierCIDRs = r.ranges("carrierCidrs", pick(slices.Contains(a.Edges, EdgeCarriers), nil, none), exampleCarrier, checkCarrierRange)
	a.SSHPublicKey = readPublicKey(r, kind != KindAccount)
	return a
}

func readEdges(r *reader) []Edge {
	names := r.list("sipEdges", string(EdgePhones))
	if len(names) == 0 {
		names = r.defaults.edges
	}
	var edges []Edge
	for i, name := range names {
		at := fmt.Sprintf("sipEdges[%d]", i)
		switch edge := Edge(name); {
		case edge != EdgeCarriers && edge != EdgePhones:
			r.fail(at, name, fmt.Sprintf("want %s or %s", EdgeCarriers, EdgePhones), r.setPath(at, string(EdgePhones)))
		case slices.Contains(edges, edge):
			r.fail(at, name, "an earlier item is the same", r.unsetPath(at))
		default:
			edges = append(edges, edge)
		}
	}
	return edges
}

// pick is the conditional that Go has no expression for.
func pick[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
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

func checkCarrierRange(p netip.Prefix) error {
	switch {
	case p.Bits() == 0:
		return errors.New("that is the whole internet, and a carrier's address is its password here")
	case p.Bits() < widestAdminBits:
		return fmt.Errorf("that is wider than /%d, name the signalling addresses that the carriers give", widestAdminBits)
	}
	return nil
}

func checkIPv4(p netip.Prefix) error {
	if !p.Addr().Is4() {
		return errors.New("that is IPv6, and the network has IPv4 only: such a rule could never match")
	}
	return nil
}

func readMachines(r *reader) MachinesConfig {
	return MachinesConfig{
		InstanceType:       readInstanceType(r, "instanceType", r.defaults.instanceType, "t3.xlarge", minMemoryGiB),
		RootVolumeGiB:      r.number("rootVolumeGiB", 50, minRootVolumeGiB, maxVolumeGiB),
		DataVolumeGiB:      r.sized("dataVolumeGiB", r.defaults.dataVolumeGiB, minRootVolumeGiB, maxVolumeGiB),
		AMIID:              readAMI(r),
		C4:                 r.flag("c4", false),
		DetailedMonitoring: r.choice("detailedMonitoring", r.defaults.detailedMonitoring),
	}
}

func readFleets(r *reader) FleetsConfig {
	f := FleetsConfig{
		SBCInstanceType:    readInstanceType(r, "sbcInstanceType", r.defaults.sbcInstanceType, "t3.medium", minC4MemoryGiB),
		RouterInstanceType: readInstanceType(r, "routerInstanceType", r.defaults.routerInstanceType, "t3.medium", minC4MemoryGiB),
		// One core of an SBC relays about 1000 calls, and a fleet must be able to lose a machine; a Router sees signalling only.
		// Source: rtpengine issue 1069 (about 1000 calls saturate a core that serves the only queue of a network card).
		SBCs:         readSize(r, "sbc", 400),
		Routers:      readSize(r, "router", 2000),
		CPUTarget:    r.number("cpuTarget", 50, 10, 90),
		DrainTimeout: time.Duration(r.number("drainTimeoutMinutes", 60, 1, maxDrainMinutes)) * time.Minute,
		Standings:    readStandings(r),
		ReleaseBegan: readBegan(r),
	}
	return f
}

// maxDrainMinutes is AWS's limit for an instance that waits in a lifecycle hook: 48 hours.
// Source: Amazon EC2 Auto Scaling API Reference, LifecycleHook, GlobalTimeout.
const maxDrainMinutes = 48 * 60

// maxFleet bounds what a mistyped number, or an attack on the metric, can cost.
const maxFleet = 20

func readSize(r *reader, name string, calls int) FleetSize {
	s := FleetSize{
		Min: r.number(name+"Min", 2, 2, maxFleet), Max: r.number(name+"Max", 6, 2, maxFleet), Calls: r.number(name+"Calls", calls, 1, 100000),
	}
	if s.Min > s.Max {
		r.fail(name+"Min", fmt.Sprint(s.Min), fmt.Sprintf("it is more than %sMax, which is %d", name, s.Max), r.set(name+"Max", fmt.Sprint(s.Min)))
	}
	return s
}

func readDatabase(r *reader, kind Kind, region string) DatabaseConfig {
	d := DatabaseConfig{
		Version: r.version("databaseVersion", postgreSQL, "the Routers' Debian has the client of that version, and no backup could be made of another"),
		Class:   r.text("databaseClass", r.defaults.databaseClass),
		GiB:     r.sized("databaseGiB", r.defaults.databaseGiB, minDatabaseGiB, maxDatabaseGiB),
		MultiAZ: r.choice("databaseMultiAz", r.defaults.multiAZ),
	}
	if d.Class != "" && !classForm.MatchString(d.Class) {
		r.fail("databaseClass", d.Class, "want an RDS instance class", r.set("databaseClass", "db.t4g.small"))
	}
	d.MaxGiB = r.sized("databaseMaxGiB", 5*d.GiB, minDatabaseGiB, maxDatabaseGiB)
	if d.MaxGiB < d.GiB {
		r.fail("databaseMaxGiB", fmt.Sprint(d.MaxGiB), fmt.Sprintf("it is less than databaseGiB, which is %d", d.GiB), r.set("databaseMaxGiB", fmt.Sprint(2*d.GiB)))
	}
	d.Snapshot = readSnapshot(r, kind, region)
	return d
}

func readSnapshot(r *reader, kind Kind, region string) string {
	const setting = "databaseSnapshot"
	name := r.text(setting, "")
	if name == "" {
		return ""
	}
	remove := fmt.Sprintf("pulumi config rm %s -s %s", fullKey(setting), r.stack)
	of := snapshot.Region(name)
	switch err := snapshot.Check(name); {
	case err != nil:
		r.fail(setting, name, err.Error(), remove)
	case kind != KindStage && kind != KindProd:
		r.fail(setting, name, fmt.Sprintf("a stack of the topology %s has no database of RDS", kind), remove)
	case of != "" && region != "" && of != region:
		r.fail(setting, name, fmt.Sprintf("it is in %s, and RDS restores in a snapshot's own region, while the stack is in %s", of, region), remove)
	}
	return name
}

// Limits of gp3 storage for PostgreSQL. Source: Amazon RDS User Guide, "Amazon RDS DB instance storage".
const minDatabaseGiB, maxDatabaseGiB = 20, 65536

func readWeb(r *reader, kind Kind) WebConfig {
	w := WebConfig{
		Domain: r.text("domain", ""), CertificateARN: r.text("certificateArn", ""), WAF: r.choice("waf", r.defaults.waf),
		BlueWeight: r.number("blueWeight", 100, 0, maxWeight), GreenWeight: r.number("greenWeight", 0, 0, maxWeight),
	}
	w.HostedZone = r.text("hostedZone", w.Domain)
	const example = "voice.example.com"
	switch needed := kind == KindStage || kind == KindProd; {
	case needed && w.Domain == "":
		r.fail("domain", "", "people and phones need a name, and its certificate needs one", r.set("domain", example))
	case w.Domain != "" && !domainForm.MatchString(w.Domain):
		r.fail("domain", w.Domain, "want a domain name in lower case", r.set("domain", example))
	case w.Domain != "" && w.Domain != w.HostedZone && !strings.HasSuffix(w.Domain, "."+w.HostedZone):
		r.fail("hostedZone", w.HostedZone, "the domain "+w.Domain+" is not in it", r.set("hostedZone", w.Domain))
	}
	if w.CertificateARN != "" && !certForm.MatchString(w.CertificateARN) {
		r.fail("certificateArn", w.CertificateARN, "want the ARN of an ACM certificate, or nothing for one that is made for the domain",
			fmt.Sprintf("pulumi config rm %s -s %s", fullKey("certificateArn"), r.stack))
	}
	if w.BlueWeight+w.GreenWeight == 0 {
		r.fail("blueWeight", "0", "greenWeight is 0 too, and nobody would serve", r.set("blueWeight", "100"))
	}
	return w
}

// maxWeight is the largest weight of a target group. Source: Elastic Load Balancing API Reference, TargetGroupTuple.
const maxWeight = 999

func readInstanceType(r *reader, name, fallback, example string, memory float64) InstanceType {
	text := r.text(name, fallback)
	if text == "" {
		return InstanceType{} // the topology has no such machine
	}
	t, err := FindInstanceType(text)
	if err == nil && t.MemoryGiB < memory {
		err = fmt.Errorf("it has %g GiB of memory, such a machine needs %g", t.MemoryGiB, memory)
	}
	if err != nil {
		r.fail(name, text, err.Error(), r.set(name, example))
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

func readPublicKey(r *reader, needed bool) string {
	text := r.text("sshPublicKey", "")
	if text == "" && !needed {
		return ""
	}
	key, err := parsePublicKey(text)
	if err != nil {
		// The value stays out of the message: it may be a private key, or a part of one.
		r.errs = append(r.errs, fmt.Errorf("%s %w; fix it with: %s", fullKey("sshPublicKey"), err, r.set("sshPublicKey", `"$(cat ~/.ssh/id_ed25519.pub)"`)))
	}
	return key
}

func readBoundary(r *reader) string {
	arn := r.text("workloadBoundary", "")
	if arn != "" && !policyForm.MatchString(arn) {
		r.fail("workloadBoundary", arn, "want the ARN of a policy of the account, which `pulumi stack output boundaries -s account` tells",
			r.set("workloadBoundary", "arn:aws:iam::123456789012:policy/calldata-foundation-dev-workload-boundary"))
	}
	return arn
}

func readTag(r *reader, name, fallback string) string {
	value := r.text(name, fallback)
	if err := tags.CheckValue(value); err != nil {
		r.fail(name, value, err.Error(), r.set(name, fallback))
	}
	return value
}
