// Package alarmtest has what alarms are tried with: on CloudWatch's terms, and on Prometheus's.
package alarmtest

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Case are the series of an alarm: "0x5 96x3 _" are five times 0, three times 96, and a value that is missing. Of an alarm with two
// metrics they are "of the first | of the second".
type Case struct {
	// After Fires the alarm is on, and was not before the last value; after Clears it is off, and was on; with Quiet it is never on. After
	// Gone, the state is that which ends the line.
	Fires, Clears, Quiet, Gone string
}

// Parse answers the values of a series, nil where one is missing, and those of the second metric, as many.
func Parse(text string) (m, n []*float64, err error) {
	first, second, _ := strings.Cut(text, " | ")
	if m, err = series(first); err != nil {
		return nil, nil, err
	}
	if n, err = series(second); err != nil {
		return nil, nil, err
	}
	for len(n) < len(m) {
		hundred := 100.0
		n = append(n, &hundred)
	}
	return m, n, nil
}

var run = regexp.MustCompile(`^(.+?)(?:x(\d+))?$`)

func series(text string) ([]*float64, error) {
	var s []*float64
	for _, word := range strings.Fields(text) {
		found := run.FindStringSubmatch(word)
		times, err := strconv.Atoi(cmp.Or(found[2], "1"))
		if err != nil {
			return nil, fmt.Errorf("series %q: %w", text, err)
		}
		var value *float64
		if found[1] != "_" {
			parsed, err := strconv.ParseFloat(found[1], 64)
			if err != nil {
				return nil, fmt.Errorf("series %q: %w", text, err)
			}
			value = &parsed
		}
		for range times {
			s = append(s, value)
		}
	}
	return s, nil
}

// Cases are those of every alarm. Where a threshold is a share, the thing has 100 of the capacity, but a fleet has at least 2 machines and at
// most 6, and a copy is made each hour.
var Cases = map[string]Case{
	"cpu":               {"40 86x3", "90x4 40", "40 90x2 80 90x2 85x9", "40 _x5 INSUFFICIENT_DATA"},
	"memory":            {"60 91x10", "95x12 88", "60 95x9 90 95x9", "95x12 _x12 INSUFFICIENT_DATA"},
	"disk":              {"85 86x2", "90x3 70", "84 86 84 86 85x5", "90x2 _x4 INSUFFICIENT_DATA"},
	"disk-full":         {"95 96x3", "99x4 94", "90x9 96x2 95", "99x3 _x5 INSUFFICIENT_DATA"},
	"inodes":            {"85 86x2", "90x3 70", "86 84 86 84", "90x2 _x4 INSUFFICIENT_DATA"},
	"network-allowance": {"0x5 7 0 7 0 7", "7x3 0x3", "0x5 900 0 0 0 0 40 40 0 0", "7x3 _x7 INSUFFICIENT_DATA"},
	"units-down":        {"0 1x5", "2x6 0", "0 1x4 0 1x4 0", "1x5 _x7 INSUFFICIENT_DATA"},
	"sources-down":      {"0 1x5", "2x6 0", "0 1x4 0 1x4", "1x5 _x7 INSUFFICIENT_DATA"},
	"silent":            {"1x17 _x17", "1x17 _x17 1", "1x9 _x14 1x9 _x9 1", "1x17 _x30 ALARM"},
	"status":            {"0 1x10", "1x12 0", "0 1x9 0", "1x10 _x12 INSUFFICIENT_DATA"},
	"volume":            {"0 1x3", "1x4 0", "0 1x2 0 1x2 0", "1x3 _x5 INSUFFICIENT_DATA"},

	"fleet-empty": {"2 0x3", "0x4 1", "2 0x2 1 0 2", "0x3 _x5 INSUFFICIENT_DATA"},
	"fleet-small": {"2 1x30", "1x31 2", "2 1x29 2x5 1x20", "1x30 _x32 INSUFFICIENT_DATA"},
	"fleet-grown": {"3 6x30", "6x30 5", "5 6x29 5", "6x30 _x32 INSUFFICIENT_DATA"},

	"web-errors":         {"0x4 11x3", "20x5 0x3", "10x9 11x2 0x9", "50x5 _x7 OK"},
	"web-engine-errors":  {"0x4 11x3", "20x5 0x3", "10x9 11x2 0x9", "50x5 _x7 OK"},
	"web-down":           {"1 0x3", "0x4 1", "2x3 0x2 1", "0x3 _x5 INSUFFICIENT_DATA"},
	"web-unhealthy":      {"0 1x10", "1x11 0", "0 1x9 0", "1x10 _x12 INSUFFICIENT_DATA"},
	"carriers-down":      {"1 0x3", "0x4 1", "2x3 0x2 1", "0x3 _x5 INSUFFICIENT_DATA"},
	"carriers-unhealthy": {"0 1x10", "1x11 0", "0 1x9 0", "1x10 _x12 INSUFFICIENT_DATA"},

	"database-cpu":           {"40 86x3", "90x4 40", "40 90x2 80 85x9", "90x3 _x5 INSUFFICIENT_DATA"},
	"database-storage":       {"6 4.9x3", "4x4 80", "4x2 5x9", "4x3 _x5 INSUFFICIENT_DATA"},
	"database-connections":   {"80 81x5", "90x6 80", "81x4 80x9", "90x5 _x7 INSUFFICIENT_DATA"},
	"database-memory":        {"2e9 1.2e8x3", "1e8x4 2e8", "1e8x2 134217728x9", "1e8x3 _x5 INSUFFICIENT_DATA"},
	"postgresql-connections": {"80 81x5", "90x6 80", "81x4 80x9", "90x5 _x7 INSUFFICIENT_DATA"},

	"targets-down":          {"0 1x5", "1x6 0", "0 1x4 0 1x4 0", "1x5 _x7 INSUFFICIENT_DATA"},
	"carrier-registrations": {"0 1x10", "1x11 0", "0 1x9 0", "1x10 _x12 INSUFFICIENT_DATA"},
	"registrations-fall":    {"100x3 79", "100 70 70", "100 80 64 52 42 34 28 23 19 16 13 11 9 0 100", "100 70 _x4 INSUFFICIENT_DATA"},
	"calls-fail":            {"30x3 71x3 | 100x9", "80x4 30 | 100x5", "70x9 19x9 | 100x9 19x9", "80x3 _x5 | 100x8 INSUFFICIENT_DATA"},
	"no-calls":              {"9 0x6", "0x8 1", "9 0x5 1 0x5 2", "0x6 _x8 INSUFFICIENT_DATA"},
	"server-errors":         {"0 1x5", "4x6 0", "0 90x4 0 1x4", "1x5 _x7 INSUFFICIENT_DATA"},
	"calls-many":            {"100 121x15", "150x17 110", "130x14 120x9", "130x15 _x17 INSUFFICIENT_DATA"},
	"shared-memory":         {"80 81x5", "90x6 80", "81x4 80x9", "90x5 _x7 INSUFFICIENT_DATA"},
	"media-ports":           {"9000 999x3", "0x4 1000", "1000x9 10x2 1000", "10x3 _x5 INSUFFICIENT_DATA"},
	"media-one-way":         {"0 10x2", "40x3 9", "9x9 40 0 40 0", "20x2 _x4 INSUFFICIENT_DATA"},
	"media-quality":         {"4.2 3.5x3", "3x4 3.7", "3.6x9 2x2 4", "3x3 _x5 INSUFFICIENT_DATA"},
	"bans":                  {"0 51x2", "90x3 2", "50x9 90 0 90", "90x2 _x4 INSUFFICIENT_DATA"},

	"certificate":        {"1814400 1814399x2", "9e5x3 7e6", "1814400x9 1e6 2e6", "1e6x2 _x4 INSUFFICIENT_DATA"},
	"certificate-ends":   {"259200 259199x2", "-5x3 7e6", "1e6x5 2e5 3e5", "1e5x2 _x4 INSUFFICIENT_DATA"},
	"web-certificate":    {"30 29", "9 395", "395 60 30", "9 _x3 INSUFFICIENT_DATA"},
	"backup-jobs-failed": {"0 1", "2 0", "0x20", "1 _x3 OK"},
	"backup-jobs-missed": {"0 1", "2 0", "0x20", "1 _x3 OK"},
	"backup-jobs-none":   {"1 0x3 2 _x32", "2 _x33 1", "3 _x24 1 _x21 3 0x29 1", "2 _x40 ALARM"},
	"copies-failed":      {"0 1", "2 0", "0x20", "1 _x3 OK"},
	"copies-late":        {"0 14401x3", "20000x4 0", "14400x9 15000x2 0", "15000x3 _x5 INSUFFICIENT_DATA"},

	"outside-call-fails":   {"1 _x5 0 _x5 0", "1 0 _x5 0 _x5 1 _x2", "1 _x5 0 _x5 1 _x5 1 _x5 0 _x5 1", "0 _x3 0 _x15 OK"},
	"outside-call-missing": {"1 _ 2 _ 2 _x8", "2 _x9 1", "1 _x5 1 _x7 2 _x7 1", "1 _x20 ALARM"},

	"logins-refused":   {"20 21", "90 20", "20x9 _ 20", "21 _x3 OK"},
	"sudo-refused":     {"0 1", "2 0", "0 _x9 0", "1 _x3 OK"},
	"out-of-memory":    {"0 1", "2 0", "0 _x9 0", "1 _x3 OK"},
	"disk-errors":      {"0 1", "9 0", "0 _x9 0", "1 _x3 OK"},
	"renewals-failed":  {"0 1", "2 0", "0 _x9 0", "1 _x3 OK"},
	"backups-failed":   {"0 1", "2 0", "0 _x9 0", "1 _x3 OK"},
	"files-changed":    {"0 1", "2 0", "0 _x9 0", "1 _x3 OK"},
	"records-refused":  {"0 1", "9 0", "0 _x9 0", "1 _x3 OK"},
	"database-stopped": {"0 1", "2 0", "0 _x9 0", "1 _x3 OK"},

	"backup-age": {"129600 129601x2", "2e5x3 60", "86400x9 2e5 60", "2e5x2 _x4 INSUFFICIENT_DATA"},
	"copy-age":   {"5400 5401x2", "7200x3 20", "3600x9 4200x2 0 5400 9000 5400", "9000x2 _x4 INSUFFICIENT_DATA"},
}
