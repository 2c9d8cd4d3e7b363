package stacks

import "github.com/calldata/calldata-foundation/components/observability/alarms"

// Kind is the shape of a stack.
type Kind string

const (
	// KindDev is an engine alone, or with one machine for each role of the C4.
	KindDev Kind = "dev"
	// KindStage is one machine for each role, behind load balancers.
	KindStage Kind = "stage"
	// KindProd is fleets and pairs over three zones.
	KindProd Kind = "prod"
	// KindAccount is what exists once in an AWS account, whatever runs there.
	KindAccount Kind = "account"
)

// Nat is how private machines reach the internet; the vpc component tells what each costs and risks.
type Nat string

// The strategies, by the names that the vpc component has for them.
const (
	NatNone     Nat = "none"
	NatSingle   Nat = "single"
	NatOnePerAz Nat = "one-per-az"
)

// Edge is a way for SIP into the platform.
type Edge string

const (
	// EdgeCarriers is a network load balancer for carriers, which are known by their addresses.
	EdgeCarriers Edge = "carriers"
	// EdgePhones is the SBCs' own Elastic IPs, for phones that register.
	EdgePhones Edge = "phones"
)

// defaults are what a kind has where its settings say nothing.
type defaults struct {
	zones                              int
	nat                                Nat
	edges                              []string
	instanceType                       string
	dataVolumeGiB                      int
	sbcInstanceType                    string
	routerInstanceType                 string
	databaseClass                      string
	databaseGiB                        int
	logRetentionDays                   int
	backupRetentionDays                int
	alarms                             alarms.Level
	protect, waf, multiAZ, ssmEndpoint bool
	detailedMonitoring, lockBackups    bool
	dashboards                         bool
	configureMinutes                   int
	prometheusType                     string
	prometheusGiB                      int
}

// byKind is the table of defaults. Sizes of stage fit the roadmap's 200 to 300 USD a month, those of prod its 500 to 1000
// and more; `calldata cost` tells what they come to.
var byKind = map[Kind]defaults{
	KindDev: {
		zones: 1, nat: NatNone, instanceType: "t3.xlarge", sbcInstanceType: "t3.small", routerInstanceType: "t3.small",
		logRetentionDays: 14, backupRetentionDays: 7, configureMinutes: 45, detailedMonitoring: true, alarms: alarms.Few,
	},
	KindStage: {
		zones: 2, nat: NatSingle, edges: []string{string(EdgePhones)}, instanceType: "t3.large", dataVolumeGiB: 50,
		sbcInstanceType: "t3.medium", routerInstanceType: "t3.medium", databaseClass: "db.t4g.small", databaseGiB: 20,
		logRetentionDays: 90, backupRetentionDays: 14, configureMinutes: 60, alarms: alarms.Notices, dashboards: true, prometheusType: "t3.small", prometheusGiB: 50,
	},
	KindProd: {
		zones: 3, nat: NatOnePerAz, edges: []string{string(EdgeCarriers), string(EdgePhones)}, instanceType: "m6i.xlarge", dataVolumeGiB: 100,
		sbcInstanceType: "c6i.large", routerInstanceType: "c6i.large", databaseClass: "db.m6g.large", databaseGiB: 100,
		logRetentionDays: 365, backupRetentionDays: 35, configureMinutes: 60, alarms: alarms.Pages, dashboards: true, prometheusType: "t3.medium", prometheusGiB: 100,
		protect: true, waf: true, multiAZ: true, ssmEndpoint: true, detailedMonitoring: true, lockBackups: true,
	},
	KindAccount: {logRetentionDays: 365, backupRetentionDays: 35, configureMinutes: 45, protect: true},
}
