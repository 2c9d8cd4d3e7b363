package dr

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/promise"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/stacks"
)

// noBackups is what a stack tells that was deployed before its kind had a bucket for them.
const noBackups = "the stack has no bucket for backups until it is deployed again: what is not in the repository is lost"

// Loss is one thing that a stack can lose.
type Loss struct {
	// What is lost, for example "engine prod-uc-1".
	What string `json:"what"`
	// Age is how old the data is that would come back now, in seconds; nil where none would, or where nobody knows.
	Age *float64 `json:"ageSeconds,omitempty"`
	// RPO and RTO are what is promised, in seconds; nil where nothing is.
	RPO *float64 `json:"rpoSeconds,omitempty"`
	RTO *float64 `json:"rtoSeconds,omitempty"`
	// Status is ok where the promise is kept, fail where not, warn where nothing is promised, skip where nobody could be asked.
	Status verdict.Status `json:"status"`
	Detail string         `json:"detail"`
	// Steps bring it back: commands, and sentences where a person has to act.
	Steps []string `json:"steps"`

	promise promise.Promise
	err     error // why it could not be asked
}

// losses are what the stack can lose, the small first.
func losses(stack stacks.Outputs, f facts, now time.Time) []Loss {
	p := planner{stack: stack, facts: f, now: now}
	var all []Loss
	for _, fleet := range stack.Fleets {
		all = append(all, p.member(fleet))
	}
	engines := engines(stack)
	for _, n := range stack.Nodes {
		switch {
		case !slices.Contains(n.Roles, stacks.RoleUCEngine):
			all = append(all, p.node(n))
		case len(engines) > 1:
			all = append(all, p.oneOfTwo(n, engines))
		default:
			all = append(all, p.engine("engine "+n.Name, n))
		}
	}
	if len(engines) > 1 {
		all = append(all, p.engine("all engines", engines[0]))
	}
	if stack.Database != nil {
		all = append(all, p.database(), p.data())
	}
	return append(all, p.state(), p.zone(engines), p.region(engines))
}

type planner struct {
	stack stacks.Outputs
	facts facts
	now   time.Time
}

// kept judges data of an age by a promise.
func (p planner) kept(what string, of promise.Loss, age time.Duration, detail string, steps ...string) Loss {
	age = max(age, 0)
	l := p.promised(what, of, steps...)
	seconds := age.Seconds()
	l.Age, l.Status, l.Detail = &seconds, verdict.OK, detail
	if age > l.promise.RPO {
		l.Status = verdict.Fail
	}
	return l
}

// failed is a promise that is not kept.
func (p planner) failed(what string, of promise.Loss, detail string, steps ...string) Loss {
	l := p.promised(what, of, steps...)
	l.Status, l.Detail = verdict.Fail, detail
	return l
}

// unknown is a promise of which nobody can say whether it is kept.
func (p planner) unknown(what string, of promise.Loss, err error, steps ...string) Loss {
	l := p.promised(what, of, steps...)
	l.Status, l.Detail, l.err = verdict.Skip, err.Error(), err
	return l
}

func (p planner) promised(what string, of promise.Loss, steps ...string) Loss {
	l := Loss{What: what, promise: promise.Of(of), Steps: steps}
	rpo, rto := l.promise.RPO.Seconds(), l.promise.RTO.Seconds()
	l.RPO, l.RTO = &rpo, &rto
	return l
}

// engines are those of a stack.
func engines(stack stacks.Outputs) []stacks.Node {
	var found []stacks.Node
	for _, n := range stack.Nodes {
		if slices.Contains(n.Roles, stacks.RoleUCEngine) {
			found = append(found, n)
		}
	}
	return found
}

// anew are the steps that make a fixed machine anew. Between are those that bring its data back before it is configured.
func (p planner) anew(n stacks.Node, between ...string) []string {
	stack := p.stack.Stack
	playbook := n.Roles[0]
	if slices.Contains(n.Roles, stacks.RoleUCEngine) {
		playbook = stacks.RoleUCEngine
	}
	steps := append([]string{fmt.Sprintf(`pulumi up -s %s --replace "$(pulumi stack -s %s --show-urns | grep -o 'urn:.*:Instance::%s$')"`, stack, stack, n.Name)}, between...)
	steps = append(steps, fmt.Sprintf("calldata inventory %s | calldata configure --stack %s --playbook %s --limit %s", stack, stack, playbook, n.Name))
	return append(steps, p.documents()...)
}

// documents are the steps that tell new machines what is in the repository: it names machines by address.
func (p planner) documents() []string {
	setup := "calldata setup " + p.stack.Stack
	if !slices.Contains(fleet.Roles(p.stack), stacks.RoleC4Router) {
		return []string{setup}
	}
	return []string{"calldata routing apply " + p.stack.Stack, setup}
}

func (p planner) member(f stacks.Fleet) Loss {
	what := "a machine of " + f.Name
	steps := []string{"Auto Scaling replaces it; callers take another one meanwhile.", "calldata health -s " + p.stack.Stack}
	count := p.facts.members[f.Role]
	switch {
	case count.err != nil:
		return p.unknown(what, promise.Member, count.err, steps...)
	case count.value < 2:
		return p.failed(what, promise.Member, fmt.Sprintf("%d runs: nobody is there meanwhile", count.value), steps...)
	}
	return p.kept(what, promise.Member, 0, fmt.Sprintf("%d run", count.value), steps...)
}

func (p planner) node(n stacks.Node) Loss {
	what := fmt.Sprintf("%s %s", n.Roles[0], n.Name)
	if ownDatabase(p.stack, n) {
		return p.saved(what, promise.OwnDatabase, n, backup.SharedSource)
	}
	return p.kept(what, promise.Node, 0, "it keeps nothing of its own", p.anew(n)...)
}

// copyTakes is how long an hourly copy may take.
const copyTakes = 10 * time.Minute

// oneOfTwo is an engine that the other one stands in for. Copies begin on the hour: while one is made, and until it ends, the last is
// older than an hour, which keeps the promise all the same.
func (p planner) oneOfTwo(n stacks.Node, engines []stacks.Node) Loss {
	what := "engine " + n.Name
	others := slices.DeleteFunc(slices.Clone(engines), func(e stacks.Node) bool { return e.Name == n.Name })
	steps := append([]string{"Phones register at " + others[0].Name + " by themselves."}, p.anew(n)...)
	rpo := promise.Of(promise.EngineOfTwo).RPO
	pair := p.facts.pair
	switch age := p.copied(); {
	case pair.err != nil:
		return p.unknown(what, promise.EngineOfTwo, pair.err, steps...)
	case pair.value == nil:
		l := p.promised(what, promise.EngineOfTwo, steps...)
		l.Status, l.Detail = verdict.Warn, "no engine says that it copies its data to another: nobody knows what the other one has"
		return l
	case pair.value.Begun.IsZero():
		return p.failed(what, promise.EngineOfTwo, pair.value.Master+" has not copied its data since it was started", steps...)
	case pair.value.Left && age <= copyTakes:
		return p.kept(what, promise.EngineOfTwo, rpo, pair.value.Master+" is copying its data; the copy before is an hour old", steps...)
	case pair.value.Left:
		return p.failed(what, promise.EngineOfTwo, fmt.Sprintf("the copy that %s began %s ago has failed: the other one has the data of a copy before", pair.value.Master, progress.Short(age)),
			steps...)
	case age > rpo && age <= rpo+copyTakes:
		return p.kept(what, promise.EngineOfTwo, rpo, pair.value.Master+" copied its data an hour ago; the next copy is due", steps...)
	default:
		return p.kept(what, promise.EngineOfTwo, age, pair.value.Master+" copied its data", steps...)
	}
}

// copied is how long ago the last copy of a pair was begun.
func (p planner) copied() time.Duration {
	if p.facts.pair.value == nil {
		return 0
	}
	return p.now.Sub(p.facts.pair.value.Begun)
}

// engine is one that only a backup brings back.
func (p planner) engine(what string, n stacks.Node) Loss {
	return p.saved(what, promise.Engine, n, n.Name)
}

// saved is a machine whose data only a backup of a source brings back.
func (p planner) saved(what string, of promise.Loss, n stacks.Node, source string) Loss {
	if p.stack.Backups == nil {
		return p.failed(what, of, noBackups, p.anew(n)...)
	}
	steps := p.anew(n, p.restore(n))
	list := p.facts.backups[n.Roles[0]]
	if list.err != nil {
		return p.unknown(what, of, list.err, steps...)
	}
	b, ok := backup.Newest(list.value, source)
	if !ok {
		return p.failed(what, of, "there is no whole backup of "+source, steps...)
	}
	return p.kept(what, of, p.age(b), "backup "+b.ID, steps...)
}

// restore is the command that brings a machine's data back.
func (p planner) restore(n stacks.Node) string {
	command := fmt.Sprintf("calldata backup restore %s %s", p.stack.Stack, n.Name)
	if ownDatabase(p.stack, n) {
		command += fmt.Sprintf(" --backup %s/latest --part database", backup.SharedSource)
	}
	return command
}

func (p planner) age(b backup.Backup) time.Duration { return p.now.Sub(b.Time()) }

func (p planner) database() Loss {
	const what = "the Routers' database"
	db := p.facts.database
	switch {
	case db.err != nil:
		return p.unknown(what, promise.SingleDatabase, db.err, hostBack)
	case db.value.Standby:
		return p.kept(what, promise.Database, 0, db.value.ID+" has a standby", "The standby takes over by itself.", "calldata health -s "+p.stack.Stack)
	}
	return p.restorable(what, promise.SingleDatabase, db.value, hostBack)
}

// data is what a standby does not help against.
func (p planner) data() Loss {
	const what = "data in the Routers' database"
	db := p.facts.database
	if db.err != nil {
		return p.unknown(what, promise.Data, db.err, p.before())
	}
	l := p.restorable(what, promise.Data, db.value, p.before())
	if b, ok := backup.Newest(p.facts.backups[stacks.RoleC4Router].value, backup.SharedSource); ok {
		l.Detail += fmt.Sprintf("; our own backup %s is %s old", b.ID, progress.Short(p.age(b)))
		l.Steps = append(l.Steps, "Or, for a backup of ours: docs/runbook.md, The Routers' database.")
	}
	return l
}

func (p planner) restorable(what string, of promise.Loss, db Database, step string) Loss {
	if db.Restorable.IsZero() {
		return p.failed(what, of, "RDS names no time that "+db.ID+" can be restored to", step)
	}
	return p.kept(what, of, p.now.Sub(db.Restorable), "RDS restores "+db.ID+" to any time until "+db.Restorable.UTC().Format(time.RFC3339), step)
}

// hostBack is for a database that is lost with its host.
const hostBack = "RDS brings its host back by itself. Where the instance is gone: the setting databaseSnapshot, docs/deployment.md."

// before is for data that is wrong since a time.
func (p planner) before() string {
	return fmt.Sprintf("calldata backup restore-database %s --to TIME, the second before it went wrong", p.stack.Stack)
}

func (p planner) state() Loss {
	const what = "Pulumi's state"
	steps := []string{fmt.Sprintf("calldata rollback %s --state --list", p.stack.Stack), fmt.Sprintf("calldata rollback %s --state", p.stack.Stack)}
	all := p.facts.copies
	switch {
	case all.err != nil:
		return p.unknown(what, promise.State, all.err, steps...)
	case len(all.value) == 0:
		return p.failed(what, promise.State, "its backend keeps no copy of it", steps...)
	}
	// Pulumi writes a copy when an operation ends: the newest is the state itself, however old.
	return p.kept(what, promise.State, 0, fmt.Sprintf("%d copies, the newest of %s", len(all.value), all.value[0].ID), steps...)
}

func (p planner) zone(engines []stacks.Node) Loss {
	zones := map[string]bool{}
	for _, n := range engines {
		zones[n.Zone] = true
	}
	if len(p.stack.Fleets) == 0 || len(engines) < 2 {
		return Loss{
			What: "a zone", Status: verdict.Warn, Detail: "machines of this kind of stack have no other zone to go to by themselves",
			Steps: append([]string{"Give the stack zones that work (zones), then make what was lost anew:"}, p.lost()...),
		}
	}
	steps := []string{"Fleets, standby and the second engine go on by themselves.", "calldata health -s " + p.stack.Stack}
	if len(zones) < 2 {
		return p.failed("a zone", promise.Zone, "all engines are in "+engines[0].Zone, steps...)
	}
	return p.kept("a zone", promise.Zone, promise.Of(promise.Zone).RPO, "engines in different zones; an hour is taken for the age of the copy", steps...)
}

// lost are the steps for a stack of which everything is to be made.
func (p planner) lost() []string {
	steps := []string{"calldata deploy " + p.stack.Stack}
	if p.stack.Backups != nil {
		for _, n := range p.stack.Nodes {
			if slices.Contains(n.Roles, stacks.RoleUCEngine) || ownDatabase(p.stack, n) {
				steps = append(steps, p.restore(n))
			}
		}
	}
	return append(steps, p.documents()...)
}

// region is made anew from copies in another one, where the stack has them. Else nothing is promised.
func (p planner) region(engines []stacks.Node) Loss {
	const what = "the region"
	far, archives := copied(p.stack), p.facts.archives
	if far == nil {
		l := Loss{What: what, Status: verdict.Warn, Detail: noBackups, Steps: append(
			[]string{"Give a stack of another name another region (aws:region) and its zones (zones), and point carriers and numbers to it."}, p.lost()...)}
		if p.stack.Backups != nil {
			l.Detail = "backups are in this region alone: what is not in the repository is lost"
		}
		return l
	}
	if archives.err != nil {
		return p.unknown(what, promise.Region, archives.err, p.elsewhere(engines)...)
	}
	age, detail, whole := p.archived(engines)
	if !whole {
		return p.failed(what, promise.Region, detail, p.elsewhere(engines)...)
	}
	return p.kept(what, promise.Region, age, detail, p.elsewhere(engines)...)
}

// archived is how old the older one is of the newest copies in the second region: an engine's backup and the database's.
func (p planner) archived(engines []stacks.Node) (age time.Duration, detail string, whole bool) {
	var sources, found []string
	if len(engines) > 0 {
		sources = append(sources, engines[0].Name)
	}
	if p.stack.Database != nil {
		sources = append(sources, backup.SharedSource)
	}
	for _, source := range sources {
		b, ok := backup.Newest(p.facts.archives.value, source)
		if !ok {
			return 0, fmt.Sprintf("%s has no whole backup of %s", copied(p.stack).Region, source), false
		}
		age, found = max(age, p.age(b)), append(found, b.ID)
	}
	return age, fmt.Sprintf("%s has %s", copied(p.stack).Region, strings.Join(found, ", ")), true
}

// elsewhere are the steps that make a stack anew from the copies in a second region. They ask nothing of the lost one.
func (p planner) elsewhere(engines []stacks.Node) []string {
	to := p.stack.Backups.Copy
	from := fmt.Sprintf("--from 's3://%s?region=%s' --allow stack", to.Bucket, to.Region)
	steps := []string{
		fmt.Sprintf("calldata dr failover %s --plan", p.stack.Stack), "calldata dr failover " + p.stack.Stack,
		fmt.Sprintf("Or by hand: give a stack of another name, here NEW, the region %s (aws:region), its zones (zones), and the settings of %s.", to.Region, p.stack.Stack),
		"calldata deploy NEW",
	}
	for _, n := range engines {
		rest := strings.TrimPrefix(n.Name, p.stack.Stack+"-")
		steps = append(steps, fmt.Sprintf("calldata backup restore NEW NEW-%s --backup %s/latest %s", rest, n.Name, from))
	}
	if p.stack.Database != nil {
		steps = append(steps, fmt.Sprintf("calldata backup restore NEW %s --part database %s", p.router(), from))
	}
	return append(steps, "calldata inventory NEW | calldata configure --stack NEW", "calldata routing apply NEW", "calldata setup NEW", "Point carriers and numbers to it.")
}

// router is the machine through which the database of a stack made anew comes back.
func (p planner) router() string {
	for _, n := range p.stack.Nodes {
		if slices.Contains(n.Roles, stacks.RoleC4Router) {
			return "NEW-" + strings.TrimPrefix(n.Name, p.stack.Stack+"-")
		}
	}
	return string(stacks.RoleC4Router)
}
