package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/stacks"
)

// found is what a check answers; the runner adds name, node and time.
type found struct {
	status      verdict.Status
	detail      string
	unreachable bool
	coming      bool
}

func ok(format string, args ...any) found {
	return found{status: verdict.OK, detail: fmt.Sprintf(format, args...)}
}
func warn(format string, args ...any) found {
	return found{status: verdict.Warn, detail: fmt.Sprintf(format, args...)}
}
func skip(format string, args ...any) found {
	return found{status: verdict.Skip, detail: fmt.Sprintf(format, args...)}
}
func fail(format string, args ...any) found {
	return found{status: verdict.Fail, detail: fmt.Sprintf(format, args...)}
}

// cloudInit reads the result that cloud-init leaves when it is done (cloud-init documentation, "Status of cloud-init":
// /run/cloud-init/result.json).
func cloudInit(ctx context.Context, h *host) found {
	out, err := h.run(ctx, `if [ -e /run/cloud-init/result.json ]; then cat /run/cloud-init/result.json;`+
		` elif command -v cloud-init >/dev/null; then echo running; else echo absent; fi`)
	if err != nil {
		return fail("%v", err)
	}
	return judgeCloudInit(strings.TrimSpace(out))
}

func judgeCloudInit(out string) found {
	switch out {
	case "running":
		return fail("not done yet")
	case "absent":
		return skip("cloud-init is not installed")
	}
	var result struct {
		V1 struct {
			Datasource string   `json:"datasource"`
			Errors     []string `json:"errors"`
		} `json:"v1"`
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		return fail("/run/cloud-init/result.json: %v", err)
	}
	if len(result.V1.Errors) > 0 {
		return fail("%d errors, first: %s", len(result.V1.Errors), result.V1.Errors[0])
	}
	return ok("done, %s", result.V1.Datasource)
}

// systemdUnits looks for failed units, and for the ones that the node's roles need.
func systemdUnits(ctx context.Context, h *host, roles []stacks.Role) found {
	out, err := h.run(ctx, "systemctl list-units --failed --plain --no-legend --no-pager; test ! -e "+disabledFlag+"; echo disabled=$?")
	if err != nil {
		return fail("%v", err)
	}
	failed, disabled := parseFailed(out)
	var needed []string
	for _, role := range roles {
		u := unitsOf(role)
		needed = append(needed, u.always...)
		if !disabled {
			needed = append(needed, u.unlessDisabled...)
		}
	}
	// Exit code 3 says that one is not active; which one is in the output.
	states, err := h.run(ctx, "systemctl is-active "+strings.Join(needed, " ")+" || true")
	if err != nil {
		return fail("%v", err)
	}
	return judgeUnits(failed, needed, strings.Fields(states), disabled)
}

func parseFailed(out string) (failed []string, disabled bool) {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case strings.HasPrefix(fields[0], "disabled="):
			disabled = fields[0] == "disabled=1"
		default:
			failed = append(failed, fields[0])
		}
	}
	return failed, disabled
}

func judgeUnits(failed, needed, states []string, disabled bool) found {
	if len(states) != len(needed) {
		return fail("systemctl answered %d states for %d units", len(states), len(needed))
	}
	var wrong []string
	for i, unit := range needed {
		if states[i] != "active" && !slices.Contains(failed, unit) {
			wrong = append(wrong, strings.TrimSuffix(unit, ".service")+" "+states[i])
		}
	}
	for _, unit := range failed {
		wrong = append(wrong, strings.TrimSuffix(unit, ".service")+" failed")
	}
	switch {
	case len(wrong) > 0:
		return fail("%s", strings.Join(wrong, ", "))
	case disabled:
		return warn("%d units active; telephony is switched off on purpose (%s)", len(needed), disabledFlag)
	}
	return ok("%d units active, none failed", len(needed))
}

// postgres looks at the clusters and asks the engine's database a question.
func postgres(ctx context.Context, h *host) found {
	out, err := h.run(ctx, "pg_lsclusters --no-header")
	if err != nil {
		return fail("%v", err)
	}
	clusters, problem := judgeClusters(out)
	if problem != nil {
		return *problem
	}
	answer, err := h.run(ctx, "sudo -n -u postgres psql -d asterisk -v ON_ERROR_STOP=1 -tAc 'select 1'")
	if err != nil {
		return fail("select 1 in database asterisk: %v", err)
	}
	if strings.TrimSpace(answer) != "1" {
		return fail("select 1 in database asterisk answered %q", strings.TrimSpace(answer))
	}
	return ok("%s online, database asterisk answers", strings.Join(clusters, ", "))
}

// judgeClusters reads pg_lsclusters: version, cluster, port, status, owner, directory, log.
func judgeClusters(out string) ([]string, *found) {
	var clusters []string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		name := fields[0] + "-" + fields[1]
		// Standbys say "online,recovery".
		if !strings.HasPrefix(fields[3], "online") {
			problem := fail("cluster %s is %s", name, fields[3])
			return nil, &problem
		}
		clusters = append(clusters, name)
	}
	if len(clusters) == 0 {
		problem := fail("there is no cluster")
		return nil, &problem
	}
	return clusters, nil
}

// Shares of a file system, in percent, from which disk is a warning and a failure.
const (
	diskWarn = 85
	diskFail = 95
)

// disk looks at space and inodes of every local file system.
func disk(ctx context.Context, h *host) found {
	out, err := h.run(ctx, "df --local --output=target,pcent,ipcent -x tmpfs -x devtmpfs -x squashfs -x efivarfs")
	if err != nil && out == "" {
		return fail("%v", err)
	}
	return judgeDisk(out)
}

func judgeDisk(out string) found {
	worst, worstAt, what := -1, "", ""
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		for i, kind := range []string{"space", "inodes"} {
			share, err := strconv.Atoi(strings.TrimSuffix(fields[len(fields)-2+i], "%"))
			// The header is no number, nor is "-", which stands for what a file system does not count.
			if err == nil && share > worst {
				worst, worstAt, what = share, strings.Join(fields[:len(fields)-2], " "), kind
			}
		}
	}
	if worst < 0 {
		return fail("df answered nothing that can be read: %q", out)
	}
	detail := fmt.Sprintf("%d %% of %s on %s in use", worst, what, worstAt)
	switch {
	case worst >= diskFail:
		return fail("%s", detail)
	case worst >= diskWarn:
		return warn("%s", detail)
	}
	return ok("at most %s", detail)
}

// Differences between a machine's clock and this one's, from which time is a warning and a failure. Certificates, tokens and
// call records go by the clock; requests to AWS are refused from five minutes.
// Source: AWS IAM User Guide, "Elements of an AWS API request signature".
const (
	timeWarn = 5 * time.Second
	timeFail = time.Minute
)

// clock compares the machine's clock with this one, and asks whether it is kept right. A container has its host's clock.
func clock(ctx context.Context, h *host) found {
	before := time.Now()
	out, err := h.run(ctx, "date +%s.%N; if systemd-detect-virt --quiet --container; then echo container; else timedatectl show --property=NTPSynchronized --value || true; fi")
	if err != nil {
		return fail("%v", err)
	}
	return judgeClock(out, before, time.Now())
}

// judgeClock reads the answer, which was given some time between before and after.
func judgeClock(out string, before, after time.Time) found {
	fields := strings.Fields(out)
	if len(fields) == 0 {
		return fail("date answered nothing")
	}
	seconds, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return fail("date answered %q", fields[0])
	}
	there := time.UnixMicro(int64(seconds * 1e6))
	var off time.Duration
	switch {
	case there.Before(before):
		off = before.Sub(there)
	case there.After(after):
		off = there.Sub(after)
	}
	detail := fmt.Sprintf("%s off this machine's", off.Round(100*time.Millisecond))
	switch {
	case off >= timeFail:
		return fail("%s", detail)
	case off >= timeWarn:
		return warn("%s", detail)
	case len(fields) > 1 && fields[1] == "no":
		return warn("%s, but not synchronized by NTP", detail)
	}
	return ok("%s", detail)
}

// whyNot says in a few words why a connection did not come about.
func whyNot(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
