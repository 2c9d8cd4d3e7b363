package release

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/drain"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/health"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
)

const settings = `config:
  aws:region: us-east-1
  calldata-foundation:domain: voice.example.com
  calldata-foundation:carrierCidrs: ["198.51.100.0/24"]
  calldata-foundation:sshPublicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV test
`

// box is a machine of the world.
type box struct {
	id      string
	role    stacks.Role
	colour  stacks.Colour
	aside   bool
	level   drain.Level
	calls   int
	address int  // of the pool, counted from 1; 0 is none
	deaf    bool // to SSH
	booting bool
	tells   netip.Addr // is the address that callers are told
}

// world is a prod stack whose deployments do what the settings say, whose calls end one with each question, and that does wrong what it
// is told to.
type world struct {
	t    *testing.T
	dir  string
	file map[string]string
	// secrets is the file that has the test phone's password.
	secrets string
	// stood is how the stack was deployed last.
	stood map[stacks.Colour]stacks.Standing
	boxes []*box
	made  int
	// fail makes the first thing whose note begins so go wrong, once; broken every one.
	fail, broken string
	code         int    // that fail ends with
	stop         func() // is called before the thing that fail names
	size         int    // of the pool
	thief        bool   // takes a free address with each claim
	before, now  outcome
	on           []alarm
	failing      []string // alarms that come on with a deployment
	// grown are the machines that were asked for beside the two of each fleet.
	grown map[string]int
	// since are the times that calls before the release were asked from, checked the machines whose health was asked last.
	since      []time.Time
	checked    []string
	colourless bool // was deployed before there were colours

	notes    []string
	out, err bytes.Buffer
}

func newWorld(t *testing.T, blue, green stacks.Standing) *world {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	project, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml"))
	require.NoError(t, err)
	w := &world{t: t, dir: t.TempDir(), size: 7, code: cli.ExitUnhealthy, file: map[string]string{}, stood: map[stacks.Colour]stacks.Standing{}, grown: map[string]int{}}
	require.NoError(t, os.Mkdir(filepath.Join(w.dir, "ansible"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "Pulumi.yaml"), project, 0o600))
	w.secrets = filepath.Join(w.dir, "secrets.yml")
	require.NoError(t, os.WriteFile(w.secrets, []byte("smoke_sip_password: spoken\n"), 0o600))
	w.set(stacks.Blue, blue)
	w.set(stacks.Green, green)
	w.happen()
	for i, b := range w.boxes { // those in service have their addresses
		if b.role == stacks.RoleC4SBC && w.stood[b.colour].Serves() {
			b.address = i + 1
		}
		b.calls = 2
	}
	return w
}

func (w *world) set(c stacks.Colour, s stacks.Standing) { w.write(c.Setting(), string(s)) }

func (w *world) write(setting, value string) {
	w.file[setting] = value
	text := settings
	for _, name := range slices.Sorted(maps.Keys(w.file)) {
		text += fmt.Sprintf("  calldata-foundation:%s: %q\n", name, w.file[name])
	}
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, "Pulumi.prod.yaml"), []byte(text), 0o600))
}

// note remembers what was done, or fails it.
func (w *world) note(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	w.notes = append(w.notes, text)
	if w.fail != "" && strings.HasPrefix(text, w.fail) {
		w.fail = ""
		if w.stop != nil {
			w.stop()
			return context.Canceled
		}
		return cli.WithCode(w.code, errors.New("broken: "+text))
	}
	if w.broken != "" && strings.HasPrefix(text, w.broken) {
		return cli.WithCode(cli.ExitUnhealthy, errors.New("broken: "+text))
	}
	return nil
}

// happen makes the machines what the settings say.
func (w *world) happen() {
	for _, c := range stacks.Colours() {
		s := stacks.Standing(w.file[c.Setting()])
		was := w.stood[c]
		w.stood[c] = s
		if s == stacks.StandingNone {
			for _, b := range w.boxes {
				assert.False(w.t, b.colour == c && b.calls > 0, "%s had a call and is gone", b.id)
			}
			w.boxes = slices.DeleteFunc(w.boxes, func(b *box) bool { return b.colour == c })
			continue
		}
		if was != "" && was != stacks.StandingNone {
			continue
		}
		for _, role := range roles {
			for range 2 {
				w.made++
				w.boxes = append(w.boxes, &box{id: fmt.Sprintf("i-%d", w.made), role: role, colour: c, aside: !s.Serves(), level: drain.Normal})
			}
		}
	}
}

func (w *world) find(id string) *box {
	i := slices.IndexFunc(w.boxes, func(b *box) bool { return b.id == id })
	require.GreaterOrEqual(w.t, i, 0, id)
	return w.boxes[i]
}

// ---- cloud

func (w *world) group(_ context.Context, name string) (*group, error) {
	for _, c := range stacks.Colours() {
		for _, role := range roles {
			if stacks.FleetName("prod", role, c) != name || w.stood[c] == stacks.StandingNone {
				continue
			}
			g := &group{desired: 2 + w.grown[name], least: 2}
			if role == stacks.RoleC4SBC && w.stood[c].Serves() {
				g.targets = []string{"arn:sip"}
			}
			for _, b := range w.boxes {
				if b.colour == c && b.role == role {
					g.members = append(g.members, member{fleet.Member{Node: stacks.Node{Name: b.id, InstanceID: b.id}, Public: w.public(b), InService: !b.booting}, b.aside})
				}
			}
			return g, nil
		}
	}
	return nil, nil
}

// public is the address of the pool that a machine has, or else its own.
func (w *world) public(b *box) netip.Addr {
	if b.address > 0 {
		return netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", b.address))
	}
	return netip.MustParseAddr("192.0.2." + strings.TrimPrefix(b.id, "i-"))
}

// grow makes machines that take an address at their boot, where calls are to come to them and one is free.
func (w *world) grow(_ context.Context, name string, n int) error {
	for _, c := range stacks.Colours() {
		for _, role := range roles {
			for stacks.FleetName("prod", role, c) == name && 2+w.grown[name] < n {
				w.grown[name]++
				w.made++
				b := &box{id: fmt.Sprintf("i-%d", w.made), role: role, colour: c, aside: !w.stood[c].Serves(), level: drain.Normal}
				w.boxes = append(w.boxes, b)
				if role == stacks.RoleC4SBC && !b.aside {
					assert.True(w.t, w.take(b), "%s finds no address", b.id)
					b.tells = w.public(b)
				}
			}
		}
	}
	return w.note("grow %s %d", name, n)
}

// take gives a machine a free address of the pool.
func (w *world) take(b *box) bool {
	taken := map[int]bool{}
	for _, b := range w.boxes {
		taken[b.address] = true
	}
	for i := range w.size {
		if !taken[i+1] {
			b.address = i + 1
			return true
		}
	}
	return false
}

func (w *world) mark(_ context.Context, ids []string, aside bool) error {
	for _, id := range ids {
		w.find(id).aside = aside
	}
	if len(ids) == 0 {
		return nil
	}
	return w.note("mark %v %v", ids, aside)
}

func (w *world) pool(context.Context, string) ([]address, error) {
	all := make([]address, w.size)
	for i := range all {
		all[i].ip = netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", i+1))
		for _, b := range w.boxes {
			if b.address == i+1 {
				all[i].association, all[i].instance = "eipassoc-"+b.id, b.id
			}
		}
	}
	return all, nil
}

func (w *world) release(_ context.Context, association string) error {
	b := w.find(strings.TrimPrefix(association, "eipassoc-"))
	assert.Zero(w.t, b.calls, "%s has calls, and loses its address", b.id)
	assert.Equal(w.t, drain.Drain, b.level, "%s may get calls, and loses its address", b.id)
	b.address = 0
	return w.note("release %s", b.id)
}

func (w *world) targets(_ context.Context, arns []string) (map[string]string, error) {
	found := map[string]string{}
	for _, b := range w.boxes {
		if len(arns) > 0 && b.role == stacks.RoleC4SBC && w.stood[b.colour].Serves() {
			assert.False(w.t, b.level == drain.Normal && b.address == 0, "the load balancer sends calls to %s, which has no address", b.id)
			found[b.id] = healthy
			if b.level != drain.Normal {
				found[b.id] = "unhealthy"
			}
		}
	}
	return found, nil
}

func (w *world) alarms(context.Context, string) ([]alarm, error) { return w.on, nil }

// ---- machines

func (w *world) level(_ context.Context, n stacks.Node, l drain.Level) error {
	b := w.find(n.InstanceID)
	switch {
	case b.deaf:
		return cli.WithCode(cli.ExitUnreachable, errors.New(n.Name+" does not hear"))
	case b.level == l:
		return nil
	}
	b.level = l
	return w.note("level %s %s", n.Name, l)
}

func (w *world) busy(_ context.Context, n stacks.Node) (int, time.Duration, error) {
	b := w.find(n.InstanceID)
	b.calls = max(0, b.calls-1)
	return b.calls, 0, w.note("busy %s", n.Name)
}

func (w *world) claim(_ context.Context, n stacks.Node) error {
	b := w.find(n.InstanceID)
	assert.False(w.t, !b.aside && b.level == drain.Normal, "%s may have calls, and gets another address", b.id)
	if !w.take(b) {
		return errors.New("no address is free")
	}
	b.tells = w.public(b)
	if w.thief {
		w.size--
	}
	return w.note("claim %s", n.Name)
}

func (w *world) announce(_ context.Context, n stacks.Node, address netip.Addr) error {
	b := w.find(n.InstanceID)
	assert.True(w.t, b.aside, "%s may have calls, and tells callers another address", b.id)
	b.tells = address
	return nil
}

// reachable fails the test where calls of carriers or phones come to nobody, or to a machine that its makers have not tried.
func (w *world) reachable(what string) {
	for _, role := range roles {
		there := slices.ContainsFunc(w.boxes, func(b *box) bool {
			return b.role == role && !b.aside && b.level == drain.Normal && (role == stacks.RoleC4Router || b.address > 0)
		})
		assert.True(w.t, there, "after %s no %s takes new calls", what, role)
	}
	there := slices.ContainsFunc(w.boxes, func(b *box) bool {
		return b.role == stacks.RoleC4SBC && w.stood[b.colour].Serves() && b.level == drain.Normal
	})
	assert.True(w.t, there, "after %s the load balancer has no SBC", what)
}

func (w *world) tools() tools {
	return tools{
		set: func(_ context.Context, _, stack, setting, value string) error {
			require.Equal(w.t, "prod", stack)
			w.write(setting, value)
			if setting == stacks.ReleaseBegan {
				return w.note("began")
			}
			return w.note("set %s %s", setting, value)
		},
		deploy: func(_ context.Context, o *deploy.Options) (*deploy.Report, error) {
			assert.True(w.t, o.KeepProtected && o.Yes)
			assert.Contains(w.t, o.Skip, deploy.StepHealth, "the colour that calls leave may be ill")
			err := w.note("deploy %s", o.Message)
			if err == nil {
				w.happen()
				for _, name := range w.failing {
					w.on = append(w.on, alarm{name, time.Now()})
				}
			}
			return &deploy.Report{}, err
		},
		outputs: func(context.Context, string, string) (stacks.Outputs, error) {
			o := stacks.Outputs{Stack: "prod", Region: "us-east-1"}
			for _, c := range stacks.Colours() {
				if w.stood[c] != stacks.StandingNone {
					f := stacks.Fleet{Name: string(c), Role: stacks.RoleC4SBC, Colour: c, Standing: w.stood[c]}
					if w.colourless {
						f.Colour, f.Standing = "", ""
					}
					o.Fleets = append(o.Fleets, f)
				}
			}
			return o, nil
		},
		cloud:    func(context.Context, string) (cloud, error) { return w, nil },
		machines: func(stacks.Outputs, *cli.IO) machines { return w },
		health: func(_ context.Context, _ *cli.IO, stack stacks.Outputs, _ time.Duration, _ progress.Step) (health.Report, error) {
			w.reachable(strings.Join(w.notes, "; "))
			w.checked = nil
			for _, n := range stack.Nodes {
				w.checked = append(w.checked, n.Name)
			}
			return health.Report{}, w.note("health")
		},
		call: func(_ context.Context, _ *cli.IO, domain string, server netip.Addr, _ progress.Step) error {
			assert.Equal(w.t, "acme.voice.example.com", domain)
			i := slices.IndexFunc(w.boxes, func(b *box) bool { return b.tells == server })
			assert.GreaterOrEqual(w.t, i, 0, "nobody that tells callers %s has sound", server)
			return w.note("call %s", server)
		},
		calls: func(_ context.Context, _ stacks.Outputs, _ func(string) string, since, until time.Time) (outcome, error) {
			if until.Sub(since) == memory {
				w.since = append(w.since, since)
				return w.before, nil
			}
			return w.now, w.note("calls")
		},
		pause: time.Millisecond,
	}
}

// run runs the command. Typed is what the person at the terminal types; automation has no terminal.
func (w *world) run(ctx context.Context, typed string, args ...string) error {
	w.out.Reset()
	w.err.Reset()
	w.notes = nil
	o := &Options{Source: stackarg.Source{Dir: w.dir}, tools: w.tools()}
	env := map[string]string{"CALLDATA_SECRETS_FILE": w.secrets}
	o.IO = &cli.IO{In: strings.NewReader(typed), InIsTerminal: typed != "", Out: &w.out, Err: &w.err, Getenv: func(name string) string { return env[name] }}
	cmd := newCmd(o)
	cmd.SetArgs(append([]string{"prod", BlueGreen, "--soak", "0s"}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(ctx)
}

// auto is run without a person, with the domain.
func (w *world) auto(args ...string) error {
	return w.run(w.t.Context(), "", append([]string{"--yes", "--json", "--domain", "acme.voice.example.com"}, args...)...)
}

func (w *world) report() Report {
	var r Report
	require.NoError(w.t, json.Unmarshal(w.out.Bytes(), &r), w.out.String())
	return r
}

func (w *world) assertStanding(blue, green stacks.Standing) {
	w.t.Helper()
	want := map[stacks.Colour]stacks.Standing{stacks.Blue: blue, stacks.Green: green}
	assert.Equal(w.t, want, w.stood, "as it was deployed")
	for c, s := range want {
		assert.Equal(w.t, string(s), w.file[c.Setting()], "the settings say the same")
	}
	serves := blue.Serves() && green.Serves()
	for _, b := range w.boxes {
		assert.Equal(w.t, !want[b.colour].Serves(), b.aside, "%s %s", b.colour, b.id)
		if b.role == stacks.RoleC4SBC && !serves {
			assert.Equal(w.t, want[b.colour].Serves(), b.address > 0, "addresses are with those that serve: %s %s", b.colour, b.id)
		}
		if want[b.colour].Serves() {
			assert.Equal(w.t, drain.Normal, b.level, "%s %s", b.colour, b.id)
		}
	}
}

// happened are the notes that begin with one of the words.
func (w *world) happened(words ...string) []string {
	return slices.DeleteFunc(slices.Clone(w.notes), func(note string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(note, word+" ") })
	})
}

func TestReleaseMovesTheCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
	require.NoError(t, w.auto(), w.err.String())
	w.assertStanding(stacks.StandingOld, stacks.StandingLive)
	assert.Equal(t, []string{
		"set blueFleets held", "set greenFleets new", "deploy release: blue held, green new",
		"claim i-5", "claim i-6", "set greenFleets live", "deploy release: blue held, green live", "mark [i-5 i-6 i-7 i-8] false",
		"set blueFleets old", "deploy release: blue old, green live", "mark [i-1 i-2 i-3 i-4] true",
		"level i-1 drain", "release i-1", "level i-2 drain", "release i-2",
	}, w.happened("set", "deploy", "claim", "mark", "level", "release"))
	assert.Equal(t, []string{"call 192.0.2.5", "call 192.0.2.6"}, w.happened("call")[:2], "it is tried before it has an address that phones know")
	r := w.report()
	assert.Equal(t, Released, r.Result)
	for _, s := range r.Steps {
		assert.Equal(t, verdict.OK, s.Status, s.Name)
	}
	assert.Contains(t, r.Next, "blue is kept")
	assert.Equal(t, []string{"i-5", "i-6", "i-7", "i-8"}, w.checked, "health asks the machines that calls come to")

	t.Log("once more has nothing left to do")
	require.NoError(t, w.auto())
	assert.Empty(t, w.happened("set", "deploy", "claim", "release", "grow"))

	t.Log("the old colour goes when it has no call left")
	require.NoError(t, w.run(t.Context(), "", "--finish", "--yes", "--json"))
	w.assertStanding(stacks.StandingNone, stacks.StandingLive)
	assert.Equal(t, Finished, w.report().Result)
	assert.NotContains(t, w.notes, "health")

	t.Log("the next release goes the other way")
	require.NoError(t, w.auto())
	w.assertStanding(stacks.StandingLive, stacks.StandingOld)
}

func TestReleaseGoesBackByItself(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail string
		with func(*world)
		want string
	}{
		"calls by a new SBC":       {with: func(w *world) { w.broken = "call 203.0.113.3" }, want: "a call by the SBC i-5"},
		"machines are ill":         {fail: "health"},
		"a deployment fails":       {fail: "deploy release: blue held, green live"},
		"the next one, too":        {fail: "deploy release: blue old"},
		"an old SBC does not hear": {fail: "level i-2 drain"},
		"the last address":         {fail: "release i-2"},
		"more calls fail":          {with: func(w *world) { w.before, w.now = outcome{1000, 10}, outcome{100, 4} }, want: "in the hour before the release, 10 of 1000 calls failed"},
		"an alarm":                 {with: func(w *world) { w.on, w.failing = []alarm{{"prod-old", time.Now().Add(-memory)}}, []string{"prod-new"} }, want: "since the release began: prod-new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
			if w.fail = c.fail; c.with != nil {
				c.with(w)
			}
			err := w.auto()
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
			assert.Equal(t, WentBack, w.report().Result, w.out.String())
			w.assertStanding(stacks.StandingHeld, stacks.StandingNew)
			w.reachable("going back")

			t.Log("mended, the same command goes on")
			w.before, w.now, w.failing, w.on, w.broken = outcome{}, outcome{}, nil, nil, ""
			require.NoError(t, w.auto())
			w.assertStanding(stacks.StandingOld, stacks.StandingLive)
		})
	}
}

// What is wrong before any call has moved leaves them where they are.
func TestNewColourThatIsIll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
	w.broken = "call 192.0.2."
	err := w.auto()
	require.ErrorContains(t, err, "a call by the SBC i-5")
	assert.Equal(t, Failed, w.report().Result)
	assert.Contains(t, w.report().Next, "no calls have moved")
	w.assertStanding(stacks.StandingHeld, stacks.StandingNew)
	assert.Empty(t, w.happened("claim", "mark", "level"))
	assert.Equal(t, cli.ExitUsage, cli.Code(w.auto("--back")), "there is nothing to go back from")

	require.NoError(t, w.run(t.Context(), "", "--finish", "--yes", "--json"))
	w.assertStanding(stacks.StandingHeld, stacks.StandingNone)
	assert.Contains(t, w.report().Next, "blue stays as it is until the next release")
}

// A release that cannot call is none: that is said before anything is changed.
func TestPasswordThatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
	w.secrets = filepath.Join(w.dir, "nothing.yml")
	err := w.run(t.Context(), "", "--yes", "--json", "--domain", "acme")
	require.ErrorContains(t, err, "CALLDATA_SECRETS_FILE")
	require.ErrorContains(t, err, w.secrets)
	require.ErrorContains(t, err, `--domain is "acme"`, "all that is wrong is told at once")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.Empty(t, w.notes)
	assert.Empty(t, w.out.String())
}

// Codes that say that nothing was changed are not those of a step, whatever fails in it: the settings are written by then.
func TestInputThatIsFoundWrongLate(t *testing.T) {
	t.Parallel()
	for _, code := range []int{cli.ExitUsage, cli.ExitPreflight} {
		w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
		w.fail, w.code = "deploy", code
		err := w.auto()
		require.ErrorContains(t, err, "green: bring up: broken: deploy")
		assert.Equal(t, cli.ExitError, cli.Code(err))
		r := w.report()
		assert.Equal(t, Failed, r.Result)
		assert.Contains(t, r.Next, "no calls have moved")
		assert.Equal(t, stacks.StandingNew, r.Standings[stacks.Green])
		assert.Len(t, r.Steps, 1)

		w = newWorld(t, stacks.StandingLive, stacks.StandingNone)
		w.fail, w.code = "claim", code
		assert.Equal(t, cli.ExitUnhealthy, cli.Code(w.auto()), "the calls are back")
		assert.Equal(t, WentBack, w.report().Result)
	}
}

// Wherever it is cut off, the same command goes on, and --back goes back.
func TestReleaseGoesOnAfterCtrlC(t *testing.T) {
	t.Parallel()
	points := []string{"set blueFleets held", "set greenFleets new", "deploy release: blue held, green new", "claim i-6", "set greenFleets live",
		"deploy release: blue held, green live", "mark [i-5", "set blueFleets old", "deploy release: blue old", "mark [i-1", "level i-1", "busy i-2", "release i-2"}
	for _, how := range []string{"on", "back"} {
		for i, point := range points {
			t.Run(how+" "+point, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
				ctx, cancel := context.WithCancel(t.Context())
				w.fail, w.stop = point, cancel
				err := w.run(ctx, "", "--yes", "--json", "--domain", "acme.voice.example.com")
				assert.Equal(t, cli.ExitInterrupted, cli.Code(err), err)
				assert.Equal(t, Failed, w.report().Result, "nothing goes back by itself when somebody stops it")
				w.reachable(point)
				w.stop = nil
				if how == "on" {
					require.NoError(t, w.auto(), w.err.String())
					w.assertStanding(stacks.StandingOld, stacks.StandingLive)
					return
				}
				if err = w.auto("--back"); i <= slices.Index(points, "claim i-6") {
					assert.Equal(t, cli.ExitUsage, cli.Code(err), err)
					return
				}
				require.NoError(t, err, w.err.String())
				assert.Equal(t, WentBack, w.report().Result)
				w.assertStanding(stacks.StandingHeld, stacks.StandingNew)
			})
		}
	}
}

func TestBackFromAnOldColour(t *testing.T) {
	t.Parallel()
	w := wentForward(t)
	w.secrets = ""
	require.NoError(t, w.run(t.Context(), "prod\n", "--back"), w.err.String())
	w.assertStanding(stacks.StandingHeld, stacks.StandingNew)
	assert.Contains(t, w.err.String(), "The calls of stack prod go back to blue. Type prod to go on")
	assert.Contains(t, w.out.String(), "prod: went back; blue held, green new")
	assert.Empty(t, w.since, "nothing is judged that could keep them from it")
	assert.Empty(t, w.happened("call"), "and nobody is called")
}

// Where the pool has too few addresses for both colours, the new one begins with fewer SBCs, and grows as old ones give theirs back.
func TestPoolThatIsShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
	w.size = 5
	require.NoError(t, w.grow(t.Context(), "prod-c4-sbc", 3))
	require.NoError(t, w.auto(), w.err.String())
	w.assertStanding(stacks.StandingOld, stacks.StandingLive)
	assert.Equal(t, []string{
		"claim i-6", "claim i-7", "mark [i-6 i-7 i-8 i-9] false", "mark [i-1 i-2 i-5 i-3 i-4] true", "release i-1", "grow prod-c4-sbc-green 3", "release i-2", "release i-5",
	}, w.happened("claim", "mark", "release", "grow"), "no SBC waits for an address where calls come to it")

	full := newWorld(t, stacks.StandingLive, stacks.StandingNone)
	full.size = 3
	err := full.auto()
	require.ErrorContains(t, err, "the pool has 1 free addresses, and the first SBCs of green need 2 (sbcMin)")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.Empty(t, full.notes)
}

// SBCs that boot in the middle of it take addresses, too.
func TestAddressThatSomebodyElseTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
	w.size, w.thief = 4, true
	err := w.auto()
	require.ErrorContains(t, err, "1 of 2 SBCs of green have an address of the pool, and no other is free")
	assert.Equal(t, []string{"claim i-5"}, w.happened("claim"), "the pool is asked again before each claim")
	assert.Equal(t, WentBack, w.report().Result)
}

// On the way back an SBC that has to wait refuses calls until it has an address.
func TestBackWithAPoolThatIsShort(t *testing.T) {
	t.Parallel()
	w := wentForward(t)
	w.boxes[4].address, w.boxes[5].address, w.size = 1, 2, 3
	require.NoError(t, w.auto("--back"), w.err.String())
	w.assertStanding(stacks.StandingHeld, stacks.StandingNew)
	assert.Equal(t, []string{
		"level i-1 normal", "level i-3 normal", "level i-4 normal", "mark [i-1 i-3 i-4] false", "mark [i-5 i-6 i-7 i-8] true",
		"level i-5 drain", "release i-5", "level i-2 normal", "mark [i-2] false", "level i-6 drain", "release i-6",
	}, w.happened("level", "mark", "release"))
}

// wentForward is a world whose calls have moved to green.
func wentForward(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, stacks.StandingOld, stacks.StandingLive)
	for _, b := range w.boxes {
		if b.colour == stacks.Blue {
			b.level, b.calls = drain.Drain, 0
		}
	}
	return w
}

// An SBC that nobody can log in to keeps its address, and does not keep the calls from going back.
func TestBackPassesOverWhoDoesNotHear(t *testing.T) {
	t.Parallel()
	w := wentForward(t)
	w.boxes[4].deaf = true
	require.NoError(t, w.auto("--back"), w.err.String())
	r := w.report()
	assert.Equal(t, WentBack, r.Result)
	assert.Contains(t, r.Next, "passed over, with their addresses, until --finish: i-5")
	assert.NotZero(t, w.boxes[4].address)
	assert.Zero(t, w.boxes[5].address, "the other one has given its address back")
	w.reachable("going back")
	i := slices.IndexFunc(r.Steps, func(s verdict.Step) bool { return s.Name == "green: drain i-5" })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, verdict.Fail, r.Steps[i].Status)
}

// What a first try has spoilt is not usual for the second one.
func TestSecondTryIsJudgedLikeTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
	w.failing = []string{"prod-new"}
	require.Error(t, w.auto())
	_, err := time.Parse(time.RFC3339, w.file[stacks.ReleaseBegan])
	require.NoError(t, err, "the settings keep when it began")

	began := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Second)
	w.write(stacks.ReleaseBegan, began.Format(time.RFC3339))
	w.failing, w.since = nil, nil
	err = w.auto()
	require.ErrorContains(t, err, "since the release began: prod-new", "it has not come on before the release")
	assert.Equal(t, []time.Time{began.Add(-memory)}, w.since)
	assert.Equal(t, began.Format(time.RFC3339), w.file[stacks.ReleaseBegan])
	assert.Contains(t, w.err.String(), "the alarm prod-new has come on since")

	t.Log("another release begins anew")
	w.on = nil
	require.NoError(t, w.auto())
	require.NoError(t, w.run(t.Context(), "", "--finish", "--yes", "--json"))
	require.NoError(t, w.auto())
	assert.NotEqual(t, began.Format(time.RFC3339), w.file[stacks.ReleaseBegan])
}

func TestHealthOfFleets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingHeld, stacks.StandingLive)
	r := &release{Options: &Options{Source: stackarg.Source{Stack: "prod"}, tools: w.tools()}, cloud: w}
	step := progress.Discard.Step("health")
	w.boxes[5].booting = true
	_, err := r.health(t.Context(), stacks.Green, step)
	require.ErrorContains(t, err, "1 of 2 machines of prod-c4-sbc-green are in service")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	assert.Empty(t, w.checked)

	require.NoError(t, w.grow(t.Context(), "prod-c4-sbc-green", 3))
	_, err = r.health(t.Context(), stacks.Green, step)
	require.NoError(t, err, "a fleet that grows is not ill")
	assert.Equal(t, []string{"i-5", "i-9", "i-7", "i-8"}, w.checked)

	w.boxes[4].level = drain.Drain
	_, err = r.health(t.Context(), stacks.Green, step)
	require.ErrorContains(t, err, `the load balancer says of i-5: "unhealthy"`)
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
}

func TestFinishWaitsForCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingOld, stacks.StandingLive)
	w.boxes[3].calls = 1 << 30
	err := w.run(t.Context(), "", "--finish", "--yes", "--json", "--wait", "1s")
	require.ErrorContains(t, err, "i-4 has")
	assert.ErrorContains(t, err, "calldata setup")
	assert.Equal(t, cli.ExitTimeout, cli.Code(err))
	assert.Empty(t, w.happened("set", "deploy", "level"), "its machines take what engines send them")
}

func TestNothingIsDone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blue, green stacks.Standing
		stood       stacks.Standing // of green, where the settings know nothing of it
		typed       string
		args        []string
		code        int
		want        []string
	}{
		"a dry run":              {stacks.StandingLive, stacks.StandingNone, "", "", []string{"--dry-run", "--domain", "a.example"}, cli.ExitOK, nil},
		"nobody to ask":          {stacks.StandingLive, stacks.StandingNone, "", "", []string{"--domain", "a.example"}, cli.ExitUsage, []string{"nobody can be asked"}},
		"declined":               {stacks.StandingLive, stacks.StandingNone, "", "dev\n", []string{"--domain", "a.example"}, cli.ExitDeclined, []string{"nothing was changed"}},
		"all that is wrong":      {stacks.StandingLive, stacks.StandingNone, "", "", []string{"--back", "--finish", "--wait", "0s", "--limit", "101"}, cli.ExitUsage, []string{"--back and --finish", "--wait", "--limit", "nobody"}},
		"no domain":              {stacks.StandingLive, stacks.StandingNone, "", "", []string{"--yes"}, cli.ExitUsage, []string{`--domain is ""`}},
		"settings of nobody":     {stacks.StandingLive, stacks.StandingLive, "", "", []string{"--yes", "--domain", "a.example"}, cli.ExitUsage, []string{"none that a release leaves"}},
		"older than the stack":   {stacks.StandingLive, stacks.StandingNone, stacks.StandingLive, "", []string{"--yes", "--domain", "a.example"}, cli.ExitUsage, []string{"git pull"}},
		"nothing to finish":      {stacks.StandingLive, stacks.StandingNone, "", "", []string{"--yes", "--finish"}, cli.ExitUsage, []string{"nothing is to be finished"}},
		"finish in the middle":   {stacks.StandingHeld, stacks.StandingLive, "", "", []string{"--yes", "--finish"}, cli.ExitUsage, []string{"both colours take calls"}},
		"nothing to go back for": {stacks.StandingLive, stacks.StandingNone, "", "", []string{"--yes", "--back"}, cli.ExitUsage, []string{"no calls have moved"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.blue, c.green)
			if c.stood != "" {
				w.stood[stacks.Green] = c.stood
			}
			err := w.run(t.Context(), c.typed, c.args...)
			assert.Equal(t, c.code, cli.Code(err), err)
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Empty(t, w.notes)
			if c.code == cli.ExitOK {
				assert.Contains(t, w.err.String(), "1. bring up: deploy green; blue stays as it is from now on")
				assert.Contains(t, w.out.String(), "prod: planned")
			}
		})
	}
}

func TestPlaceOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		blue, green stacks.Standing
		base        stacks.Colour
		stage       stage
	}{
		{stacks.StandingLive, stacks.StandingNone, stacks.Blue, alone}, {stacks.StandingHeld, stacks.StandingNone, stacks.Blue, alone},
		{stacks.StandingNone, stacks.StandingLive, stacks.Green, alone}, {stacks.StandingHeld, stacks.StandingNew, stacks.Blue, beside},
		{stacks.StandingNew, stacks.StandingHeld, stacks.Green, beside}, {stacks.StandingHeld, stacks.StandingLive, stacks.Blue, shared},
		{stacks.StandingLive, stacks.StandingOld, stacks.Green, moved}, {stacks.StandingOld, stacks.StandingLive, stacks.Blue, moved},
	} {
		p, s, err := placeOf(map[stacks.Colour]stacks.Standing{stacks.Blue: c.blue, stacks.Green: c.green})
		require.NoError(t, err)
		assert.Equal(t, c.base, p.base, "%s %s", c.blue, c.green)
		assert.Equal(t, c.stage, s, "%s %s", c.blue, c.green)
	}
}

// Machines from before there were colours do not know who stands aside.
func TestStackWithoutColours(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stacks.StandingLive, stacks.StandingNone)
	w.colourless = true
	err := w.auto()
	require.ErrorContains(t, err, "`calldata deploy prod` first")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.Empty(t, w.notes)
}

func TestWorse(t *testing.T) {
	t.Parallel()
	assert.False(t, outcome{1, 1}.worse(outcome{}, 2), "one call may be anybody's")
	assert.True(t, outcome{2, 2}.worse(outcome{}, 2), "two of two are not, on a platform however small")
	assert.True(t, outcome{7, 2}.worse(outcome{}, 2))
	assert.False(t, outcome{8, 2}.worse(outcome{}, 2))
	assert.False(t, outcome{7, 2}.worse(outcome{50, 5}, 2), "where each tenth fails anyhow, two of seven are no news")
	assert.True(t, outcome{30, 3}.worse(outcome{}, 2))
	assert.True(t, outcome{1, 1}.worse(outcome{100, 0}, 0), "who allows none gets none")
	assert.False(t, outcome{1000, 20}.worse(outcome{}, 2))
	assert.True(t, outcome{1000, 21}.worse(outcome{}, 2))
	assert.False(t, outcome{1000, 60}.worse(outcome{100, 5}, 2), "what fails anyhow does not count")
	assert.False(t, outcome{}.worse(outcome{}, 0))
	assert.InDelta(t, 0.0079, atLeast(2, 7, 0.02), 0.00005)
	assert.InDelta(t, 0.5, atLeast(1, 1, 0.5), 1e-9)
}
