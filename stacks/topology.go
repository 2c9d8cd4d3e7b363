package stacks

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/components/ports"
)

// Topology is everything that a stack consists of, as a plain value: it can be validated, printed, drawn, priced and
// compared without Pulumi or AWS.
type Topology struct {
	// Stack is the stack's name, Kind its shape.
	Stack string `json:"stack"`
	Kind  Kind   `json:"kind"`
	// Region is the AWS region.
	Region string `json:"region"`
	// Owner and CostCenter are tags.
	Owner      string `json:"owner"`
	CostCenter string `json:"costCenter"`
	// LogRetentionDays is how long CloudWatch keeps logs.
	LogRetentionDays int `json:"logRetentionDays"`
	// Protect keeps Pulumi and AWS from deleting what carriers, callers and data depend on.
	Protect bool `json:"protect"`

	// WorkloadBoundary is the policy that limits every role of the stack; empty means none.
	WorkloadBoundary string `json:"workloadBoundary,omitempty"`

	// Keys are the purposes that have an encryption key of their own.
	Keys []KeyUse `json:"keys"`
	// Buckets are the stack's S3 buckets.
	Buckets []BucketSpec `json:"buckets,omitempty"`
	// Network is where the machines live; nil in an account stack.
	Network *Network `json:"network,omitempty"`
	// Firewall is who may reach whom, for each group of machines or interfaces.
	Firewall []FirewallGroup `json:"firewall,omitempty"`
	// Carriers are the networks that carriers signal from, by their load balancer or straight: SBCs set them no limits.
	Carriers []netip.Prefix `json:"carriers,omitempty"`
	// Silent keeps Routers from registering with carriers.
	Silent bool `json:"silent,omitempty"`
	// Nodes are the fixed machines, in the order of the outputs.
	Nodes []NodeSpec `json:"nodes,omitempty"`
	// Fleets are the groups of machines that grow and shrink.
	Fleets []FleetSpec `json:"fleets,omitempty"`
	// Database is the Routers' PostgreSQL.
	Database *DatabaseSpec `json:"database,omitempty"`
	// Web is the HTTPS edge.
	Web *WebSpec `json:"web,omitempty"`
	// SIPEdge is how SIP comes in, where it does not reach a machine directly.
	SIPEdge *SIPEdgeSpec `json:"sipEdge,omitempty"`
	// Backup is what keeps copies of volumes and databases.
	Backup *BackupSpec `json:"backup,omitempty"`
	// Alarms is what tells people of the stack; nil tells nothing.
	Alarms *AlarmsSpec `json:"alarms,omitempty"`
	// Prometheus is what Prometheus tells besides; nil is no monitoring node.
	Prometheus *PrometheusSpec `json:"prometheus,omitempty"`
	// Account is the baseline of an AWS account.
	Account *AccountSpec `json:"account,omitempty"`
	// Configuration says how Ansible runs.
	Configuration Configuration `json:"configuration"`
}

// KeyUse is what an encryption key is for; the keys component knows what each allows.
type KeyUse string

// The purposes.
const (
	KeyVolumes  KeyUse = "volumes"
	KeyDatabase KeyUse = "database"
	KeyStorage  KeyUse = "storage"
	KeyLogs     KeyUse = "logs"
	KeySecrets  KeyUse = "secrets"
	KeyBackups  KeyUse = "backups"
	KeyTrail    KeyUse = "trail"
	KeyNotices  KeyUse = "notices"
)

// BucketSpec is an S3 bucket.
type BucketSpec struct {
	// Use says what it holds.
	Use BucketUse `json:"use"`
	// ExpireDays deletes objects after that many days; 0 keeps them.
	ExpireDays int `json:"expireDays,omitempty"`
	// LockDays keeps objects from deletion for that many days.
	LockDays int `json:"lockDays,omitempty"`
	// Protect keeps it from deletion.
	Protect bool `json:"protect"`
}

// BucketUse is what a bucket holds.
type BucketUse string

// What buckets hold: the bundles that fleets configure themselves with, backups of machines, access logs.
const (
	BucketArtifacts  BucketUse = "artifacts"
	BucketBackups    BucketUse = "backups"
	BucketAccessLogs BucketUse = "access-logs"
)

// Tiers of subnets: with a way in from the internet, with a way out only, with neither.
const (
	TierPublic  = "public"
	TierPrivate = "private"
	TierIntra   = "intra"
)

// Network is a VPC with its subnets.
type Network struct {
	// Name is the network's name, for example "dev-vpc".
	Name string `json:"name"`
	// CIDR is its range.
	CIDR netip.Prefix `json:"cidr"`
	// Zones are its availability zones.
	Zones []string `json:"zones"`
	// Subnets are its parts, one for each tier and zone.
	Subnets []Subnet `json:"subnets"`
	// Nat is how private machines reach the internet.
	Nat Nat `json:"nat"`
	// NatAllocationIDs are Elastic IPs that exist, one for each NAT gateway.
	NatAllocationIDs []string `json:"natAllocationIds,omitempty"`
	// SSMEndpoints says whether it has doors to Systems Manager.
	SSMEndpoints bool `json:"ssmEndpoints"`
	// AdminCIDRs may reach SSH in public subnets.
	AdminCIDRs []netip.Prefix `json:"adminCidrs,omitempty"`
}

// Subnet is a part of a network in one availability zone.
type Subnet struct {
	// Name is the subnet's name, for example "public-us-east-1a".
	Name string `json:"name"`
	// Tier is public, private or intra.
	Tier string `json:"tier"`
	// Zone is its availability zone.
	Zone string `json:"zone"`
	// CIDR is its range.
	CIDR netip.Prefix `json:"cidr"`
}

// Of answers the network's subnets of one tier, in the order of their zones.
func (n Network) Of(tier string) []Subnet {
	var subnets []Subnet
	for _, s := range n.Subnets {
		if s.Tier == tier {
			subnets = append(subnets, s)
		}
	}
	return subnets
}

// FirewallGroup is who may reach the members of a group.
type FirewallGroup struct {
	// Name is the group.
	Name ports.Group `json:"name"`
	// Ingress is who may reach which of its ports.
	Ingress []ports.Rule `json:"-"`
}

// Access is how Ansible and operators reach a machine.
type Access string

const (
	// AccessSSH is SSH straight to the machine's address.
	AccessSSH Access = "ssh"
	// AccessSSM is SSH through a session of AWS Systems Manager: the machine has no open port for it.
	AccessSSM Access = "ssm"
)

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
	// VolumeGiB is the size of its root volume, DataVolumeGiB that of its data volume or 0.
	VolumeGiB     int `json:"volumeGiB"`
	DataVolumeGiB int `json:"dataVolumeGiB,omitempty"`
	// AMIID pins its image; empty means the newest Debian 12 on the day it is made.
	AMIID string `json:"amiId,omitempty"`
	// Public says whether it has an Elastic IP.
	Public bool `json:"public"`
	// Access is how operators reach it.
	Access Access `json:"access"`
	// DetailedMonitoring makes EC2 report every minute.
	DetailedMonitoring bool `json:"detailedMonitoring"`
	// Protect keeps its Elastic IP and data volume from deletion and the machine from termination.
	Protect bool `json:"protect"`
	// User is the login that its image has.
	User string `json:"user"`
	// SSHPublicKey may log in as User.
	SSHPublicKey string `json:"sshPublicKey"`
}

// FleetSpec is a group of machines of one role, over all zones.
type FleetSpec struct {
	// Name is the fleet's name, for example "prod-c4-sbc".
	Name string `json:"name"`
	// Role is what runs on its machines.
	Role Role `json:"role"`
	// Colour is the set of fleets that it belongs to, Standing how that set stands.
	Colour   Colour   `json:"colour"`
	Standing Standing `json:"standing"`
	// Type is their EC2 instance type.
	Type InstanceType `json:"type"`
	// Tier is the tier of their subnets.
	Tier string `json:"tier"`
	// Size bounds it.
	Size FleetSize `json:"size"`
	// CPUTarget is the average CPU in percent that it grows at.
	CPUTarget int `json:"cpuTarget"`
	// VolumeGiB is the size of their root volumes.
	VolumeGiB int `json:"volumeGiB"`
	// AMIID pins their image.
	AMIID string `json:"amiId,omitempty"`
	// AddressPool says that each claims an Elastic IP from the SIP edge's pool.
	AddressPool bool `json:"addressPool"`
	// Balanced says that the SIP edge's load balancer sends calls to it.
	Balanced bool `json:"balanced"`
	// DrainTimeout is how long calls may last before a machine goes without waiting for them.
	DrainTimeout time.Duration `json:"drainTimeout"`
	// DetailedMonitoring makes EC2 report every minute.
	DetailedMonitoring bool `json:"detailedMonitoring"`
	// Protect keeps it from deletion.
	Protect bool `json:"protect"`
	// SSHPublicKey may log in.
	SSHPublicKey string `json:"sshPublicKey"`
}

// DatabaseSpec is a PostgreSQL of RDS.
type DatabaseSpec struct {
	// Name is the database's name in AWS, for example "stage-router".
	Name string `json:"name"`
	// Version is the major version.
	Version int `json:"version"`
	// Class is the RDS instance class.
	Class string `json:"class"`
	// GiB and MaxGiB are the storage and what it may grow to.
	GiB    int `json:"giB"`
	MaxGiB int `json:"maxGiB"`
	// MultiAZ keeps a standby in another zone.
	MultiAZ bool `json:"multiAz"`
	// BackupDays is how long automated backups are kept.
	BackupDays int `json:"backupDays"`
	// Snapshot is what it begins with; empty is nothing.
	Snapshot string `json:"snapshot,omitempty"`
	// Protect keeps it from deletion.
	Protect bool `json:"protect"`
}

// WebSpec is a load balancer for HTTPS and WSS in front of the engines.
type WebSpec struct {
	// Name is its name, for example "stage-web".
	Name string `json:"name"`
	// Domain is the name that leads to it, HostedZone the zone of its records.
	Domain     string `json:"domain"`
	HostedZone string `json:"hostedZone"`
	// CertificateARN is a certificate that exists; empty means one is made.
	CertificateARN string `json:"certificateArn,omitempty"`
	// WAF says whether a web application firewall is in front.
	WAF bool `json:"waf"`
	// Blue and Green are the colours' weights.
	Blue  int `json:"blue"`
	Green int `json:"green"`
	// Protect keeps it from deletion.
	Protect bool `json:"protect"`
}

// SIPEdgeSpec is the ways for SIP into the platform.
type SIPEdgeSpec struct {
	// Name is its name, for example "prod-sip".
	Name string `json:"name"`
	// Carriers says whether there is a network load balancer for carriers.
	Carriers bool `json:"carriers"`
	// Phones says whether phones reach SBCs by address.
	Phones bool `json:"phones"`
	// Pool is the number of Elastic IPs that fleets' machines claim.
	Pool int `json:"pool,omitempty"`
	// Domain is what phones look up, HostedZone the zone of its records.
	Domain     string `json:"domain"`
	HostedZone string `json:"hostedZone"`
	// HealthChecks says whether Route 53 asks the SBCs whether they answer; only where SIP is open to everybody.
	HealthChecks bool `json:"healthChecks"`
	// Protect keeps addresses and load balancer from deletion.
	Protect bool `json:"protect"`
}

// BackupSpec is a plan of AWS Backup.
type BackupSpec struct {
	// Name is the vault's name.
	Name string `json:"name"`
	// Days is how long a backup is kept.
	Days int `json:"days"`
	// Lock keeps backups from deletion before their time.
	Lock bool `json:"lock"`
	// CopyRegion is a second region, which gets a copy of every backup; empty means none.
	CopyRegion string `json:"copyRegion,omitempty"`
	// Protect keeps the vault from deletion.
	Protect bool `json:"protect"`
}

// AccountSpec is the baseline of an AWS account.
type AccountSpec struct {
	// Repository is the GitHub repository whose workflows deploy; OwnerID and RepositoryID are its numbers, or zero.
	Repository   string `json:"repository"`
	OwnerID      int64  `json:"ownerId,omitempty"`
	RepositoryID int64  `json:"repositoryId,omitempty"`
	// ProviderExists says that the account has GitHub's identity provider already.
	ProviderExists bool `json:"providerExists,omitempty"`
	// Environments are the stacks that it deploys.
	Environments []Environment `json:"environments"`
	// OtherRegions are regions of stacks besides the account's own.
	OtherRegions []string `json:"otherRegions,omitempty"`
	// StateBucket is Pulumi's backend, SecretsKeyAlias the key of it and of secrets; empty means those of `calldata bootstrap`.
	StateBucket     string `json:"stateBucket,omitempty"`
	SecretsKeyAlias string `json:"secretsKeyAlias,omitempty"`
	// AlertEmails hear of budgets and cost anomalies.
	AlertEmails []string `json:"alertEmails"`
	// AnomalyMonitorARN is the monitor of what services cost; empty makes one. AnomalyUSD is what is worth a mail.
	AnomalyMonitorARN string `json:"anomalyMonitorArn,omitempty"`
	AnomalyUSD        int    `json:"anomalyUsd"`
	// AuditDays is how long records of the account are kept, 0 for ever; TrailLockDays how long nobody can delete a trail's.
	AuditDays     int `json:"auditDays,omitempty"`
	TrailLockDays int `json:"trailLockDays,omitempty"`
	// Parts are what is made.
	Parts []AccountPart `json:"parts"`
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

// shapes are the topologies that a stack can have.
var shapes = map[Kind]func(string, Config) (Topology, error){
	KindDev: dev, KindStage: stage, KindProd: prod, KindAccount: account,
}

// Topologies lists the names of the topologies in alphabetical order.
func Topologies() []string {
	var names []string
	for kind := range maps.Keys(shapes) {
		names = append(names, string(kind))
	}
	slices.Sort(names)
	return names
}

// New answers the topology that c names, for the stack called stack. It is valid, or the error says all that is wrong.
func New(stack string, c Config) (Topology, error) {
	shape, ok := shapes[c.Topology]
	if !ok {
		return Topology{}, fmt.Errorf("stack %s: no topology is called %q, this project knows %s; fix it with: pulumi config set %s %s -s %s",
			stack, c.Topology, strings.Join(Topologies(), ", "), fullKey("topology"), KindDev, stack)
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

// Engine is the position of the first UC Engine among the nodes, or -1.
func (t Topology) Engine() int {
	return slices.IndexFunc(t.Nodes, func(n NodeSpec) bool { return slices.Contains(n.Roles, RoleUCEngine) })
}

// Openings is what the own firewall of a machine with the roles lets in: the rules of its firewall groups, together, with
// the addresses that come by way of the carriers' load balancer.
func (t Topology) Openings(roles ...Role) []ports.Opening {
	rules := t.Rules()
	var own []ports.Rule
	for _, r := range roles {
		own = append(own, rules[r.Group()]...)
	}
	return ports.Openings(rules.ThroughBalancer(own))
}

// Rules are those of the security groups, by group.
func (t Topology) Rules() ports.Firewall {
	rules := ports.Firewall{}
	for _, g := range t.Firewall {
		rules[g.Name] = g.Ingress
	}
	return rules
}

// FleetRoles are the roles whose machines come and go, in the order of the fleets.
func (t Topology) FleetRoles() []Role {
	roles := []Role{}
	for _, f := range t.Fleets {
		if !slices.Contains(roles, f.Role) { // the other colour has the same ones
			roles = append(roles, f.Role)
		}
	}
	return roles
}

// Endpoints says where people and phones reach the platform, given the address of the first engine and that of the
// carriers' load balancer, each where there is one.
func (t Topology) Endpoints(engine, carriers string) Endpoints {
	e := Endpoints{Web: "https://" + engine, SIP: sipURI(engine)}
	if t.Web != nil {
		e.Web = "https://" + t.Web.Domain
	}
	if t.SIPEdge != nil {
		e.SIP = pick(t.SIPEdge.Phones, sipURI(t.SIPEdge.Domain), "")
		e.Carriers = pick(carriers != "", sipURI(carriers), "")
	}
	return e
}

func sipURI(host string) string {
	sip, _ := ports.Find(ports.C4SBC(), ports.SIP)
	return fmt.Sprintf("sip:%s:%d;transport=%s", host, sip.From, sip.Protocol)
}

// Zone is the availability zone of the subnet called name.
func (t Topology) Zone(subnet string) string {
	if t.Network != nil {
		for _, s := range t.Network.Subnets {
			if s.Name == subnet {
				return s.Zone
			}
		}
	}
	return ""
}
