package baseline

// Parts are the parts of a baseline. Prices are per month, for US East (N. Virginia), without taxes and without AWS's free
// tiers and trials; those of other regions differ by some per cent. What is "about" is our estimate for these prices.
//
// Sources, as read on 2026-11-23: signoz.io, "CloudWatch Pricing Without the Confusion" (2026-02-15); cloudgauge.app,
// "Governance cost trap", for AWS Config; factualminds.com, "Amazon GuardDuty Pricing" (2026-06-13); AWS Security Hub
// pricing, "Security checks"; AWS KMS pricing; AWS Budgets pricing.
type Parts struct {
	// GitHub is the provider of GitHub's tokens and the roles of previews and deployments. It costs nothing.
	GitHub bool
	// Trail is a trail of CloudTrail that covers all regions. The first copy of management events costs nothing; the rest is
	// one KMS key of 1 USD for it and one for its log group, 0.50 USD per GB of log group, and S3: about 3 USD for a small
	// account.
	Trail bool
	// TrailAlarms are 15 alarms about what the trail records, from the CIS benchmark: 0.30 USD for each metric and 0.10 USD
	// for each alarm, 6 USD, and 1 USD for the KMS key of the notices.
	TrailAlarms bool
	// Recorder is AWS Config with rules: 0.003 USD for each change that it records and 0.001 USD for each evaluation of a
	// rule: about 10 USD for one environment of ours, and more if fleets come and go all day.
	Recorder bool
	// GuardDuty looks for attacks: 4 USD per million management events, 1 USD per GB of flow and DNS records: about 5 to 30
	// USD, mostly for RTP, which makes many flows.
	GuardDuty bool
	// SecurityHub checks the account against two standards: 0.001 USD per check, about 10 to 20 USD. It needs Recorder.
	SecurityHub bool
	// AccessAnalyzer tells which of our resources outsiders can reach. It costs nothing.
	AccessAnalyzer bool
	// EBSEncryption encrypts every new disk, whoever makes it. It costs nothing.
	EBSEncryption bool
	// SnapshotBlock keeps disks' snapshots from being made public. It costs nothing.
	SnapshotBlock bool
	// MetadataDefaults makes IMDSv2 with one hop the default of new machines. It costs nothing.
	MetadataDefaults bool
	// S3Block keeps every bucket of the account from being public. It costs nothing.
	S3Block bool
	// PasswordPolicy is what the passwords of IAM users must be like. It costs nothing.
	PasswordPolicy bool
	// Budgets warn of each environment's cost, and of the account's. They cost nothing without actions.
	Budgets bool
	// CostTags has the bill tell our tags apart, which the environments' budgets need. It costs nothing. AWS refuses a tag
	// that it has not seen in a bill yet: switch it on a day after the first environment is there. In an organisation only the
	// management account can.
	// Source: AWS Billing User Guide, "Activating user-defined cost allocation tags".
	CostTags bool
	// CostAnomalies tells when something costs more than it used to. It costs nothing.
	CostAnomalies bool
}

// AllParts has everything on.
func AllParts() Parts {
	return Parts{
		GitHub: true, Trail: true, TrailAlarms: true, Recorder: true, GuardDuty: true, SecurityHub: true, AccessAnalyzer: true, EBSEncryption: true, SnapshotBlock: true,
		MetadataDefaults: true, S3Block: true, PasswordPolicy: true, Budgets: true, CostTags: true, CostAnomalies: true,
	}
}

// notices reports whether some part has something to say at once.
func (p Parts) notices() bool {
	return p.TrailAlarms || p.GuardDuty || p.SecurityHub || p.AccessAnalyzer
}

// archive reports whether some part keeps records in S3.
func (p Parts) archive() bool { return p.Trail || p.Recorder }
