package rehearsal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/promise"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/infra/rehearsal/database"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	// zoneTime is how long all of the drill may take.
	zoneTime = 45 * time.Minute
	// steadyBefore is how long calls are made before the loss, all of which have to be answered.
	steadyBefore = 10 * time.Second
	// readyTime is how long that may take to begin.
	readyTime = 2 * time.Minute
	// lookAfter is when standing calls are looked at, unless calls succeed before: an SBC ends calls whose media has stopped for a minute.
	lookAfter = 30 * time.Second
	// zoneAway is how long the zone stays away: until the last alarm that follows from it alone has gone off. A machine is silent when
	// CloudWatch has had nothing for the 15 minutes that the alarm wants and the two that it looks at besides.
	zoneAway = 18*time.Minute + 30*time.Second
	// phonesBack is how long calls are watched after the zone is back: until phones have registered anew by all that they may.
	phonesBack = 150 * time.Second
	// atTheEnd is how much of that time has to be well.
	atTheEnd = 30 * time.Second
	// clearTime is how long alarms may take to clear after that.
	clearTime = 6 * time.Minute
	// pollZone is how often the drill looks.
	pollZone = 2 * time.Second
)

// zoneLost is the zone drill: everything in the first engine's availability zone is lost at once, while somebody keeps calling; the
// other zones take over, and the zone comes back.
func (w *world) zoneLost(ctx context.Context, o Options, d *deployment, step progress.Step) []Check {
	s := step.Step("zone")
	ctx, cancel := context.WithTimeout(ctx, zoneTime)
	defer cancel()
	z := &zoneDrill{w: w, o: o, d: d}
	defer z.end()
	var checks []Check
	for _, part := range []struct {
		name string
		do   func(context.Context, progress.Step) (string, error)
	}{
		{"zone chosen", z.choose}, {"calls before the loss", z.before}, {"zone lost", z.lose}, {"calls after the loss", z.watch},
		{"database taken over", z.database}, {"fleets replaced", z.fleets}, {"zone back", z.comeBack}, {"alarms of the loss", z.alarms},
	} {
		p := s.Step(part.name)
		detail, err := part.do(ctx, p)
		p.Done(err)
		c := Check{Name: part.name, OK: err == nil, Detail: detail}
		if err != nil {
			c.Detail = joinNonEmpty(c.Detail, err.Error())
		}
		checks = append(checks, c)
		// What is measured is wanted also where a promise was not kept; without the loss there is nothing to measure.
		if !c.OK && z.took == nil || ctx.Err() != nil {
			break
		}
	}
	if data, err := json.Marshal(z.result); err == nil && len(checks) > 0 {
		checks[len(checks)-1].Raw = data
	}
	z.end()
	if len(failing(checks)) == 0 {
		checks = append(checks, w.afterZone(ctx, o, d, s)...)
	}
	s.Done(failures(checks))
	return checks
}

// afterZone proves that the platform is whole again.
func (w *world) afterZone(ctx context.Context, o Options, d *deployment, s progress.Step) []Check {
	again := []Check{w.booted(ctx, s)} // and those that are lost are gone
	if again[0].OK {
		again = append(again, w.health(ctx, o, s))
	}
	if len(failing(again)) == 0 {
		again = append(again, w.calls(ctx, o, d, calling{groups: []string{calls.GroupCalls}}, s)...)
	}
	for i := range again {
		again[i].Name += " after the zone"
	}
	return again
}

// zoneDrill is what the drill knows on its way.
type zoneDrill struct {
	w *world
	o Options
	d *deployment
	// zone is what is lost: its machines by id, its subnets' ids and networks, and the database whose primary is there, or "".
	zone     string
	lost     map[string]string // id to role
	subnets  []string
	networks []netip.Prefix
	db       string
	// first and second are the engines, in the zone and out of it.
	first, second stacks.Node
	plan          calls.Plan
	topology      stacks.Topology

	amazon *amazon
	steady *steadyCalls
	cancel context.CancelFunc
	// begin is when metrics began to be judged, lostAt and backAt when the zone went and came.
	begin, lostAt, backAt time.Time
	// took hears of the standby, and is there once all is lost.
	took   chan takeover
	result zoneResult
}

// zoneResult is what was measured, for the report in JSON.
type zoneResult struct {
	Zone string `json:"zone"`
	// Machines were lost at once, by EC2's ids and the names of their roles.
	Machines map[string]string `json:"machines"`
	Standing calls.Standing    `json:"standingCalls"`
	// Calls are those of each way since the loss, Return those since the zone came back.
	Calls  []service    `json:"calls"`
	Return []service    `json:"callsSinceTheZoneIsBack"`
	Alarms []alarmTimes `json:"alarms"`
	// Database is when the standby had the endpoint's name, Records when a call record was written again, in seconds after the loss.
	Database float64 `json:"standbySeconds,omitempty"`
	Records  float64 `json:"recordsSeconds,omitempty"`
	Missing  int     `json:"recordsMissing"`
	// Fleets are when each fleet was complete without the machines lost, in seconds after the loss.
	Fleets map[string]float64 `json:"fleetSeconds"`
	// Away is how long the zone was away, in seconds.
	Away float64 `json:"awaySeconds"`
}

// alarmTimes says when an alarm went off, in seconds after the loss, and cleared, in seconds after the zone came back; Cleared is absent
// while it is on, and below 0 when it cleared before.
type alarmTimes struct {
	Name     string   `json:"name"`
	Severity string   `json:"severity"`
	Fired    float64  `json:"firedSeconds"`
	Cleared  *float64 `json:"clearedSeconds,omitempty"`
}

// takeover is how the standby took over.
type takeover struct {
	at, records time.Time
	err         error
}

// end ends what runs beside the drill. It may be called twice.
func (z *zoneDrill) end() {
	if !z.lostAt.IsZero() {
		_ = z.w.network.Cut(context.Background()) // whoever looks into what is left needs the network
	}
	if z.steady != nil {
		_ = z.steady.stop() // its errors were told on the way
	}
	if z.cancel != nil {
		z.cancel()
	}
}

// choose finds the zone of the first engine, all that is there, and what is left elsewhere.
func (z *zoneDrill) choose(ctx context.Context, _ progress.Step) (string, error) {
	var err error
	if z.topology, err = z.w.topology(z.o); err != nil {
		return "", err
	}
	var engines []stacks.Node
	for _, n := range z.d.outputs.Nodes {
		if slices.Contains(n.Roles, stacks.RoleUCEngine) {
			engines = append(engines, n)
		}
	}
	if len(engines) != 2 || engines[0].Zone == engines[1].Zone {
		return "", fmt.Errorf("the stack has %d engines, want two in different zones", len(engines))
	}
	z.first, z.second, z.zone = engines[0], engines[1], engines[0].Zone
	if err := z.inventory(ctx); err != nil {
		return "", err
	}
	databases, err := z.w.database.Zones(ctx)
	if err != nil {
		return "", err
	}
	for id, zone := range databases {
		if zone == z.zone {
			z.db = id
		}
	}
	z.result.Zone, z.result.Machines = z.zone, z.lost
	text := fmt.Sprintf("%s: %s", z.zone, countRoles(z.lost))
	if z.db != "" {
		text += ", primary of " + z.db
	}
	if z.plan, err = z.w.callPlan(ctx, z.d.outputs); err != nil {
		return text, err
	}
	var errs []error
	for role, machines := range map[string][]calls.Machine{"SBC": z.plan.SBCs, "Router": z.plan.Routers} {
		left := slices.DeleteFunc(slices.Clone(machines), func(m calls.Machine) bool { return z.lost[m.Name] != "" })
		if len(left) == 0 { // two machines over three zones may all be in the others
			errs = append(errs, fmt.Errorf("all %d %ss are in this zone: want some elsewhere", len(machines), role))
		}
	}
	// The worst case: carriers and phones try an SBC of this zone first.
	slices.SortStableFunc(z.plan.SBCs, func(a, b calls.Machine) int { return strings.Compare(z.lost[b.Name], z.lost[a.Name]) })
	return text, errors.Join(errs...)
}

// inventory finds the zone's machines and subnets.
func (z *zoneDrill) inventory(ctx context.Context) error {
	client := ec2.NewFromConfig(z.w.emulator.AWSConfig())
	subnets, err := client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: aws.String("availability-zone"), Values: []string{z.zone}}}})
	if err != nil {
		return fmt.Errorf("ask for subnets: %w", err)
	}
	for _, s := range subnets.Subnets {
		network, err := netip.ParsePrefix(aws.ToString(s.CidrBlock))
		if err != nil {
			return err
		}
		// AWS's own default network is not the stack's.
		if z.topology.Network.CIDR.Overlaps(network) {
			z.subnets, z.networks = append(z.subnets, aws.ToString(s.SubnetId)), append(z.networks, network)
		}
	}
	z.lost = map[string]string{}
	pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("ask for machines: %w", err)
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				if i.Placement == nil || aws.ToString(i.Placement.AvailabilityZone) != z.zone {
					continue
				}
				role := "machine"
				for _, t := range i.Tags {
					if aws.ToString(t.Key) == "Role" {
						role = aws.ToString(t.Value)
					}
				}
				z.lost[aws.ToString(i.InstanceId)] = role
			}
		}
	}
	return nil
}

// countRoles is "1 c4-router, 1 uc-engine".
func countRoles(machines map[string]string) string {
	count := map[string]int{}
	for _, role := range machines {
		count[role]++
	}
	var all []string
	for role, n := range count {
		all = append(all, fmt.Sprintf("%d %s", n, role))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// engineState is all that an engine's double knows.
const engineState = "/var/lib/wazo-double/state.json"

// copyEngine does what Wazo's hourly copy of a pair does (xivo-master-slave-db-replication): the second engine knows what the first one
// knows, but for its own part in the pair. The double has no such program.
func (z *zoneDrill) copyEngine(ctx context.Context) error {
	from, err := z.w.asRoot(ctx, machine(z.first), "cat "+engineState)
	if err != nil {
		return err
	}
	to, err := z.w.asRoot(ctx, machine(z.second), "cat "+engineState)
	if err != nil {
		return err
	}
	state, err := copied(from, to)
	if err != nil {
		return err
	}
	_, err = z.w.asRoot(ctx, machine(z.second), fmt.Sprintf(`systemctl stop wazo-double-api
base64 -d <<'STATE' | install -o wazo-double -g wazo-double -m 0600 /dev/stdin %s
%s
STATE
systemctl start wazo-double-api
`, engineState, base64.StdEncoding.EncodeToString(state)))
	return err
}

// copied is what a second engine knows after a copy from the first one.
func copied(from, to []byte) ([]byte, error) {
	state, settings, err := readState(from)
	if err != nil {
		return nil, fmt.Errorf("the first engine's state: %w", err)
	}
	own, ownSettings, err := readState(to)
	if err != nil {
		return nil, fmt.Errorf("the second engine's state: %w", err)
	}
	state["uuid"] = own["uuid"]
	delete(settings, "ha")
	if part, ok := ownSettings["ha"]; ok {
		settings["ha"] = part
	}
	if state["settings"], err = json.Marshal(settings); err != nil {
		return nil, err
	}
	return json.Marshal(state)
}

// readState reads what an engine's double knows, and its settings.
func readState(data []byte) (state, settings map[string]json.RawMessage, err error) {
	err = json.Unmarshal(data, &state)
	if err == nil {
		err = json.Unmarshal(state["settings"], &settings)
	}
	if err != nil {
		err = fmt.Errorf("it is not the double's JSON: %w", err)
	}
	return state, settings, err
}

// before copies the engine, and calls until every way works.
func (z *zoneDrill) before(ctx context.Context, p progress.Step) (string, error) {
	if err := z.copyEngine(ctx); err != nil {
		return "", fmt.Errorf("copy the first engine to the second: %w", err)
	}
	// An engine that does not exist is one that does not answer: an alarm would be on for it, and stay.
	served := z.plan
	served.Numbers.Unserved = ""
	if c := z.w.applyRouting(ctx, z.o, served, p); !c.OK {
		return "", errors.New(c.Detail)
	}
	file := filepath.Join(z.w.dir, "zone-calls.json")
	if err := writePlan(file, z.plan); err != nil {
		return "", err
	}
	beside, cancel := context.WithCancel(ctx)
	z.cancel = cancel
	var err error
	if z.steady, err = z.w.steady(beside, z.o, file); err != nil {
		return "", err
	}
	z.begin = time.Now()
	z.amazon = newAmazon(z.w.emulator.AWSConfig(), z.topology, z.d.outputs)
	go z.amazon.watch(beside)
	deadline := time.Now().Add(readyTime)
	var since time.Time
	for {
		tries, _, ready, err := z.steady.heard()
		if err != nil {
			return "", err
		}
		if ready && since.IsZero() {
			since = time.Now()
		}
		if ready && time.Since(since) >= steadyBefore {
			return z.allAnswered(tries)
		}
		p.Progress(int64(len(tries)), 0, "calls made")
		if time.Now().After(deadline) {
			return "", errors.Join(fmt.Errorf("calls have not begun within %s", progress.Short(readyTime)), z.steady.troubled())
		}
		if err := pause(ctx, pollZone); err != nil {
			return "", err
		}
	}
}

// allAnswered wants calls of every way, and none that failed.
func (z *zoneDrill) allAnswered(tries []calls.Try) (string, error) {
	var errs []error
	var all []string
	for _, s := range services(tries, z.begin, time.Now()) {
		if s.Failed > 0 || s.Tried == 0 {
			errs = append(errs, fmt.Errorf("before anything is lost, %d of %d calls %s failed: %s", s.Failed, s.Tried, s.Way, s.Why))
		}
		all = append(all, fmt.Sprintf("%d %s", s.Tried, s.Way))
	}
	return strings.Join(all, ", ") + ", all answered; " + fmt.Sprintf("%d standing by way of each SBC", calls.StandingEach), errors.Join(errs...)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// lose cuts the zone off and kills all that is in it.
func (z *zoneDrill) lose(ctx context.Context, _ progress.Step) (string, error) {
	var ids []string
	for id := range z.lost {
		ids = append(ids, id)
	}
	all := ids
	if z.db != "" {
		all = append(slices.Clone(ids), database.Machine(z.db))
	}
	z.lostAt = time.Now()
	if err := z.w.network.Cut(ctx, z.networks...); err != nil {
		return "", err
	}
	if err := z.w.watcher.Machines.Kill(ctx, all...); err != nil {
		return "", err
	}
	took := time.Since(z.lostAt)
	z.amazon.lose(ids, z.subnets, z.lostAt)
	z.took = make(chan takeover, 1)
	if z.db == "" {
		z.took <- takeover{}
	} else {
		go func() { z.took <- z.takeOver(ctx) }()
	}
	return fmt.Sprintf("%d machines of %s at %s, within %s: nothing more from or to %v", len(all), z.zone, z.lostAt.UTC().Format(time.TimeOnly), progress.Short(took), z.networks), nil
}

// takeOver waits for the standby, and for the first call record that it gets.
func (z *zoneDrill) takeOver(ctx context.Context) takeover {
	at, err := z.w.database.FailOver(ctx, z.db, z.zone, z.lostAt)
	t := takeover{at: at, err: err}
	for err == nil && t.records.IsZero() && time.Since(z.lostAt) < zoneAway {
		var out []byte
		out, err = z.sql(ctx, fmt.Sprintf("SELECT count(*) FROM cdr WHERE started_at > to_timestamp(%d)", z.lostAt.Unix()+1))
		if n, _ := strconv.Atoi(strings.TrimSpace(string(out))); n > 0 {
			t.records = time.Now()
		}
		if err == nil {
			err = pause(ctx, pollZone)
		}
	}
	t.err = err
	return t
}

// sql asks the database, on its machine.
func (z *zoneDrill) sql(ctx context.Context, query string) ([]byte, error) {
	address, ok := z.w.watcher.Machines.Address(database.Machine(z.db))
	if !ok {
		return nil, fmt.Errorf("no machine plays the database %s", z.db)
	}
	return z.w.asRoot(ctx, calls.Machine{Name: z.db, Private: address}, "cd /; runuser -u postgres -- psql -qXAt --set ON_ERROR_STOP=1 c4 <<'SQL'\n"+query+"\nSQL\n")
}

// watch keeps calling while the zone is away, and says what callers noticed.
func (z *zoneDrill) watch(ctx context.Context, p progress.Step) (string, error) {
	looked := false
	for time.Since(z.lostAt) < zoneAway {
		tries, _, _, err := z.steady.heard()
		if err != nil {
			return "", err
		}
		since := time.Since(z.lostAt)
		if !looked && (since >= lookAfter || serviceOf(tries, calls.WayEngine, z.lostAt, time.Now()).Again >= 0) {
			looked = true
			if err := z.steady.look(); err != nil {
				return "", err
			}
		}
		p.Progress(int64(since/time.Second), int64(zoneAway/time.Second), "seconds without the zone: "+z.summary(tries))
		if err := pause(ctx, pollZone); err != nil {
			return "", err
		}
	}
	tries, standing, _, err := z.steady.heard()
	if err != nil {
		return "", err
	}
	z.result.Calls = services(tries, z.lostAt, time.Now())
	var errs []error
	if standing == nil {
		errs = append(errs, errors.New("nobody has looked at the standing calls"))
	} else {
		z.result.Standing = *standing
	}
	rto := promise.Of(promise.Zone).RTO
	text := ""
	for _, s := range z.result.Calls {
		text = joinNonEmpty(text, s.String())
		if s.Again < 0 || s.Again > rto.Seconds() {
			errs = append(errs, fmt.Errorf("calls %s do not succeed within the %s promised", s.Way, promise.Span(rto)))
		}
	}
	text += fmt.Sprintf("; %d of %d standing calls lost; promised are calls within %s, and data no older than %s", z.result.Standing.Lost, z.result.Standing.Up,
		promise.Span(rto), promise.Span(promise.Of(promise.Zone).RPO))
	if len(errs) > 0 {
		errs = append(errs, z.steady.troubled())
	}
	return text, errors.Join(errs...)
}

// summary is a line about calls and fleets as they are.
func (z *zoneDrill) summary(tries []calls.Try) string {
	var all []string
	for _, s := range services(tries, z.lostAt, time.Now()) {
		state := "fails"
		if s.Again >= 0 {
			state = "works"
		}
		all = append(all, fmt.Sprintf("%s %s (%d of %d failed)", s.Way, state, s.Failed, s.Tried))
	}
	for _, f := range z.amazon.fleetsNow() {
		all = append(all, fmt.Sprintf("%s %d of %d", f.name, f.serving, f.wanted))
	}
	return strings.Join(all, ", ")
}

// database says when the standby took over, and which records are missing.
func (z *zoneDrill) database(ctx context.Context, _ progress.Step) (string, error) {
	var t takeover
	select {
	case t = <-z.took:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if t.err != nil {
		return "", t.err
	}
	if z.db == "" {
		return "its primary is in another zone", nil
	}
	z.result.Database = t.at.Sub(z.lostAt).Seconds()
	text := fmt.Sprintf("%s answers from another zone after %s", z.db, progress.Short(t.at.Sub(z.lostAt)))
	if t.records.IsZero() {
		return text, errors.New("no Router has written a call record since")
	}
	z.result.Records = t.records.Sub(z.lostAt).Seconds()
	return text + ", call records are written again after " + progress.Short(t.records.Sub(z.lostAt)), nil
}

// fleets says when Auto Scaling had replaced the machines.
func (z *zoneDrill) fleets(context.Context, progress.Step) (string, error) {
	z.result.Fleets = map[string]float64{}
	text := ""
	var errs []error
	for _, f := range z.amazon.fleetsNow() {
		switch {
		case f.noticed.IsZero():
			text = joinNonEmpty(text, f.name+" lost none")
		case f.replaced.IsZero():
			errs = append(errs, fmt.Errorf("%s has %d of %d machines %s after the loss", f.name, f.serving, f.wanted, progress.Short(time.Since(z.lostAt))))
		default:
			z.result.Fleets[f.name] = f.replaced.Sub(z.lostAt).Seconds()
			text = joinNonEmpty(text, fmt.Sprintf("%s after %s (noticed after %s)", f.name, progress.Short(f.replaced.Sub(z.lostAt)), progress.Short(f.noticed.Sub(z.lostAt))))
		}
	}
	return text, errors.Join(append(errs, z.amazon.err())...)
}

// comeBack mends the network and boots the engine, as EC2 recovers it, and watches calls on.
func (z *zoneDrill) comeBack(ctx context.Context, p progress.Step) (string, error) {
	begin := time.Now()
	z.result.Away = begin.Sub(z.lostAt).Seconds()
	if err := z.w.network.Cut(ctx); err != nil {
		return "", err
	}
	// Machines of fleets that are left are ill to Auto Scaling, and on their way out.
	machines := z.w.watcher.Machines
	if err := machines.Start(ctx, z.first.InstanceID, netip.Prefix{}); err != nil {
		return "", err
	}
	if err := machines.WaitBooted(ctx, z.first.InstanceID); err != nil {
		return "", err
	}
	z.backAt = time.Now()
	if err := z.amazon.find(ctx, z.backAt); err != nil {
		return "", err
	}
	for time.Since(z.backAt) < phonesBack {
		tries, _, _, err := z.steady.heard()
		if err != nil {
			return "", err
		}
		p.Progress(int64(time.Since(z.backAt)/time.Second), int64(phonesBack/time.Second), "seconds since the engine runs again: "+z.summary(tries))
		if err := pause(ctx, pollZone); err != nil {
			return "", err
		}
	}
	tries, _, _, err := z.steady.heard()
	if err != nil {
		return "", err
	}
	z.result.Return = services(tries, begin, time.Now())
	text := fmt.Sprintf("after %s, engine booted within %s", progress.Short(begin.Sub(z.lostAt)), progress.Short(z.backAt.Sub(begin)))
	var errs []error
	for _, s := range z.result.Return {
		text = joinNonEmpty(text, s.String())
		if last := serviceOf(tries, s.Way, time.Now().Add(-atTheEnd), time.Now()); last.Again < 0 {
			errs = append(errs, fmt.Errorf("calls %s do not succeed: %d of the last %d failed: %s", s.Way, last.Failed, last.Tried, last.Why))
		}
	}
	missing, err := z.missingRecords(ctx, answered(tries))
	if err == nil && z.db != "" {
		text += fmt.Sprintf("; of %d answered calls %d have no record", answered(tries), missing)
	}
	z.result.Missing = missing
	if len(errs) > 0 {
		errs = append(errs, z.steady.troubled())
	}
	return text, errors.Join(append(errs, err)...)
}

// missingRecords is how many of so many answered calls have no record. Routers write what has waited within seconds.
func (z *zoneDrill) missingRecords(ctx context.Context, want int) (int, error) {
	if z.db == "" {
		return 0, nil
	}
	missing := want
	for deadline := time.Now().Add(30 * time.Second); missing > 0 && time.Now().Before(deadline); {
		out, err := z.sql(ctx, fmt.Sprintf("SELECT count(DISTINCT caller) FROM cdr WHERE direction = 'in' AND code = 200 AND ltrim(caller, '+') LIKE '%s%%'",
			strings.TrimPrefix(calls.SteadyCallers, "+")))
		if err != nil {
			return missing, err
		}
		found, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			return missing, fmt.Errorf("count records: %w", err)
		}
		missing = max(0, want-found)
		if err := pause(ctx, pollZone); err != nil {
			return missing, err
		}
	}
	return missing, nil
}

// alarms judges the stack's alarms over all of the drill, until those that went off have cleared.
func (z *zoneDrill) alarms(ctx context.Context, p progress.Step) (string, error) {
	list := watchedBy(z.topology, z.d.outputs, func(a alarms.Alarm) bool { return fromMachines(a) || derived(a) })
	ours := asked(z.w.emulator.AWSConfig())
	ask := func(ctx context.Context, a watched, metric string, since, until time.Time) (alarms.Series, error) {
		if fromMachines(a.Alarm) {
			return ours(ctx, a, metric, since, until)
		}
		return z.amazon.ledger.series(ctx, a, metric, since, until)
	}
	end := z.backAt
	if end.IsZero() { // the zone did not come back
		end = time.Now()
	}
	deadline := time.Now().Add(clearTime)
	for {
		told, off, err := judge(ctx, ask, list, z.begin, time.Now())
		if err != nil {
			return "", err
		}
		on := 0
		for _, f := range off {
			if f.over.IsZero() {
				on++
			}
		}
		if on == 0 || z.backAt.IsZero() || time.Now().After(deadline) {
			return z.tellAlarms(off, len(list), told, end)
		}
		p.Progress(int64(len(off)-on), int64(len(off)), "alarms have cleared")
		if err := pause(ctx, 5*pollZone); err != nil {
			return "", err
		}
	}
}

// tellAlarms lists what went off, in order. Somebody has to be called.
func (z *zoneDrill) tellAlarms(off []fired, all, told int, back time.Time) (string, error) {
	text := fmt.Sprintf("%d alarms, %d with values", all, told)
	paged := false
	for _, f := range off {
		a := alarmTimes{Name: f.name, Severity: string(f.severity), Fired: f.at.Sub(z.lostAt).Seconds()}
		text += fmt.Sprintf("; %s %s after %s", f.severity, f.name, progress.Short(f.at.Sub(z.lostAt)))
		switch {
		case f.over.IsZero():
			text += ", not cleared"
		default:
			cleared := f.over.Sub(back).Seconds()
			a.Cleared = &cleared
			text += fmt.Sprintf(", cleared after %s", progress.Short(f.over.Sub(z.lostAt)))
		}
		z.result.Alarms = append(z.result.Alarms, a)
		paged = paged || f.severity == alarms.Page && f.at.After(z.lostAt)
	}
	if !paged {
		return text, errors.New("nobody was called: no alarm that pages went off")
	}
	return text, nil
}
