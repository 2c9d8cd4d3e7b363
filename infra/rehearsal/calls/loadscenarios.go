package calls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	// loadHold is how long a call of the load stands, loadStep how long each rate is kept.
	loadHold = time.Second
	loadStep = 8 * time.Second
	// fullCores is the share of this machine's processors from which on a rate tells nothing about the platform.
	fullCores = 0.97
	// madeShare is the share of a rate that has to be made for it to count: one message of the last call that is sent again makes 0.94.
	madeShare = 0.9
	// wantRate and wantRatio are the targets of the full load: new calls per second without a failure, and the share of
	// what a bare proxy does on the same machines.
	wantRate, wantRatio = 200, 0.6
)

// rates are those of the ramp.
func rates(short bool) []int {
	if short {
		return []int{25, 50}
	}
	out := []int{50, 100}
	// Steps that tell the ratio to within a tenth, and go on until something gives: a bare proxy carries more than 1,000.
	for rate := 150; rate <= 3000; rate += max(25, rate/1000*50) {
		out = append(out, rate)
	}
	return out
}

func needsLoad(p Plan) string {
	switch {
	case p.Numbers.Answer == "":
		return "the plan has no number that answers"
	case p.SSH == nil:
		return "the plan names no way into the machines"
	}
	if _, err := exec.LookPath("sipp"); err != nil {
		return "sipp is not installed: apt-get install sip-tester"
	}
	return ""
}

// shortLoad is a load that a rehearsal of every day has time for.
func shortLoad() Scenario {
	return Scenario{Group: GroupShortLoad, Name: "50 new calls a second", Skip: needsLoad, Run: func(t *Trial) {
		t.carries(t.ramp("", rates(true), t.plan.Numbers.Answer), 50)
	}}
}

// loadScenarios ramp the platform and a bare proxy on the same machines.
func loadScenarios() []Scenario {
	return []Scenario{{Group: GroupLoad, Name: "new calls a second, beside a bare Kamailio", Limit: 20 * time.Minute, Skip: needsLoad, Run: func(t *Trial) {
		best := t.ramp("", rates(false), t.plan.Numbers.Answer)
		t.bare()
		// Without a Router nobody makes the number what the engine knows.
		bare := t.ramp("bare ", rates(false), digits(t.plan.Numbers.Answer))
		t.carries(best, wantRate)
		t.step("the platform keeps up with a bare proxy", func(context.Context) error {
			ratio := float64(best.rate) / max(1, float64(bare.rate))
			t.figure("ratio", ratio, "")
			if ratio < wantRatio {
				return fmt.Errorf("it does %d new calls/s, the bare proxy %d: %.2f, want at least %.1f", best.rate, bare.rate, ratio, wantRatio)
			}
			return nil
		})
	}}}
}

// peak is the last rate without a failure, in new calls a second, and why there is no higher one.
type peak struct {
	rate int
	why  string
}

// ramp raises the rate until calls fail or the processors are full.
func (t *Trial) ramp(label string, rates []int, number string) peak {
	var best peak
	var answer time.Duration
	for _, rate := range rates {
		var stop bool
		t.step(fmt.Sprintf("%s%d new calls a second", label, rate), func(ctx context.Context) error {
			cpu := busy()
			usage, err := t.usage(ctx)
			if err != nil {
				return err
			}
			r, err := sipp(ctx, sippRun{
				from: t.plan.Carriers[0].Address, to: t.server(), number: number, caller: t.caller(),
				rate: rate, calls: rate * int(loadStep/time.Second), hold: loadHold,
			})
			if err != nil {
				return err
			}
			full := cpu()
			// SIPp makes calls later than it should where it does not get a processor.
			made := float64(r.ok+r.failed) / (r.took - loadHold).Seconds()
			late := made < madeShare*float64(rate)
			if r.failed == 0 && !late {
				best.rate, answer = rate, r.answer
				if err := usage(ctx, label, r.ok); err != nil {
					return err
				}
			}
			t.work.Logf("%s%d/s: %d ok, %d failed, answered after %s, %.0f %% of the processors", label, rate, r.ok, r.failed, r.answer.Round(time.Millisecond), 100*full)
			switch {
			case r.failed > 0:
				best.why = fmt.Sprintf("at %d a second %d of %d calls failed", rate, r.failed, r.ok+r.failed)
			case late:
				best.why = fmt.Sprintf("of %d a second no more than %.0f were made: the processors of this machine are too few", rate, made)
			case full > fullCores:
				best.why = fmt.Sprintf("at %d a second the processors of this machine were full", rate)
			}
			stop = best.why != ""
			return nil
		})
		if stop || t.failed() {
			break
		}
	}
	t.figure(label+"new calls", float64(best.rate), "calls/s")
	t.figure(label+"answered after", float64(answer.Milliseconds()), "ms")
	return best
}

// carries demands a rate without a failure.
func (t *Trial) carries(best peak, want int) {
	t.step("no call fails at "+strconv.Itoa(want)+" a second", func(context.Context) error {
		if best.rate < want {
			return fmt.Errorf("the best rate without a failure is %d: %s", best.rate, best.why)
		}
		return nil
	})
}

// busy begins to measure; what it answers tells the share of the processors that was in use since.
func busy() func() float64 {
	idle, total := processors()
	return func() float64 {
		idleNow, totalNow := processors()
		return 1 - float64(idleNow-idle)/max(1, float64(totalNow-total))
	}
}

// processors reads /proc/stat (proc(5)): ticks of idling and of all. What runs niced gives way, and counts as idling.
func processors() (idle, total int) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(data), "\n")
	for i, field := range strings.Fields(line)[1:] {
		n, _ := strconv.Atoi(field)
		total += n
		if i == 1 || i == 3 || i == 4 { // nice, idle and iowait
			idle += n
		}
	}
	return idle, total
}

// usageScript prints for each program its processor time in ticks and its proportional memory in KiB.
const usageScript = `
for p in /proc/[0-9]*; do
  [ -r $p/smaps_rollup ] || continue
  read -r name <$p/comm || continue
  case $name in kamailio|rtpengine|sipp|python3|postgres) ;; *) continue ;; esac
  set -- $(sed 's/.*) //' $p/stat)
  echo "$name $((${12} + ${13})) $(awk '/^Pss:/ {print $2}' $p/smaps_rollup)"
done 2>/dev/null
true`

// ticks is how many a second of processor time has on Linux (sysconf(_SC_CLK_TCK)).
const ticks = 100

type spent struct{ ticks, kib int }

// usage begins to measure what the programs of SBC, Router and engine take. What it answers notes it, per call.
func (t *Trial) usage(ctx context.Context) (func(ctx context.Context, label string, calls int) error, error) {
	watched := []struct {
		name    string
		machine Machine
	}{{"SBC", t.plan.SBCs[0]}, {"Router", t.plan.Routers[0]}, {"engine", t.plan.Engines[0]}}
	measure := func(ctx context.Context) ([]map[string]spent, error) {
		var all []map[string]spent
		for _, w := range watched {
			out, err := t.shell(ctx, w.machine, usageScript)
			if err != nil {
				return nil, err
			}
			all = append(all, readUsage(out))
		}
		return all, nil
	}
	before, err := measure(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, label string, calls int) error {
		after, err := measure(ctx)
		if err != nil {
			return err
		}
		for i, w := range watched {
			for _, program := range []string{"kamailio", "rtpengine"} {
				now, there := after[i][program]
				if !there {
					continue
				}
				name := label + w.name + " " + program
				t.refigure(name, 1000/ticks*float64(now.ticks-before[i][program].ticks)/max(1, float64(calls)), "ms/call")
				t.refigure(name, float64(now.kib)/1024, "MiB")
			}
		}
		return nil
	}, nil
}

func readUsage(out string) map[string]spent {
	all := map[string]spent{}
	for line := range strings.Lines(out) {
		var name string
		var s spent
		if _, err := fmt.Sscan(line, &name, &s.ticks, &s.kib); err == nil {
			sum := all[name]
			all[name] = spent{sum.ticks + s.ticks, sum.kib + s.kib}
		}
	}
	return all
}

// bareConfig is a proxy that records its route and hands on: no more than every proxy has to do. Its buffers and its allocator are
// those of our roles.
const bareConfig = `#!KAMAILIO
debug=2
log_stderror=no
children=8
maxbuffer=4194304
auto_aliases=no
listen=udp:%[1]s:5060%[2]s
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
modparam("rr", "enable_full_lr", 1)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) { loose_route(); t_relay(); exit; }
  record_route();
  $du = "sip:%[3]s:5060";
  t_relay();
}
`

// bare puts a bare proxy in the place of SBC and Router, until the scenario is over.
func (t *Trial) bare() {
	sbc, router, engine := t.plan.SBCs[0], t.plan.Routers[0], t.plan.Engines[0]
	t.finally(func(ctx context.Context) {
		for _, m := range []Machine{router, sbc} {
			if _, err := t.shell(ctx, m, "systemctl stop calldata-bare.service 2>/dev/null || true; rm -f /run/calldata-bare.cfg; systemctl start kamailio"); err != nil {
				t.step("the platform comes back", func(context.Context) error { return err })
			}
		}
		t.step("the platform comes back", func(context.Context) error { return t.ready(ctx) })
	})
	t.step("a bare proxy takes the place of SBC and Router", func(ctx context.Context) error {
		for _, h := range []struct {
			machine   Machine
			advertise string
			next      Machine
		}{{sbc, fmt.Sprintf(" advertise %s:5060", sbc.Address), router}, {router, "", engine}} {
			config := fmt.Sprintf(bareConfig, h.machine.Private, h.advertise, h.next.Private)
			script := "cat >/run/calldata-bare.cfg <<'CONFIG'\n" + config + "CONFIG\nsystemctl stop kamailio\n" +
				"systemctl reset-failed calldata-bare.service 2>/dev/null || true\nsystemd-run --quiet --collect --unit calldata-bare -p LimitNOFILE=65536 kamailio -DD -E -m 512 -M 16 -x fm -f /run/calldata-bare.cfg -Y /tmp\nsleep 1\nsystemctl is-active calldata-bare"
			if _, err := t.shell(ctx, h.machine, script); err != nil {
				return err
			}
		}
		return nil
	})
}

// ready waits until a call to the number that answers gets through.
func (t *Trial) ready(ctx context.Context) error {
	var last error
	for ctx.Err() == nil {
		r, err := sipp(ctx, sippRun{from: t.plan.Carriers[0].Address, to: t.server(), number: t.plan.Numbers.Answer, caller: t.caller(), rate: 1, calls: 1, hold: 100 * time.Millisecond})
		if err == nil && r.ok == 1 {
			return nil
		}
		last = err
	}
	return errors.Join(errors.New("no call gets through"), last, ctx.Err())
}

// refigure notes a value in the place of an earlier one of the same name and unit.
func (t *Trial) refigure(name string, value float64, unit string) {
	for i, f := range t.outcome.Figures {
		if f.Name == name && f.Unit == unit {
			t.outcome.Figures[i].Value = value
			return
		}
	}
	t.figure(name, value, unit)
}
