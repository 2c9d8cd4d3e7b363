package sipedge

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/tags"
)

// Args describe the edge: the carriers' part, the phones' part, or both. Inputs may be unknown until AWS answers;
// everything else decides the graph's shape and is checked before the first resource.
type Args struct {
	// VpcID is the network of the SBCs. Carriers need it.
	VpcID pulumi.StringInput
	// Carriers is the load balancer for carriers; nil means none.
	Carriers *CarrierArgs
	// Phones is the addresses and names for phones; nil means none.
	Phones *PhoneArgs
	// Protect keeps Pulumi from deleting the addresses, which carriers allow by number and callers look up, and AWS from
	// deleting the load balancer. An address that Pulumi forgets stays in the account.
	Protect bool
	// Tags are given to everything that takes tags.
	Tags tags.Tags
}

// CarrierArgs describe the Network Load Balancer.
type CarrierArgs struct {
	// SubnetIDs are public subnets by availability zone, at least one. Each zone gets an Elastic IP; zones can be added later,
	// but taking one away replaces the load balancer.
	SubnetIDs map[string]pulumi.StringInput
	// SecurityGroupID is the load balancer's firewall. AWS takes one only when the load balancer is made.
	SecurityGroupID pulumi.StringInput
	// StatusPort is where an SBC tells over HTTP, at StatusPath, that it is well.
	StatusPort int
	// DrainTimeout is how long an SBC that leaves keeps its flows, in whole seconds of at most an hour; 0 means 300 s. It should
	// be the time that the fleet gives calls to end. After it, flows move to the other SBCs.
	DrainTimeout time.Duration
	// LogsBucket takes access logs, below LogsPrefix; nil means none. AWS writes them for TLS listeners alone, and this load
	// balancer passes TLS through: the bucket stays empty until it gets such a listener, and flow logs of the network are the
	// record. It is here because audits ask whether logs are on. Source: User Guide for Network Load Balancers, Access logs.
	LogsBucket pulumi.StringInput
	LogsPrefix string
}

// PhoneArgs describe how phones find SBCs.
type PhoneArgs struct {
	// Pool is the number of Elastic IPs to make for SBCs to claim: as many as SBCs run at once, and more for those that replace
	// them. An account has 5 per region until AWS raises its quota L-0263D0A3; each costs about 3.60 USD a month, in use or not.
	// Source: Amazon EC2 User Guide, Elastic IP address quota; Amazon VPC pricing.
	Pool int
	// PoolTag is the value of the tag Pool by which SBCs know the addresses that they may claim.
	PoolTag string
	// Addresses are public addresses that exist, in place of a pool: those of SBCs that have their own.
	Addresses []pulumi.StringInput

	// Domain is what phones are given: the domain of their SIP addresses, in lower case. It gets SRV records for those that ask
	// for them and A records for those that do not (RFC 3263, 4.2), so it must not be the name of the web edge. Empty means no
	// names. For TLS, the certificate of every SBC must name it (RFC 5922, 7.2).
	Domain string
	// ZoneID is the hosted zone that the domain belongs to.
	ZoneID pulumi.StringInput
	// HealthChecks lets Route 53 leave out addresses that do not answer on TCP port 5060, where every SBC listens: a dead SBC's,
	// and those that nobody has claimed yet. Without it, phones are sent to them too. The port must be open to Route 53's
	// checkers all over the world. A check costs 0.50 USD a month beyond the first 50 of an account, and 1 USD more below 30 s.
	// Source: Amazon Route 53 pricing, health checks of AWS endpoints.
	HealthChecks bool
	// CheckInterval is 10 s or 30 s; 0 means 10 s. Three failures in a row count, so that a dead SBC leaves the answers after
	// about 30 s or 90 s, and resolvers after TTL more.
	CheckInterval time.Duration
	// TTL is how long resolvers keep an answer, in whole seconds; 0 means 60 s.
	TTL time.Duration
}

const (
	defaultDrainTimeout = 300 * time.Second
	maxDrainTimeout     = 3600 * time.Second // User Guide for Network Load Balancers, Target group attributes
	fastInterval        = 10 * time.Second   // Amazon Route 53 Developer Guide, Values for health checks
	slowInterval        = 30 * time.Second
	defaultTTL          = 60 * time.Second
	maxTTL              = 24 * time.Hour           // longer than anybody would wait for a move
	maxDomain           = 253 - len("_sips._tcp.") // RFC 1035, 3.1
)

var (
	domainForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`) // RFC 1123
	prefixForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
)

// withDefaults answers a copy in which nothing that has a default is 0.
func (a Args) withDefaults() Args {
	if a.Carriers != nil {
		c := *a.Carriers
		if c.DrainTimeout == 0 {
			c.DrainTimeout = defaultDrainTimeout
		}
		a.Carriers = &c
	}
	if a.Phones != nil {
		p := *a.Phones
		if p.CheckInterval == 0 {
			p.CheckInterval = fastInterval
		}
		if p.TTL == 0 {
			p.TTL = defaultTTL
		}
		a.Phones = &p
	}
	return a
}

// Validate reports every field that AWS would refuse or calls would suffer from.
func (a Args) Validate() error {
	a = a.withDefaults()
	var errs []error
	if a.Carriers == nil && a.Phones == nil {
		errs = append(errs, errors.New("carriers and phones: both are missing, so nobody could call; give one of them"))
	}
	if a.Carriers != nil {
		if a.VpcID == nil {
			errs = append(errs, errors.New("VPC id: it is missing, and carriers need it"))
		}
		errs = append(errs, a.Carriers.validate())
	}
	if a.Phones != nil {
		errs = append(errs, a.Phones.validate())
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

func (c CarrierArgs) validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("carriers: "+format, values...))
		}
	}
	need(len(c.SubnetIDs) > 0, "subnet ids: at least one zone is needed")
	for _, zone := range slices.Sorted(maps.Keys(c.SubnetIDs)) {
		need(zone != "", "subnet ids: a zone has no name")
		need(c.SubnetIDs[zone] != nil, "subnet ids: that of the zone %q is missing", zone)
	}
	need(c.SecurityGroupID != nil, "security group id: it is missing, and AWS takes none later")
	need(c.StatusPort >= 1 && c.StatusPort <= 65535, "status port: %d, want 1 to 65535", c.StatusPort)
	need(c.DrainTimeout > 0 && c.DrainTimeout <= maxDrainTimeout && whole(c.DrainTimeout), "drain timeout: %s, want whole seconds, at most %s", c.DrainTimeout, maxDrainTimeout)
	need(c.LogsPrefix == "" || c.LogsBucket != nil, "logs prefix: %q is set without a logs bucket", c.LogsPrefix)
	need(c.LogsPrefix == "" || prefixForm.MatchString(c.LogsPrefix) && !strings.Contains(c.LogsPrefix, "AWSLogs"),
		"logs prefix: %q is not words joined by slashes, without AWSLogs, which AWS adds itself", c.LogsPrefix)
	return errors.Join(errs...)
}

func (p PhoneArgs) validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("phones: "+format, values...))
		}
	}
	need(p.Pool >= 0, "pool: %d, want a number of addresses", p.Pool)
	need((p.Pool != 0) != (len(p.Addresses) > 0), "pool: %d, with %d addresses that exist; give a pool or addresses, not both", p.Pool, len(p.Addresses))
	for i, address := range p.Addresses {
		need(address != nil, "addresses[%d]: it is missing", i)
	}
	if p.Pool != 0 {
		err := tags.CheckValue(p.PoolTag)
		need(err == nil, "pool tag: %w", err)
	} else {
		need(p.PoolTag == "", "pool tag: %q is set without a pool", p.PoolTag)
	}
	if p.Domain != "" {
		need(domainForm.MatchString(p.Domain) && len(p.Domain) <= maxDomain, "domain: %q is not a full domain name in lower case", p.Domain)
	} else {
		need(!p.HealthChecks, "health checks: they decide what DNS answers, and there is no domain")
	}
	need((p.Domain == "") == (p.ZoneID == nil), "domain: %q and the zone id belong together, give both or none", p.Domain)
	need(p.CheckInterval == fastInterval || p.CheckInterval == slowInterval, "check interval: %s, Route 53 knows %s and %s", p.CheckInterval, fastInterval, slowInterval)
	need(p.TTL > 0 && p.TTL <= maxTTL && whole(p.TTL), "TTL: %s, want whole seconds, at most %s", p.TTL, maxTTL)
	return errors.Join(errs...)
}

func whole(d time.Duration) bool { return d%time.Second == 0 }

func seconds(d time.Duration) pulumi.Int { return pulumi.Int(int(d / time.Second)) }
