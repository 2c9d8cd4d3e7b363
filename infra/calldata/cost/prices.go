package cost

import (
	"strings"

	"github.com/calldata/calldata-foundation/stacks"
)

const (
	// PricesOf is the region of the table.
	PricesOf = "us-east-1"
	// AsOf is the day on which it was last compared with its sources.
	AsOf = "2026-11-23"
	// HoursPerMonth is what AWS's own calculator takes for a month: 365 days of 24 hours, divided by 12.
	HoursPerMonth = 730
)

// Evidence says how well a price is known.
type Evidence string

const (
	// FromAWS was read on a page of AWS's own.
	FromAWS Evidence = "AWS's own page"
	// SecondHand was read on somebody else's page, or agrees with price tables in several public tools.
	SecondHand Evidence = "second hand"
	// NotVerified was written down from memory: no page could be read.
	NotVerified Evidence = "not verified"
)

// Price is a list price on demand, in US dollars, for Linux, without free tiers, discounts and taxes.
type Price struct {
	// USD is the price of one Unit.
	USD  float64 `json:"usd"`
	Unit string  `json:"unit"`
	// Evidence says how well it is known, Source where it was read.
	Evidence Evidence `json:"evidence"`
	Source   string   `json:"source"`
}

// Units of prices.
const (
	perHour    = "hour"
	perMonth   = "month"
	perGB      = "GB"
	perGBMonth = "GB-month"
	perMillion = "million"
)

// Where prices were read.
const (
	srcTools     = "price tables of several public cost tools, 2026, which agree"
	srcIPv4      = "repost.aws, \"Why am I seeing charges for Public IPv4 addresses\""
	srcNAT       = "cloudburn.io/blog/aws-nat-gateway-pricing, 2026-02"
	srcELB       = "awsnegotiations.com/elastic-load-balancer-cost.html, 2026-05"
	srcRDS       = "infratally.com/articles/aws-rds-pricing-explained-2026.html"
	srcRDSDisk   = "usage.ai/blogs/aws/reserved-instances/rds/pricing-calculator, 2026-06"
	srcKMS       = "aws.amazon.com/kms/pricing"
	srcRoute53   = "eatsip365.com/understanding-how-route-53-billing-works"
	srcTransfer  = "cloudpipelines.pages.dev/guides/aws-nat-gateway-pricing-2026"
	srcEC2       = "hacecuentas.com/en/costo-servidor-cloud-aws-ec2-mensual, 2026-04 (t3, c6i); " + srcTools
	srcMetrics   = "signoz.io/guides/cloudwatch-pricing, 2026-02"
	srcAlarms    = "c3x.dev/resources/aws/aws_cloudwatch_metric_alarm"
	srcBoards    = "factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards, 2026-06"
	srcInfracost = "gist.github.com/alikhajeh1/6107727c5218382b9cc6af69be562111 (Infracost output)"
)

func hourly(usd float64, e Evidence, source string) Price { return Price{usd, perHour, e, source} }

// Prices of everything but machines and databases.
var (
	publicIPv4      = Price{0.005, perHour, FromAWS, srcIPv4}
	natHour         = Price{0.045, perHour, SecondHand, srcNAT}
	natGB           = Price{0.045, perGB, SecondHand, srcNAT}
	transferOut     = Price{0.09, perGB, SecondHand, srcTransfer}
	transferRegion  = Price{0.02, perGB, NotVerified, ""}
	albHour         = Price{0.0225, perHour, SecondHand, srcELB}
	albUnit         = Price{0.008, perHour, SecondHand, srcELB}
	nlbHour         = Price{0.0225, perHour, SecondHand, srcELB}
	nlbUnit         = Price{0.006, perHour, SecondHand, srcELB}
	endpointHour    = Price{0.01, perHour, SecondHand, srcTools}
	endpointGB      = Price{0.01, perGB, SecondHand, srcTools}
	volumeGB        = Price{0.08, perGBMonth, SecondHand, srcTools}
	snapshotGB      = Price{0.05, perGBMonth, SecondHand, srcTools}
	objectGB        = Price{0.023, perGBMonth, SecondHand, srcTools}
	databaseDisk    = Price{0.115, perGBMonth, SecondHand, srcRDSDisk}
	databaseBackup  = Price{0.095, perGBMonth, SecondHand, srcRDSDisk}
	keyMonth        = Price{1, perMonth, FromAWS, srcKMS}
	secretMonth     = Price{0.40, perMonth, SecondHand, srcTools}
	logIngestGB     = Price{0.50, perGB, SecondHand, srcTools}
	logStoreGB      = Price{0.03, perGBMonth, SecondHand, srcTools}
	metricMonth     = Price{0.30, perMonth, SecondHand, srcMetrics}
	alarmMonth      = Price{0.10, perMonth, SecondHand, srcAlarms}
	compositeMonth  = Price{0.50, perMonth, SecondHand, srcAlarms}
	dashboardMonth  = Price{3, perMonth, SecondHand, srcBoards}
	zoneMonth       = Price{0.50, perMonth, SecondHand, srcRoute53}
	healthCheck     = Price{0.50, perMonth, NotVerified, ""}
	webACL          = Price{5, perMonth, SecondHand, srcTools}
	webRule         = Price{1, perMonth, SecondHand, srcTools}
	webRequests     = Price{0.60, perMillion, SecondHand, srcTools}
	configItem      = Price{0.003, "item", SecondHand, srcTools}
	configRule      = Price{0.001, "evaluation", SecondHand, srcTools}
	guardDutyEvents = Price{4, perMillion, NotVerified, ""}
	guardDutyLogGB  = Price{1, perGB, NotVerified, ""}
	securityCheck   = Price{0.001, "check", NotVerified, ""}
)

// named lists those prices for the reference.
func named() []struct {
	What  string
	Price Price
} {
	return []struct {
		What  string
		Price Price
	}{
		{"Public IPv4 address, in use or not", publicIPv4},
		{"NAT gateway", natHour}, {"NAT gateway, data", natGB},
		{"Data transfer to the internet, first 10 TB", transferOut}, {"Data transfer to another region", transferRegion},
		{"Application load balancer", albHour}, {"Application load balancer, capacity unit", albUnit},
		{"Network load balancer", nlbHour}, {"Network load balancer, capacity unit", nlbUnit},
		{"Interface endpoint, in each zone", endpointHour}, {"Interface endpoint, data", endpointGB},
		{"EBS gp3", volumeGB}, {"EBS snapshot", snapshotGB}, {"S3 Standard", objectGB},
		{"RDS gp3 storage, Single-AZ", databaseDisk}, {"RDS backup beyond the storage's size", databaseBackup},
		{"KMS key; the first and the second rotation add as much each", keyMonth}, {"Secrets Manager secret", secretMonth},
		{"CloudWatch Logs, ingestion", logIngestGB}, {"CloudWatch Logs, storage", logStoreGB},
		{"CloudWatch metric, custom or detailed", metricMonth}, {"CloudWatch alarm, for each of its metrics", alarmMonth}, {"CloudWatch composite alarm", compositeMonth},
		{"CloudWatch dashboard; the first three of an account are free", dashboardMonth},
		{"Route 53 hosted zone", zoneMonth}, {"Route 53 health check of an AWS address; the first 50 of an account are free", healthCheck},
		{"WAF web ACL", webACL}, {"WAF rule", webRule}, {"WAF requests", webRequests},
		{"AWS Config, recorded item", configItem}, {"AWS Config, evaluation of a rule", configRule}, {"GuardDuty, CloudTrail events", guardDutyEvents},
		{"GuardDuty, flow and DNS logs", guardDutyLogGB}, {"Security Hub, check", securityCheck},
	}
}

// largeHourly is the price of each family's size "large"; every size costs twice the one below.
var largeHourly = map[string]Price{
	"t3": hourly(0.0832, SecondHand, srcEC2), "t3a": hourly(0.0752, SecondHand, srcTools),
	"m5": hourly(0.096, SecondHand, srcTools), "m5a": hourly(0.086, SecondHand, srcTools),
	"m6i": hourly(0.096, SecondHand, srcTools), "m6a": hourly(0.0864, SecondHand, srcInfracost),
	"m7i": hourly(0.1008, NotVerified, ""), "m7a": hourly(0.11592, NotVerified, ""), "m7i-flex": hourly(0.09576, NotVerified, ""),
	"c5": hourly(0.085, SecondHand, srcTools), "c5a": hourly(0.077, SecondHand, srcTools),
	"c6i": hourly(0.085, SecondHand, srcEC2), "c6a": hourly(0.0765, NotVerified, ""),
	"c7i": hourly(0.08925, NotVerified, ""), "c7a": hourly(0.10264, NotVerified, ""), "c7i-flex": hourly(0.08479, NotVerified, ""),
	"r5": hourly(0.126, SecondHand, srcTools), "r5a": hourly(0.113, NotVerified, ""),
	"r6i": hourly(0.126, SecondHand, srcTools), "r6a": hourly(0.1134, NotVerified, ""),
	"r7i": hourly(0.1323, NotVerified, ""), "r7a": hourly(0.15215, NotVerified, ""),
}

// databaseLarge is the same for RDS for PostgreSQL in one zone. A standby in another zone costs as much again.
var databaseLarge = map[string]Price{
	"t3": hourly(0.145, NotVerified, ""), "t4g": hourly(0.129, NotVerified, ""),
	"m5": hourly(0.178, NotVerified, ""), "m6g": hourly(0.159, NotVerified, "public tools say 0.152 to 0.178"),
	"m6i": hourly(0.178, NotVerified, ""), "m7g": hourly(0.168, NotVerified, ""),
	"r5": hourly(0.25, NotVerified, ""), "r6g": hourly(0.225, NotVerified, ""), "r6i": hourly(0.25, NotVerified, ""), "r7g": hourly(0.239, NotVerified, ""),
}

// databaseSmall are the classes whose prices are rounded, and not multiples of the table's.
var databaseSmall = map[string]Price{
	"t4g.micro": hourly(0.016, SecondHand, srcRDS), "t4g.small": hourly(0.032, SecondHand, srcRDS), "t4g.medium": hourly(0.065, SecondHand, srcRDS),
	"t3.micro": hourly(0.018, NotVerified, ""), "t3.small": hourly(0.036, NotVerified, ""), "t3.medium": hourly(0.072, NotVerified, ""),
}

// sizes are multiples of "large".
var sizes = map[string]float64{
	"micro": 0.125, "small": 0.25, "medium": 0.5, "large": 1, "xlarge": 2, "2xlarge": 4, "4xlarge": 8, "8xlarge": 16,
}

// machinePrice is what an EC2 type costs, and whether the table knows.
func machinePrice(t stacks.InstanceType) (Price, bool) { return sized(largeHourly, t.Name) }

// databasePrice is what an RDS class like "db.m6g.large" costs in one zone, and whether the table knows.
func databasePrice(class string) (Price, bool) {
	name := strings.TrimPrefix(class, "db.")
	if p, known := databaseSmall[name]; known {
		return p, true
	}
	return sized(databaseLarge, name)
}

func sized(table map[string]Price, name string) (Price, bool) {
	family, size, _ := strings.Cut(name, ".")
	price, known := table[family]
	factor, sizeKnown := sizes[size]
	price.USD *= factor
	return price, known && sizeKnown
}
