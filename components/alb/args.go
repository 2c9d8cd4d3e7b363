package alb

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/tags"
)

// Args describe the load balancer. Inputs may be unknown until AWS answers; everything else decides the graph's shape and
// is checked before the first resource.
type Args struct {
	// VpcID is the network of the engines.
	VpcID pulumi.StringInput
	// SubnetIDs are public subnets, one per availability zone; SubnetCount says how many, at least two.
	SubnetIDs   pulumi.StringArrayInput
	SubnetCount int
	// SecurityGroupID is the load balancer's firewall.
	SecurityGroupID pulumi.StringInput

	// Domain gives it a name, and a certificate for it. It may be left out if CertificateARN is set.
	Domain DomainArgs
	// CertificateARN is a certificate that exists in ACM and this region. Empty means that one is made for Domain.
	CertificateARN string

	// Weights say how new clients are shared out between the colours.
	Weights Weights
	// IdleTimeout is how long a connection may be silent, in whole seconds; 0 means 240 s. It must be more than the 188 s that
	// nginx on the engine waits for a WebSocket, so that the engine, which can tell its client why, is the one that ends it.
	// Source: xivo-config: etc/nginx/locations/https-available/asterisk.
	IdleTimeout time.Duration
	// DrainTimeout is how long an engine that leaves keeps its open connections, in whole seconds; 0 means 1 h, the longest
	// that AWS allows: a call over WebSocket cannot move to another engine. An engine without connections leaves at once.
	DrainTimeout time.Duration

	// DualStack gives it IPv6 addresses too; the subnets and the security group must have IPv6 then. Without it there is no
	// AAAA record either, because an alias to a load balancer that has IPv4 addresses alone answers nothing.
	DualStack bool
	// WAF puts a web application firewall in front: about 9 USD a month for a web ACL with four rules, and 0.60 USD per
	// million requests. Source: AWS WAF pricing.
	WAF bool
	// LoginLimit is how often one address may try to log in within five minutes before the firewall refuses it; 0 means 300,
	// which lets a whole office behind one address begin its day. Users who share an address share the limit.
	LoginLimit int

	// LogsBucket takes the access logs, below LogsPrefix; nil means none. The bucket must let Elastic Load Balancing write.
	LogsBucket pulumi.StringInput
	LogsPrefix string
	// Protect keeps AWS from deleting the load balancer.
	Protect bool
	// Tags are given to everything that takes tags.
	Tags tags.Tags
}

// DomainArgs are a name and the Route 53 zone that it belongs to.
type DomainArgs struct {
	// Name is the full name in lower case, for example "voice.example.com".
	Name string
	// ZoneID is the hosted zone of the name's records, which must be public for the certificate.
	ZoneID pulumi.StringInput
}

// Colour is one of the two sets of engines of a blue-green deployment.
type Colour string

// The colours.
const (
	Blue  Colour = "blue"
	Green Colour = "green"
)

// Colours lists them in a fixed order.
func Colours() []Colour { return []Colour{Blue, Green} }

// Weights share out new clients: each colour gets its weight's part of the sum. Each is 0 to 999, and one is more than 0.
// Source: Elastic Load Balancing API Reference, TargetGroupTuple.
type Weights struct {
	// Blue and Green are the parts of the two colours.
	Blue, Green int
}

func (w Weights) of(c Colour) int {
	if c == Green {
		return w.Green
	}
	return w.Blue
}

const (
	defaultIdleTimeout  = 240 * time.Second
	nginxReadTimeout    = 188 * time.Second
	maxIdleTimeout      = 4000 * time.Second // User Guide for Application Load Balancers, Load balancer attributes
	defaultDrainTimeout = maxDrainTimeout
	maxDrainTimeout     = 3600 * time.Second // the same guide, Target group attributes
	maxWeight           = 999
	defaultLoginLimit   = 300
	minLoginLimit       = 10 // AWS WAF API Reference, RateBasedStatement
	maxCommonName       = 64 // AWS Certificate Manager API Reference, RequestCertificate, DomainName
)

var (
	domainForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`) // RFC 1123
	arnForm    = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+$`)
	prefixForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
)

func (a Args) withDefaults() Args {
	if a.IdleTimeout == 0 {
		a.IdleTimeout = defaultIdleTimeout
	}
	if a.DrainTimeout == 0 {
		a.DrainTimeout = defaultDrainTimeout
	}
	if a.LoginLimit == 0 {
		a.LoginLimit = defaultLoginLimit
	}
	return a
}

// Validate reports every field that AWS would refuse or calls would suffer from.
func (a Args) Validate() error {
	a = a.withDefaults()
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	need(a.VpcID != nil, "VPC id: it is missing")
	need(a.SubnetIDs != nil, "subnet ids: they are missing")
	need(a.SubnetCount >= 2, "subnet count: %d, an Application Load Balancer needs subnets in at least 2 availability zones", a.SubnetCount)
	need(a.SecurityGroupID != nil, "security group id: it is missing")
	need(a.Domain.Name != "" || a.CertificateARN != "", "domain: it is missing, and so is the certificate ARN; HTTPS needs one of them")
	if a.Domain.Name != "" {
		need(domainForm.MatchString(a.Domain.Name), "domain: %q is not a full domain name in lower case", a.Domain.Name)
		need(a.CertificateARN != "" || len(a.Domain.Name) <= maxCommonName,
			"domain: %q has %d characters, ACM makes certificates for at most %d; give a certificate ARN", a.Domain.Name, len(a.Domain.Name), maxCommonName)
	}
	need((a.Domain.Name == "") == (a.Domain.ZoneID == nil), "domain: the name %q and the zone id belong together, give both or none", a.Domain.Name)
	need(a.CertificateARN == "" || arnForm.MatchString(a.CertificateARN), "certificate ARN: %q is not the ARN of an ACM certificate", a.CertificateARN)
	for _, c := range Colours() {
		need(a.Weights.of(c) >= 0 && a.Weights.of(c) <= maxWeight, "weights: %s is %d, want 0 to %d", c, a.Weights.of(c), maxWeight)
	}
	need(a.Weights != Weights{}, "weights: blue and green are both 0, so nobody would be served; set one of them")
	need(a.IdleTimeout > nginxReadTimeout && a.IdleTimeout <= maxIdleTimeout && whole(a.IdleTimeout),
		"idle timeout: %s, want whole seconds, more than the engine's %s and at most %s", a.IdleTimeout, nginxReadTimeout, maxIdleTimeout)
	need(a.DrainTimeout > 0 && a.DrainTimeout <= maxDrainTimeout && whole(a.DrainTimeout), "drain timeout: %s, want whole seconds, at most %s", a.DrainTimeout, maxDrainTimeout)
	need(a.LoginLimit >= minLoginLimit, "login limit: %d in five minutes, AWS WAF wants at least %d", a.LoginLimit, minLoginLimit)
	need(a.LogsPrefix == "" || a.LogsBucket != nil, "logs prefix: %q is set without a logs bucket", a.LogsPrefix)
	need(a.LogsPrefix == "" || prefixForm.MatchString(a.LogsPrefix) && !strings.Contains(a.LogsPrefix, "AWSLogs"),
		"logs prefix: %q is not words joined by slashes, without AWSLogs, which AWS adds itself", a.LogsPrefix)
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

func whole(d time.Duration) bool { return d%time.Second == 0 }

func seconds(d time.Duration) pulumi.Int { return pulumi.Int(int(d / time.Second)) }
