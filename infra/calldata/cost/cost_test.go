package cost

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
)

var update = flag.Bool("update", false, "write the reference of costs anew")

func subnets(tier string, zones ...string) []stacks.Subnet {
	var out []stacks.Subnet
	for _, z := range zones {
		out = append(out, stacks.Subnet{Name: tier + "-" + z, Tier: tier, Zone: z, CIDR: netip.MustParsePrefix("10.0.0.0/24")})
	}
	return out
}

var medium = stacks.InstanceType{Name: "t3.medium", VCPU: 2, MemoryGiB: 4}

func TestOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		topology stacks.Topology
		usage    Assumptions
		want     map[string][2]float64 // USD a month, and at most, by item
	}{
		"nothing": {},
		"a machine": {
			stacks.Topology{Nodes: []stacks.NodeSpec{{Name: "a", Type: medium, VolumeGiB: 50, DataVolumeGiB: 25, Public: true, DetailedMonitoring: true}}, Network: &stacks.Network{}},
			Assumptions{CallMinutes: 10_000, LogGB: 2},
			map[string][2]float64{
				"a t3.medium": {30.368, 30.368}, "EBS volumes, gp3": {6, 6}, "1 public IPv4 address": {3.65, 3.65}, "logs, ingestion": {1, 1}, "alarms": {0.2, 0.2},
				"detailed metrics of machines": {2.1, 2.1}, "voice to the internet": {1.08, 1.08},
			},
		},
		"a network with a gateway in each zone and doors": {
			stacks.Topology{Network: &stacks.Network{Zones: []string{"a", "b", "c"}, Nat: stacks.NatOnePerAz, SSMEndpoints: true,
				Subnets: append(subnets(stacks.TierPublic, "a", "b", "c"), subnets(stacks.TierPrivate, "a", "b", "c")...)}},
			Assumptions{NATGB: 5},
			map[string][2]float64{"3 NAT gateways": {98.55, 98.55}, "3 endpoints of Systems Manager in 3 zones": {65.7, 65.7}, "3 public IPv4 addresses": {10.95, 10.95}},
		},
		"a network with one gateway": {
			stacks.Topology{Network: &stacks.Network{Zones: []string{"a", "b"}, Nat: stacks.NatSingle}, Nodes: []stacks.NodeSpec{{Name: "a", Type: medium}, {Name: "b", Type: medium, Public: true}}},
			Assumptions{NATGB: 10},
			map[string][2]float64{"1 NAT gateway": {32.85, 32.85}, "data through NAT": {0.45, 0.45}, "2 public IPv4 addresses": {7.3, 7.3}, "a t3.medium": {30.368, 30.368},
				"b t3.medium": {30.368, 30.368}, "alarms": {0.4, 0.4}},
		},
		"fleets": {
			stacks.Topology{LogRetentionDays: 300, Network: &stacks.Network{Zones: []string{"a"}, Subnets: subnets(stacks.TierPublic, "a")},
				SIPEdge: &stacks.SIPEdgeSpec{Name: "sip", Carriers: true, Phones: true, Pool: 7, HealthChecks: true},
				Fleets: []stacks.FleetSpec{
					{Name: "sbc", Type: stacks.InstanceType{Name: "c6i.large"}, Tier: stacks.TierPublic, Size: stacks.FleetSize{Min: 2, Max: 6}, VolumeGiB: 50, AddressPool: true, DetailedMonitoring: true},
					{Name: "router", Type: stacks.InstanceType{Name: "c6i.xlarge"}, Tier: stacks.TierPublic, Size: stacks.FleetSize{Min: 1, Max: 2}, VolumeGiB: 50},
				}},
			Assumptions{CapacityUnits: 2, LogGB: 1},
			map[string][2]float64{
				"sbc 2-6 x c6i.large": {124.1, 372.3}, "router 1-2 x c6i.xlarge": {124.1, 248.2}, "EBS volumes, gp3": {12, 32},
				// Seven in the pool, one of the load balancer, two of the routers, which have none of the pool.
				"10 public IPv4 addresses": {36.5, 36.5}, "sip network load balancer": {16.425, 16.425}, "sip capacity units": {8.76, 8.76}, "sip health checks": {3.5, 3.5},
				"hosted zone": {0.5, 0.5}, "logs, ingestion": {1.5, 4}, "logs, kept 300 days": {0.18, 0.48}, "alarms": {0.8, 0.8},
				"detailed metrics of machines": {4.2, 12.6}, "active calls of fleets": {0.6, 0.6},
			},
		},
		"web": {
			stacks.Topology{Network: &stacks.Network{Subnets: subnets(stacks.TierPublic, "a", "b")}, Web: &stacks.WebSpec{Name: "web", WAF: true}},
			Assumptions{WebRequests: 10, CapacityUnits: 1},
			map[string][2]float64{"2 public IPv4 addresses": {7.3, 7.3}, "web application load balancer": {16.425, 16.425}, "web capacity units": {5.84, 5.84}, "web web ACL": {5, 5},
				"web web ACL rules": {4, 4}, "web web requests": {6, 6}, "hosted zone": {0.5, 0.5}},
		},
		"a database in one zone": {
			stacks.Topology{Database: &stacks.DatabaseSpec{Name: "db", Class: "db.t4g.small", GiB: 20, MaxGiB: 100}}, Assumptions{},
			map[string][2]float64{"db db.t4g.small in one zone": {23.36, 23.36}, "db storage, gp3": {2.3, 2.3}, "the database's password": {0.4, 0.4}},
		},
		"a database in two zones": {
			stacks.Topology{Database: &stacks.DatabaseSpec{Name: "db", Class: "db.m6g.xlarge", GiB: 100, MultiAZ: true}}, Assumptions{},
			map[string][2]float64{"db db.m6g.xlarge in two zones": {464.28, 464.28}, "db storage, gp3": {23, 23}, "the database's password": {0.4, 0.4}},
		},
		"keys and backups": {
			stacks.Topology{Keys: []stacks.KeyUse{stacks.KeyLogs, stacks.KeyVolumes}, Backup: &stacks.BackupSpec{Days: 10},
				Nodes: []stacks.NodeSpec{{Name: "a", Type: medium, DataVolumeGiB: 100}}}, Assumptions{},
			map[string][2]float64{"2 encryption keys": {2, 2}, "snapshots of data volumes, 10 days": {3.25, 3.25}, "a t3.medium": {30.368, 30.368}, "EBS volumes, gp3": {8, 8}, "alarms": {0.2, 0.2}},
		},
		"alarms": {
			stacks.Topology{Network: &stacks.Network{}, Alarms: &stacks.AlarmsSpec{Level: alarms.Pages, Outside: true}, SIPEdge: &stacks.SIPEdgeSpec{Name: "sip", Carriers: true},
				Fleets: []stacks.FleetSpec{{Name: "router", Role: stacks.RoleC4Router, Type: stacks.InstanceType{Name: "c6i.large"}, Size: stacks.FleetSize{Min: 1, Max: 1, Calls: 9}}}},
			Assumptions{},
			// Two of the load balancer; two of calls from outside; 9 of log lines; 19 of the Routers, one of two metrics, and 4 of target tracking. One above them for each of the first, the second and the fourth.
			map[string][2]float64{"counts of log lines, where all are found all month": {2.7, 2.7}, "router 1-1 x c6i.large": {62.05, 62.05}, "sip network load balancer": {16.425, 16.425}, "hosted zone": {0.5, 0.5},
				"alarms": {3.7, 3.7}, "alarms of roles, above others": {1.5, 1.5}, "active calls of fleets": {0.3, 0.3}, "calls from outside": {0.3, 0.3}},
		},
		"copies in a second region": {
			stacks.Topology{Backup: &stacks.BackupSpec{Days: 10, CopyRegion: "eu-central-1"}, Database: &stacks.DatabaseSpec{Name: "db", Class: "db.t4g.small", GiB: 20},
				Nodes: []stacks.NodeSpec{{Name: "a", Type: medium, DataVolumeGiB: 100}}}, Assumptions{},
			map[string][2]float64{
				"copies in eu-central-1: encryption key": {1, 1}, "copies in eu-central-1: metrics of S3's": {1.2, 1.2}, "copies in eu-central-1: snapshots of data volumes": {3.25, 3.25},
				"copies in eu-central-1: snapshots of the database": {1.235, 1.235}, "copies to eu-central-1: transfer of what changes": {1.08, 1.08},
				"snapshots of data volumes, 10 days": {3.25, 3.25}, "a t3.medium": {30.368, 30.368}, "EBS volumes, gp3": {8, 8}, "alarms": {0.2, 0.2},
				"db db.t4g.small in one zone": {23.36, 23.36}, "db storage, gp3": {2.3, 2.3}, "the database's password": {0.4, 0.4},
			},
		},
		"copies that are watched": {
			stacks.Topology{Backup: &stacks.BackupSpec{Days: 10, CopyRegion: "eu-central-1"}, Alarms: &stacks.AlarmsSpec{Level: alarms.Notices}}, Assumptions{},
			map[string][2]float64{
				"copies in eu-central-1: encryption key": {1, 1}, "copies in eu-central-1: encryption key of notices": {1, 1}, "copies in eu-central-1: metrics of S3's": {1.2, 1.2},
				// Three of jobs, two of copies by S3.
				"alarms": {0.5, 0.5},
			},
		},
		"an account": {
			stacks.Topology{LogRetentionDays: 30, Account: &stacks.AccountSpec{Parts: []stacks.AccountPart{stacks.PartTrail, stacks.PartGuardDuty, stacks.PartBudgets}}}, Assumptions{},
			map[string][2]float64{"CloudTrail: encryption keys of trail, logs and notices": {3, 3}, "CloudTrail: metrics": {4.5, 4.5}, "CloudTrail: alarms": {1.5, 1.5}, "CloudTrail: logs in CloudWatch": {1, 1}, "CloudTrail: logs in S3": {0.046, 0.046},
				"GuardDuty: CloudTrail events": {4, 4}, "GuardDuty: flow and DNS logs": {2, 2}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := Of(tt.topology, tt.usage)
			got := map[string][2]float64{}
			var usd, most float64
			for _, line := range e.Lines {
				if line.USD == 0 && line.MaxUSD == 0 {
					continue
				}
				got[line.Item] = [2]float64{line.USD, line.MaxUSD}
				usd += line.USD
				most += line.MaxUSD
				assert.False(t, line.Unknown, line.Item)
			}
			assert.ElementsMatch(t, slices.Sorted(maps.Keys(tt.want)), slices.Sorted(maps.Keys(got)))
			for item, want := range tt.want {
				assert.InDelta(t, want[0], got[item][0], 1e-9, item)
				assert.InDelta(t, want[1], got[item][1], 1e-9, item)
			}
			assert.InDelta(t, usd, e.USD, 1e-9)
			assert.InDelta(t, most, e.MaxUSD, 1e-9)
		})
	}
}

func TestEveryInstanceTypeHasAPrice(t *testing.T) {
	t.Parallel()
	for _, known := range stacks.InstanceTypes() {
		p, ok := machinePrice(known)
		assert.True(t, ok, known.Name)
		assert.Positive(t, p.USD, known.Name)
	}
	// A machine of twice the size costs twice as much, and no virtual processor more than 0.16 USD an hour.
	for _, known := range stacks.InstanceTypes() {
		p, _ := machinePrice(known)
		assert.Less(t, p.USD/float64(known.VCPU), 0.16, known.Name)
	}
	for table, prices := range map[string]map[string]Price{"machines": largeHourly, "databases": databaseLarge, "small": databaseSmall} {
		for name, p := range prices {
			assert.Positive(t, p.USD, table+" "+name)
			assert.Equal(t, p.Evidence == NotVerified, !strings.Contains(p.Source, "agree") && !strings.Contains(p.Source, "."+"com"), table+" "+name+": what is verified says where")
		}
	}
}

func TestUnknownPriceIsSaid(t *testing.T) {
	t.Parallel()
	e := Of(stacks.Topology{Database: &stacks.DatabaseSpec{Name: "db", Class: "db.x9.large", GiB: 20}}, Assumptions{})
	require.True(t, e.Lines[0].Unknown)
	assert.Zero(t, e.Lines[0].USD)
	assert.Contains(t, strings.Join(e.Notes, "\n"), "The table has no price of db db.x9.large in one zone: the sum is too low by it.")
	var out bytes.Buffer
	require.NoError(t, e.writeTable(&out))
	assert.Regexp(t, `db db.x9.large in one zone +730 +hour +unknown +\?`, out.String())
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for usd, want := range map[float64]string{10: "40 USD below", 60: "within", 133: "33 USD above"} {
		e := Estimate{USD: usd, Roadmap: &Range{50, 100, false}}
		assert.Contains(t, e.Verdict(), want)
	}
	assert.Contains(t, Estimate{USD: 3000, Roadmap: &Range{500, 1000, true}}.Verdict(), "within")
	assert.Equal(t, "500-1000+ USD", Range{500, 1000, true}.String())
}

// command runs `calldata cost`.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := NewCmdCost(&cli.IO{Out: &out, Err: io.Discard})
	cmd.SetArgs(append([]string{}, args...)) // nil would be those of the test
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	return out.String(), err
}

func TestCommand(t *testing.T) {
	t.Parallel()
	text, err := command(t, "prod", "--examples")
	require.NoError(t, err)
	for _, want := range []string{"AT MOST", "prod-c4-sbc 2-6 x c6i.large", "Fleets are at their least", "The roadmap expected 500-1000+ USD", "Compute Savings Plan",
		"Example values stand for: carrierCidrs, domain, sshPublicKey."} {
		assert.Contains(t, text, want)
	}
	text, err = command(t, "dev", "--examples", "--set", "instanceType=t3.large", "--set", "aws:region=eu-west-3", "--set", "zones=[]", "--call-minutes", "0")
	require.NoError(t, err)
	for _, want := range []string{"dev-uc-1 t3.large", "The stack is in eu-west-3, whose prices differ", "this is within"} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "AT MOST")
	assert.NotContains(t, text, "voice to the internet")

	var e Estimate
	text, err = command(t, "stage", "--examples", "--json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(text), &e))
	assert.Equal(t, stacks.KindStage, e.Kind)
	assert.Greater(t, e.USD, 200.0)
	assert.False(t, math.IsNaN(e.MaxUSD))

	_, err = command(t, "prod", "--examples", "--log-gb", "-3", "--nat-gb", "NaN")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "--log-gb is -3")
	require.ErrorContains(t, err, "--nat-gb is NaN")
	_, err = command(t)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	_, err = command(t, "prod", "--set", "domain=")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.ErrorContains(t, err, "--examples goes on with example values")
}

// TestGoldenReference keeps docs/reference/cost.md equal to the tables and to the default stacks.
func TestGoldenReference(t *testing.T) {
	t.Parallel()
	const page = "../../../docs/reference/cost.md"
	want := reference(t)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o600))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "run `make golden`")
}

func reference(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<!-- Generated by `+"`make golden`"+`; do not edit. -->
# What the stacks cost

`+"`calldata cost STACK`"+` estimates a stack's monthly bill from its settings. These are the stacks as this repository has them,
with example values where a setting has no default.

| stack | USD a month | with fleets at their greatest | the roadmap expected |
|---|---|---|---|
`)
	var tables strings.Builder
	for _, stack := range []string{"dev", "stage", "prod", "account"} {
		topology, _, err := (&stackarg.Source{Stack: stack, Dir: "../../..", Examples: true}).Load()
		require.NoError(t, err)
		e := Of(topology, DefaultAssumptions(topology.Kind))
		expected := "-"
		if e.Roadmap != nil {
			expected = e.Roadmap.String() + ": " + e.Verdict()
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %s |\n", stack, e.USD, e.MaxUSD, expected)
		fmt.Fprintf(&tables, "\n## %s\n\n```\n", stack)
		require.NoError(t, e.writeTable(&tables))
		tables.WriteString("```\n")
	}
	b.WriteString(tables.String())
	fmt.Fprintf(&b, "\n## Prices\n\nOn demand, %s, Linux, US dollars, as of %s. \"%s\" means that no page could be read; compare those with\n"+
		"the [AWS Pricing Calculator](https://calculator.aws) before you rely on them.\n\n| what | USD | per | evidence | source |\n|---|---|---|---|---|\n", PricesOf, AsOf, NotVerified)
	row := func(what string, p Price) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", what, unitPrice(p.USD), p.Unit, p.Evidence, p.Source)
	}
	for _, p := range named() {
		row(p.What, p.Price)
	}
	for _, family := range slices.Sorted(maps.Keys(largeHourly)) {
		row("EC2 "+family+".large; each size costs twice the one below", largeHourly[family])
	}
	for _, class := range slices.Sorted(maps.Keys(databaseSmall)) {
		row("RDS for PostgreSQL db."+class+", one zone", databaseSmall[class])
	}
	for _, family := range slices.Sorted(maps.Keys(databaseLarge)) {
		row("RDS for PostgreSQL db."+family+".large, one zone; each size costs twice the one below", databaseLarge[family])
	}
	return b.String()
}
