package cost

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/machinelogs/counts"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/observability/dashboards"
	"github.com/calldata/calldata-foundation/stacks"
)

// Line is one thing that costs.
type Line struct {
	// Group is the part of the stack, for example "machines". Item is the thing.
	Group string `json:"group"`
	Item  string `json:"item"`
	// Quantity is the number of units in a month, MaxQuantity that with all fleets at their greatest.
	Quantity    float64 `json:"quantity"`
	MaxQuantity float64 `json:"maxQuantity"`
	// Price is the price of a unit. Unknown says that the table has none, and that the line counts nothing.
	Price   Price `json:"price"`
	Unknown bool  `json:"unknown,omitempty"`
	// USD and MaxUSD are a month's cost in US dollars.
	USD    float64 `json:"usd"`
	MaxUSD float64 `json:"maxUsd"`
}

// Range is an estimate from one amount to another. An open one has no upper end.
type Range struct {
	FromUSD float64 `json:"fromUsd"`
	ToUSD   float64 `json:"toUsd"`
	Open    bool    `json:"open,omitempty"`
}

// String is the range as people write it.
func (r Range) String() string {
	s := fmt.Sprintf("%.0f-%.0f", r.FromUSD, r.ToUSD)
	if r.Open {
		s += "+"
	}
	return s + " USD"
}

// roadmap are the estimates that the project began with, for each kind of stack.
var roadmap = map[stacks.Kind]Range{
	stacks.KindDev: {50, 100, false}, stacks.KindStage: {200, 300, false}, stacks.KindProd: {500, 1000, true},
}

// Estimate is what a stack costs in a month.
type Estimate struct {
	Stack  string      `json:"stack"`
	Kind   stacks.Kind `json:"kind"`
	Region string      `json:"region"`
	// PricesOf and AsOf are region and date of the prices.
	PricesOf string `json:"pricesOf"`
	AsOf     string `json:"asOf"`
	// Lines are in the order of the groups.
	Lines []Line `json:"lines"`
	// USD is the sum with fleets at their least, MaxUSD with fleets at their greatest.
	USD    float64 `json:"usd"`
	MaxUSD float64 `json:"maxUsd"`
	// Roadmap is what the project expected, where it did.
	Roadmap *Range `json:"roadmap,omitempty"`
	// Assumptions are the figures that usage was taken for, Notes all of them in words, Savings what would make it cheaper.
	Assumptions Assumptions `json:"assumptions"`
	Notes       []string    `json:"notes"`
	Savings     []string    `json:"savings,omitempty"`
	// Examples are settings that have example values.
	Examples []string `json:"examples,omitempty"`
}

// The parts of a stack.
const (
	groupMachines   = "machines"
	groupNetwork    = "network"
	groupEdges      = "edges"
	groupDatabase   = "database"
	groupSecurity   = "keys and secrets"
	groupMonitoring = "monitoring"
	groupBackup     = "backup"
	groupTraffic    = "traffic"
	groupAccount    = "account"
)

// Of estimates a topology.
func Of(t stacks.Topology, a Assumptions) Estimate {
	s := &sum{t: t, a: a}
	s.machines()
	if t.Network != nil {
		s.network()
	}
	s.edges()
	s.database()
	s.security()
	s.monitoring()
	s.backup()
	s.traffic()
	s.account()
	e := Estimate{
		Stack: t.Stack, Kind: t.Kind, Region: t.Region, PricesOf: PricesOf, AsOf: AsOf, Lines: s.lines, Assumptions: a, Notes: a.words(t), Savings: s.savings(),
	}
	for _, line := range s.lines {
		e.USD += line.USD
		e.MaxUSD += line.MaxUSD
		if line.Unknown {
			e.Notes = append(e.Notes, fmt.Sprintf("The table has no price of %s: the sum is too low by it.", line.Item))
		}
	}
	if expected, ok := roadmap[t.Kind]; ok {
		e.Roadmap = &expected
	}
	return e
}

// sum collects lines.
type sum struct {
	t     stacks.Topology
	a     Assumptions
	lines []Line
}

// add is a line whose quantity does not depend on fleets.
func (s *sum) add(group, item string, quantity float64, p Price) {
	s.between(group, item, quantity, quantity, p)
}

// between is a line whose quantity does.
func (s *sum) between(group, item string, quantity, most float64, p Price) {
	if most == 0 {
		return
	}
	s.lines = append(s.lines, Line{Group: group, Item: item, Quantity: quantity, MaxQuantity: most, Price: p, USD: quantity * p.USD, MaxUSD: most * p.USD})
}

// priced is a line whose price the table may not have.
func (s *sum) priced(group, item string, quantity, most float64, p Price, known bool) {
	if !known {
		p = Price{Unit: perHour, Evidence: NotVerified}
	}
	s.between(group, item, quantity, most, p)
	s.lines[len(s.lines)-1].Unknown = !known
}

// fleetMachines are the machines of all fleets, at their least and at their greatest.
func (s *sum) fleetMachines() (least, most float64) {
	for _, f := range s.t.Fleets {
		least += float64(f.Size.Min)
		most += float64(f.Size.Max)
	}
	return least, most
}

func (s *sum) machines() {
	var disk, most float64
	for _, n := range s.t.Nodes {
		p, known := machinePrice(n.Type)
		s.priced(groupMachines, n.Name+" "+n.Type.Name, HoursPerMonth, HoursPerMonth, p, known)
		disk += float64(n.VolumeGiB + n.DataVolumeGiB)
	}
	most = disk
	for _, f := range s.t.Fleets {
		p, known := machinePrice(f.Type)
		least, greatest := float64(f.Size.Min), float64(f.Size.Max)
		s.priced(groupMachines, fmt.Sprintf("%s %d-%d x %s", f.Name, f.Size.Min, f.Size.Max, f.Type.Name), least*HoursPerMonth, greatest*HoursPerMonth, p, known)
		disk += least * float64(f.VolumeGiB)
		most += greatest * float64(f.VolumeGiB)
	}
	s.between(groupMachines, "EBS volumes, gp3", disk, most, volumeGB)
}

func (s *sum) network() {
	n := s.t.Network
	gateways := map[stacks.Nat]int{stacks.NatSingle: 1, stacks.NatOnePerAz: len(n.Zones)}[n.Nat]
	s.add(groupNetwork, plural(gateways, "NAT gateway"), float64(gateways)*HoursPerMonth, natHour)
	if gateways > 0 {
		least, most := s.privateMachines()
		s.between(groupNetwork, "data through NAT", least*s.a.NATGB, most*s.a.NATGB, natGB)
	}
	if n.SSMEndpoints {
		zones := len(n.Of(stacks.TierPrivate))
		if zones == 0 {
			zones = len(n.Of(stacks.TierPublic))
		}
		s.add(groupNetwork, fmt.Sprintf("%d endpoints of Systems Manager in %s", ssmServices, plural(zones, "zone")), float64(ssmServices*zones)*HoursPerMonth, endpointHour)
	}
	addresses := s.addresses(gateways)
	s.add(groupNetwork, plural(addresses, "public IPv4 address"), float64(addresses)*HoursPerMonth, publicIPv4)
}

// privateMachines reach the internet through NAT.
func (s *sum) privateMachines() (least, most float64) {
	for _, n := range s.t.Nodes {
		if !n.Public {
			least++
		}
	}
	most = least
	for _, f := range s.t.Fleets {
		if f.Tier != stacks.TierPublic {
			least += float64(f.Size.Min)
			most += float64(f.Size.Max)
		}
	}
	return least, most
}

// addresses counts every public IPv4 address: of machines, gateways, load balancers, and the pool of the SBCs. A machine of
// a public fleet without a pool has one of its own; at its greatest, the fleet has as many as the pool would hold.
func (s *sum) addresses(gateways int) int {
	count := gateways
	for _, n := range s.t.Nodes {
		if n.Public {
			count++
		}
	}
	for _, f := range s.t.Fleets {
		if f.Tier == stacks.TierPublic && !f.AddressPool {
			count += f.Size.Max
		}
	}
	zones := len(s.t.Network.Of(stacks.TierPublic))
	if s.t.Web != nil {
		count += zones
	}
	if edge := s.t.SIPEdge; edge != nil {
		count += edge.Pool
		if edge.Carriers {
			count += zones
		}
	}
	return count
}

func (s *sum) edges() {
	if web := s.t.Web; web != nil {
		s.add(groupEdges, web.Name+" application load balancer", HoursPerMonth, albHour)
		s.add(groupEdges, web.Name+" capacity units", s.a.CapacityUnits*HoursPerMonth, albUnit)
		if web.WAF {
			s.add(groupEdges, web.Name+" web ACL", 1, webACL)
			s.add(groupEdges, web.Name+" web ACL rules", webRules, webRule)
			s.add(groupEdges, web.Name+" web requests", s.a.WebRequests, webRequests)
		}
	}
	if edge := s.t.SIPEdge; edge != nil {
		if edge.Carriers {
			s.add(groupEdges, edge.Name+" network load balancer", HoursPerMonth, nlbHour)
			s.add(groupEdges, edge.Name+" capacity units", s.a.CapacityUnits*HoursPerMonth, nlbUnit)
		}
		if edge.HealthChecks {
			checks := edge.Pool
			for _, n := range s.t.Nodes {
				if n.Public && slices.Contains(n.Roles, stacks.RoleC4SBC) {
					checks++
				}
			}
			s.add(groupEdges, edge.Name+" health checks", float64(checks), healthCheck)
		}
	}
	if s.t.Web != nil || s.t.SIPEdge != nil {
		s.add(groupEdges, "hosted zone", 1, zoneMonth)
	}
}

func (s *sum) database() {
	d := s.t.Database
	if d == nil {
		return
	}
	copies, where := 1.0, "one zone"
	if d.MultiAZ {
		copies, where = 2, "two zones"
	}
	p, known := databasePrice(d.Class)
	s.priced(groupDatabase, fmt.Sprintf("%s %s in %s", d.Name, d.Class, where), copies*HoursPerMonth, copies*HoursPerMonth, p, known)
	// What storage may grow to is not what fleets grow to: it stays what it was allocated.
	s.add(groupDatabase, d.Name+" storage, gp3", copies*float64(d.GiB), databaseDisk)
}

func (s *sum) security() {
	s.add(groupSecurity, plural(len(s.t.Keys), "encryption key"), float64(len(s.t.Keys)), keyMonth)
	if s.t.Database != nil {
		s.add(groupSecurity, "the database's password", 1, secretMonth)
	}
}

func (s *sum) monitoring() {
	nodes, fleets := float64(len(s.t.Nodes)), float64(len(s.t.Fleets))
	least, most := s.fleetMachines()
	s.between(groupMonitoring, "logs, ingestion", (nodes+least)*s.a.LogGB, (nodes+most)*s.a.LogGB, logIngestGB)
	// Once they are old enough to go, as much is stored as was written in that time; compressed, that is about a fifth.
	months := float64(s.t.LogRetentionDays) / 30 / 5
	s.between(groupMonitoring, fmt.Sprintf("logs, kept %d days", s.t.LogRetentionDays), (nodes+least)*s.a.LogGB*months, (nodes+most)*s.a.LogGB*months, logStoreGB)
	watched, roles, counted := s.watched()
	s.add(groupMonitoring, "counts of log lines, where all are found all month", counted, metricMonth)
	s.add(groupMonitoring, "alarms", nodes*nodeAlarms+fleets*fleetAlarms+watched, alarmMonth)
	s.add(groupMonitoring, "alarms of roles, above others", roles, compositeMonth)
	if s.t.Alarms != nil && s.t.Alarms.Dashboards {
		s.add(groupMonitoring, "dashboards", float64(len(dashboards.Names(s.t.Stack, s.t.Watched()))), dashboardMonth)
	}
	var detailed, detailedMost float64
	for _, n := range s.t.Nodes {
		if n.DetailedMonitoring {
			detailed += detailedMetrics
		}
	}
	detailedMost = detailed
	for _, f := range s.t.Fleets {
		if f.DetailedMonitoring {
			detailed += detailedMetrics * float64(f.Size.Min)
			detailedMost += detailedMetrics * float64(f.Size.Max)
		}
	}
	s.between(groupMonitoring, "detailed metrics of machines", detailed, detailedMost, metricMonth)
	s.add(groupMonitoring, "active calls of fleets", fleets, metricMonth)
	if s.t.Alarms != nil && s.t.Alarms.Outside {
		s.add(groupMonitoring, "calls from outside", 1, metricMonth)
	}
}

// watched counts the metrics of the stack's alarms, the roles whose alarms have one above them, and what is counted in logs.
func (s *sum) watched() (watched, roles, counted float64) {
	if s.t.Alarms == nil {
		return 0, 0, 0
	}
	above := map[string]bool{}
	for _, thing := range s.t.Watched() {
		if thing.Kind == alarms.Logs {
			counted = float64(len(counts.All()))
		}
		for _, alarm := range s.t.Alarms.Level.Watched(thing, s.t.Alarms.Hours != nil) {
			watched++
			if alarm.Math != nil && alarm.Math.Other() != "" {
				watched++
			}
			if alarm.Severity == alarms.Page {
				above[thing.Role] = true
			}
		}
	}
	return watched, float64(len(above)), counted
}

func (s *sum) backup() {
	if s.t.Backup == nil {
		return
	}
	var volumes float64
	for _, n := range s.t.Nodes {
		volumes += float64(n.DataVolumeGiB)
	}
	kept := func(gib float64) float64 { return gib * snapshotFill * (1 + snapshotChange*float64(s.t.Backup.Days)) }
	s.add(groupBackup, fmt.Sprintf("snapshots of data volumes, %d days", s.t.Backup.Days), kept(volumes), snapshotGB)
	if region := s.t.Backup.CopyRegion; region != "" {
		var database float64
		if s.t.Database != nil {
			database = float64(s.t.Database.GiB)
		}
		s.add(groupBackup, "copies in "+region+": encryption key", 1, keyMonth)
		if s.t.WatchesCopies() {
			s.add(groupBackup, "copies in "+region+": encryption key of notices", 1, keyMonth)
		}
		s.add(groupBackup, "copies in "+region+": metrics of S3's", replicationMetrics, metricMonth)
		s.add(groupBackup, "copies in "+region+": snapshots of data volumes", kept(volumes), snapshotGB)
		s.add(groupBackup, "copies in "+region+": snapshots of the database", kept(database), databaseBackup)
		s.add(groupBackup, "copies to "+region+": transfer of what changes", (volumes+database)*snapshotFill*snapshotChange*30, transferRegion)
	}
}

func (s *sum) traffic() {
	if len(s.t.Nodes)+len(s.t.Fleets) > 0 {
		s.add(groupTraffic, "voice to the internet", s.a.trafficGB(), transferOut)
	}
}

// account prices the parts of a baseline that cost. The first trail, access analysis, budgets and cost anomalies are free.
func (s *sum) account() {
	if s.t.Account == nil {
		return
	}
	has := func(part stacks.AccountPart) bool { return slices.Contains(s.t.Account.Parts, part) }
	if has(stacks.PartTrail) {
		s.add(groupAccount, "CloudTrail: encryption keys of trail, logs and notices", 3, keyMonth)
		s.add(groupAccount, "CloudTrail: logs in CloudWatch", trailLogGB, logIngestGB)
		s.add(groupAccount, "CloudTrail: logs in S3", trailLogGB*float64(cmp.Or(s.t.Account.AuditDays, s.t.LogRetentionDays))/30, objectGB)
		s.add(groupAccount, "CloudTrail: metrics", trailAlarms, metricMonth)
		s.add(groupAccount, "CloudTrail: alarms", trailAlarms, alarmMonth)
	}
	if has(stacks.PartConfig) {
		s.add(groupAccount, "AWS Config: recorded items", configItems, configItem)
		s.add(groupAccount, "AWS Config: evaluations of rules", configItems, configRule)
	}
	if has(stacks.PartGuardDuty) {
		s.add(groupAccount, "GuardDuty: CloudTrail events", trailEventsMillion, guardDutyEvents)
		s.add(groupAccount, "GuardDuty: flow and DNS logs", trailLogGB, guardDutyLogGB)
	}
	if has(stacks.PartSecurityHub) {
		s.add(groupAccount, "Security Hub: checks", securityChecks, securityCheck)
	}
}

// savings says what would cost less, in figures of this stack.
func (s *sum) savings() []string {
	var steady, database float64
	for _, line := range s.lines {
		switch {
		case line.Group == groupMachines && line.Price.Unit == perHour:
			steady += line.USD
		case line.Group == groupDatabase && line.Price.Unit == perHour:
			database += line.USD
		}
	}
	var out []string
	if steady > 0 && s.t.Kind == stacks.KindDev {
		if smaller, less, ok := s.smaller(); ok {
			out = append(out, fmt.Sprintf("One size smaller (--set instanceType=%s) is %.0f USD less, and enough for a handful of phones.", smaller, less))
		}
		out = append(out, fmt.Sprintf("Stopped outside of 50 working hours a week, the machine costs about %.0f USD less.", steady*(1-50.0/168)))
	}
	if steady > 0 {
		out = append(out, fmt.Sprintf("A Compute Savings Plan of one year without upfront payment takes about a quarter off machines that always run: about %.0f USD (not verified).", steady*0.25))
	}
	if database > 0 {
		out = append(out, fmt.Sprintf("A reserved database instance of one year without upfront payment takes about a third off: about %.0f USD (not verified).", database/3))
	}
	return out
}

// smaller is the engine's type one size down, if that still runs it, and what it saves.
func (s *sum) smaller() (name string, less float64, ok bool) {
	engine := s.t.Engine()
	if engine < 0 {
		return "", 0, false
	}
	family, size, _ := strings.Cut(s.t.Nodes[engine].Type.Name, ".")
	for below, factor := range sizes {
		known, err := stacks.FindInstanceType(family + "." + below)
		if factor*2 != sizes[size] || err != nil || known.MemoryGiB < 4 { // GiB that Wazo asks for
			continue
		}
		p, _ := machinePrice(s.t.Nodes[engine].Type)
		return known.Name, p.USD / 2 * HoursPerMonth, true
	}
	return "", 0, false
}

// plural is "3 NAT gateways".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what[len(what)-1] == 's' {
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
