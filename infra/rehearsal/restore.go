package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/promise"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// drillTime is how long all of a restore may take, without the calls.
const drillTime = 30 * time.Minute

// restored is the restore drill: a backup of everything, then what only a backup brings back is lost, with its machines; Pulumi
// makes them anew, the backup comes back, and the platform is looked at again and called again. A database of RDS is then brought
// back from a mistake.
func (w *world) restored(ctx context.Context, o Options, d *deployment, step progress.Step) []Check {
	s := step.Step("restore")
	checks := []Check{w.drill(ctx, o, d, s)}
	if checks[0].OK {
		checks = append(checks, w.again(ctx, o, d, "after restore", s)...)
	}
	if d.outputs.Database != nil && len(failing(checks)) == 0 {
		checks = append(checks, w.rewound(ctx, o, d, s))
		if len(failing(checks)) == 0 {
			checks = append(checks, w.again(ctx, o, d, "after restore to a time", s)...)
		}
	}
	s.Done(failures(checks))
	return checks
}

// again looks at the platform and calls through it.
func (w *world) again(ctx context.Context, o Options, d *deployment, when string, step progress.Step) []Check {
	checks := []Check{w.health(ctx, o, step)}
	switch {
	case !checks[0].OK:
	case o.kind == stacks.KindDev:
		checks = append(checks, w.smoke(ctx, o, d, step))
	case o.Calls != CallsNone:
		checks = append(checks, w.calls(ctx, o, d, calling{groups: []string{calls.GroupCalls, calls.GroupRecords}}, step)...)
	}
	for i := range checks {
		checks[i].Name += " " + when
	}
	return checks
}

// drill is the part of it that saves, loses and restores. Each step's time is in the check.
func (w *world) drill(ctx context.Context, o Options, d *deployment, step progress.Step) Check {
	c := Check{Name: "restore"}
	ctx, cancel := context.WithTimeout(ctx, drillTime)
	defer cancel()
	r, err := w.newDrill(ctx, o, d)
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	var without time.Duration // for how long nobody could call
	for _, part := range []struct {
		name string
		do   func(context.Context, progress.Step) error
	}{
		{"backed up", r.backUp}, {"lost", r.lose}, {"made anew", r.makeAnew}, {"restored", r.restore}, {"configured", r.configure},
	} {
		s, begin := step.Step(part.name), time.Now()
		err := part.do(ctx, s)
		s.Done(err)
		if err != nil {
			c.Detail = joinNonEmpty(c.Detail, fmt.Sprintf("not %s: %v", part.name, err))
			return c
		}
		took := time.Since(begin)
		if part.name != "backed up" {
			without += took
		}
		c.Detail = joinNonEmpty(c.Detail, part.name+" in "+progress.Short(took))
	}
	c.OK = true
	c.Detail = fmt.Sprintf("%s: %s; %s until all was back, of %s promised; %d of %d digests as before", r.what(), c.Detail,
		progress.Short(without), promise.Span(promise.Of(promise.Engine).RTO), len(r.before), len(r.before))
	return c
}

// drill is what a restore drill knows on its way.
type drill struct {
	w *world
	o Options
	d *deployment
	// lost are the machines that are made anew, the engine first.
	lost []lostMachine
	// database is the machine that plays RDS; nil where the stack has none, and no Router is lost.
	database *calls.Machine
	// before are the digests of what is saved, saved the names of the backups by their sources.
	before digests
	saved  map[string]string
}

// lostMachine is a machine, and whose backups come back on it: the engine's own, and on a Router those of the database. The
// Router's own files name the machine that they were saved on, and those of a new one are Ansible's.
type lostMachine struct {
	stacks.Node
	source string
}

func (w *world) newDrill(ctx context.Context, o Options, d *deployment) (*drill, error) {
	r := &drill{w: w, o: o, d: d}
	if err := r.find(); err != nil || d.outputs.Database == nil {
		return r, err
	}
	address, err := w.databaseURL(ctx, routingDatabaseFile(w.dir))
	r.database = &calls.Machine{Private: address}
	return r, err
}

// find looks for the machines among the stack's outputs.
func (r *drill) find() error {
	r.lost = nil
	roles := []stacks.Role{stacks.RoleUCEngine}
	if r.d.outputs.Database != nil {
		roles = append(roles, stacks.RoleC4Router)
	}
	for _, role := range roles {
		i := slices.IndexFunc(r.d.outputs.Nodes, func(n stacks.Node) bool { return n.Roles[0] == role })
		if i < 0 {
			return fmt.Errorf("the stack has no machine of the role %s", role)
		}
		m := lostMachine{r.d.outputs.Nodes[i], r.d.outputs.Nodes[i].Name}
		if role == stacks.RoleC4Router {
			m.source = backup.SharedSource
		}
		r.lost = append(r.lost, m)
	}
	return nil
}

func (r *drill) engine() calls.Machine { return machine(r.lost[0].Node) }

// names are those of the machines.
func (r *drill) names() []string {
	var names []string
	for _, m := range r.lost {
		names = append(names, m.Name)
	}
	return names
}

// what is everything that is lost.
func (r *drill) what() string {
	what := strings.Join(r.names(), ", ")
	if r.database != nil {
		what += " and the database"
	}
	return what
}

// fillEngine gives the engine's database something to lose: the double keeps nothing there.
const fillEngine = `
cd /
runuser -u postgres -- psql -qX --set ON_ERROR_STOP=1 --dbname asterisk --command \
  'CREATE TABLE IF NOT EXISTS rehearsal AS SELECT i, md5(i::text || random()::text) FROM generate_series(1, 10000) i'
`

// saveTries is how often a backup is made until nothing has changed meanwhile: records of the last calls may come late.
const saveTries = 3

// backUp saves every machine, as `calldata-backup` does each night.
func (r *drill) backUp(ctx context.Context, _ progress.Step) error {
	if _, err := r.w.asRoot(ctx, r.engine(), fillEngine); err != nil {
		return err
	}
	var changed []string
	for range saveTries {
		before, err := r.look(ctx)
		if err == nil {
			err = r.play(ctx, "backup", nil, "--tags", "backup_now")
		}
		if err == nil {
			r.before, err = r.look(ctx)
		}
		if err != nil {
			return err
		}
		if changed = r.before.without(r.before.same(before)); len(changed) == 0 {
			return r.findBackups(ctx)
		}
	}
	return fmt.Errorf("it changes while it is saved, %d times: %s", saveTries, strings.Join(changed, ", "))
}

// findBackups asks for the names of what was saved.
func (r *drill) findBackups(ctx context.Context) error {
	r.saved = map[string]string{}
	for _, m := range r.lost {
		out, err := r.w.asRoot(ctx, machine(m.Node), "calldata-backup list --json --source "+m.source)
		if err != nil {
			return err
		}
		if r.saved[m.source], err = newestBackup(out, m.source); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return nil
}

// newestBackup is the last whole one in the JSON of `calldata-backup list`.
func newestBackup(list []byte, source string) (string, error) {
	var made []struct {
		ID, Source string
		Failed     map[string]string
	}
	if err := json.Unmarshal(list, &made); err != nil {
		return "", fmt.Errorf("the list of backups is not JSON: %w", err)
	}
	newest := ""
	for _, m := range made {
		if m.Source == source && len(m.Failed) == 0 {
			newest = max(newest, m.ID) // names have the time in a form that sorts
		}
	}
	if newest == "" {
		return "", fmt.Errorf("none of %d backups is a whole one of %s", len(made), source)
	}
	return newest, nil
}

// The engine's data disk outlives its machine, where it has one, and is emptied; the database is as RDS makes a new one: empty,
// and without the Routers' login.
const (
	emptyDisk = `
systemctl stop postgresql@15-main
find /var/lib/postgresql -mindepth 1 -delete
`
	emptyDatabase = `
cd /
sql() { runuser -u postgres -- psql -qXAt --set ON_ERROR_STOP=1 "$@"; }
owner=$(sql --command "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'c4'")
sql --command 'DROP DATABASE c4 WITH (FORCE)' --command 'DROP ROLE kamailio' --command "CREATE DATABASE c4 OWNER \"$owner\""
`
)

// lose destroys the data that is not on the machines' own disks; those go with the machines.
func (r *drill) lose(ctx context.Context, _ progress.Step) error {
	_, err := r.w.asRoot(ctx, r.engine(), emptyDisk)
	if err == nil && r.database != nil {
		_, err = r.w.asRoot(ctx, *r.database, emptyDatabase)
	}
	return err
}

// makeAnew has Pulumi replace the machines. Its configuration stage makes of them what a new stack has.
func (r *drill) makeAnew(ctx context.Context, s progress.Step) error {
	if _, err := r.d.stack.replace(ctx, s, r.names()...); err != nil {
		return err
	}
	old := r.lost
	err := r.d.read(ctx, r.o.kind)
	if err == nil {
		err = r.w.watcher.WaitIdle(ctx)
	}
	if err == nil {
		err = r.find()
	}
	if err != nil {
		return err
	}
	for i, m := range r.lost {
		if m.InstanceID == old[i].InstanceID {
			return fmt.Errorf("%s is still the machine %s", m.Name, m.InstanceID)
		}
	}
	now, err := r.look(ctx)
	if err == nil {
		if kept := r.before.same(now); len(kept) > 0 {
			err = fmt.Errorf("as before, so that a restore would prove nothing: %s", strings.Join(kept, ", "))
		}
	}
	return err
}

// restore brings the backups back and compares.
func (r *drill) restore(ctx context.Context, _ progress.Step) error {
	for _, m := range r.lost {
		vars := map[string]any{"restore_backups": []string{r.saved[m.source]}, "restore_identity_file": r.w.secrets.backup, "restore_yes": true}
		if err := r.play(ctx, "restore", vars, "--limit", m.Name); err != nil {
			return err
		}
	}
	now, err := r.look(ctx)
	if err == nil {
		if same := r.before.same(now); len(same) < len(r.before) {
			err = fmt.Errorf("not as before: %s", strings.Join(r.before.without(same), ", "))
		}
	}
	return err
}

// configure sets what belongs to the new machines.
func (r *drill) configure(ctx context.Context, _ progress.Step) error {
	var errs []error
	for _, m := range r.lost {
		errs = append(errs, r.play(ctx, string(m.Roles[0]), nil, "--limit", m.Name)) // a role's playbook has its name
	}
	return errors.Join(errs...)
}

// play runs a playbook with variables.
func (r *drill) play(ctx context.Context, playbook string, vars map[string]any, args ...string) error {
	args = append([]string{"--playbook", playbook}, args...)
	if vars != nil {
		data, err := yaml.Marshal(vars)
		if err != nil {
			return err
		}
		file := filepath.Join(r.w.dir, playbook+"-vars.yml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
		args = append(args, "--vars", file)
	}
	_, err := r.w.configure(ctx, r.o, r.d, args...)
	return err
}

// What is compared. Lines of dumps are sorted: rows have no order. The lines that are left out differ between any two dumps.
const (
	lookAtEngine = `
sha256sum /var/lib/wazo-double/state.json /usr/share/wazo-certs/server.crt /usr/share/wazo-certs/server.key
cd /
runuser -u postgres -- pg_dump --data-only asterisk | grep -vE '^(--|\\(un)?restrict )' | sort | sha256sum | sed 's/-$/database asterisk/'
`
	// The tables left out are of the Routers at work: what they have loaded, their login, who is registering. So are the places of
	// sequences: PostgreSQL logs up to 32 values ahead, which a recovery skips (src/backend/commands/sequence.c, SEQ_LOG_VALS).
	lookAtDatabase = `
cd /
runuser -u postgres -- pg_dump --data-only --exclude-table=routing_loaded --exclude-table=router_login --exclude-table=router_lease c4 |
  grep -vE '^(--|\\(un)?restrict |SELECT pg_catalog\.setval)' | sort | sha256sum | sed 's/-$/` + databaseDigest + `/'
`
)

// look takes the digests of what is saved.
func (r *drill) look(ctx context.Context) (digests, error) {
	all := digests{}
	out, err := r.w.asRoot(ctx, r.engine(), lookAtEngine)
	all.add(out)
	if err == nil && r.database != nil {
		out, err = r.w.asRoot(ctx, *r.database, lookAtDatabase)
		all.add(out)
	}
	return all, err
}

// databaseDigest is the name of the Routers' database in them.
const databaseDigest = "database c4"

// digests are SHA-256 by the name of what they are of.
type digests map[string]string

// add takes in the lines of sha256sum.
func (d digests) add(lines []byte) {
	for line := range strings.Lines(string(lines)) {
		if sum, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			d[name] = sum
		}
	}
}

// same are the names of what has not changed, in order.
func (d digests) same(other digests) []string {
	var names []string
	for name, sum := range d {
		if other[name] == sum {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// without are the other names, in order.
func (d digests) without(names []string) []string {
	var others []string
	for name := range d {
		if !slices.Contains(names, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return others
}

// machine is a node as it is reached inside the network: one that people log in to from outside by its public address, as they do.
func machine(n stacks.Node) calls.Machine {
	at := n.PrivateIP
	if n.Access == stacks.AccessSSH {
		at = cmp.Or(n.PublicIP, at)
	}
	a, _ := netip.ParseAddr(at) // outputs are validated
	return calls.Machine{Name: n.Name, Private: a}
}
