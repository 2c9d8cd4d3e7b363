package calls

import (
	"context"
	_ "embed" // SIPp's scenario
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed sipp/caller.xml
var sippCaller string

// sippBuffer is how many bytes may wait in SIPp's socket: its own 64 KiB are some 50 messages, which come while it does not run.
const sippBuffer = 4 << 20

// sippPort is where SIPp's own signalling is; the carrier's address is what the platform knows.
const sippPort = 6060

// sippRun is one run of SIPp.
type sippRun struct {
	from   netip.Addr
	to     netip.AddrPort
	number string
	// caller is the number that calls, by which records tell this run's calls.
	caller string
	// rate is in new calls per second, calls how many there are, hold how long each stands.
	rate, calls int
	hold        time.Duration
}

// sippResult is what it counted.
type sippResult struct {
	ok, failed int
	// answer is how long calls took to be answered, on average.
	answer time.Duration
	took   time.Duration
}

// sipp runs SIPp until all calls are over. The error is about SIPp itself: failed calls are counted.
func sipp(ctx context.Context, r sippRun) (sippResult, error) {
	dir, err := os.MkdirTemp("", "calldata-sipp-")
	if err != nil {
		return sippResult{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	scenario, counts := filepath.Join(dir, "caller.xml"), filepath.Join(dir, "counts.csv")
	if err := os.WriteFile(scenario, []byte(sippCaller), 0o600); err != nil {
		return sippResult{}, err
	}
	cmd := exec.CommandContext(ctx, "sipp", r.to.String(), "-sf", scenario, "-s", r.number, "-key", "caller", r.caller, //nolint:gosec // the plan's own values
		"-i", r.from.String(), "-p", strconv.Itoa(sippPort), "-r", strconv.Itoa(r.rate), "-m", strconv.Itoa(r.calls),
		"-l", strconv.Itoa(r.calls), "-d", strconv.FormatInt(r.hold.Milliseconds(), 10), "-recv_timeout", "15000", "-buff_size", strconv.Itoa(sippBuffer), "-nostdin",
		"-trace_stat", "-stf", counts, "-fd", "1")
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	begin := time.Now()
	out, runErr := cmd.CombinedOutput()
	took := time.Since(begin)
	data, err := os.ReadFile(counts) //nolint:gosec // written by SIPp
	if err != nil {
		return sippResult{}, fmt.Errorf("sipp: %w: %s (apt-get install sip-tester)", errors.Join(runErr, err), lastLine(string(out)))
	}
	result, err := readCounts(string(data))
	result.took = took
	// 1: some calls failed, which are counted.
	var exit *exec.ExitError
	if runErr != nil && (!errors.As(runErr, &exit) || exit.ExitCode() != 1) {
		err = errors.Join(err, fmt.Errorf("sipp: %w: %s", runErr, lastLine(string(out))))
	}
	return result, err
}

// readCounts reads the last line of SIPp's statistics.
func readCounts(text string) (sippResult, error) {
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma, reader.FieldsPerRecord, reader.LazyQuotes = ';', -1, true
	rows, err := reader.ReadAll()
	if err != nil || len(rows) < 2 {
		return sippResult{}, fmt.Errorf("sipp's statistics have %d lines: %w", len(rows), errors.Join(err, errors.New("want at least 2")))
	}
	last := rows[len(rows)-1]
	value := func(column string) string {
		for i, name := range rows[0] {
			if name == column && i < len(last) {
				return last[i]
			}
		}
		return ""
	}
	ok, err1 := strconv.Atoi(value("SuccessfulCall(C)"))
	failed, err2 := strconv.Atoi(value("FailedCall(C)"))
	r := sippResult{ok: ok, failed: failed, answer: clock(value("ResponseTime1(C)"))}
	if err := errors.Join(err1, err2); err != nil {
		return r, fmt.Errorf("sipp's statistics: %w", err)
	}
	return r, nil
}

// clock reads SIPp's 00:00:00:007000, hours to microseconds.
func clock(text string) time.Duration {
	var h, m, s, us int
	if _, err := fmt.Sscanf(text, "%d:%d:%d:%d", &h, &m, &s, &us); err != nil {
		return 0
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(us)*time.Microsecond
}
