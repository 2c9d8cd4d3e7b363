package rds

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// Minutes of an hour, a day and a week.
const (
	hour = 60
	day  = 24 * hour
	week = 7 * day
)

// minWindow is the shortest backup or maintenance window in minutes.
// Source: Amazon RDS API Reference, CreateDBInstance, PreferredBackupWindow and PreferredMaintenanceWindow.
const minWindow = 30

var (
	days            = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	backupForm      = regexp.MustCompile(`^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$`)
	maintenanceForm = regexp.MustCompile(`^(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):([0-5]\d)-(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):([0-5]\d)$`)
)

// window is a span of time that comes back: its first minute, and how many minutes it lasts.
type window struct{ start, length int }

// backupWindow reads a daily window such as 03:00-03:30. It may cross midnight.
func backupWindow(text string) (window, error) {
	m := backupForm.FindStringSubmatch(text)
	if m == nil {
		return window{}, fmt.Errorf("%q is not a daily window in UTC such as 03:00-03:30", text)
	}
	return between(minute(m[1], m[2]), minute(m[3], m[4]), day)
}

// maintenanceWindow reads a weekly window such as sun:04:00-sun:05:00. It may cross the end of the week.
func maintenanceWindow(text string) (window, error) {
	m := maintenanceForm.FindStringSubmatch(text)
	if m == nil {
		return window{}, fmt.Errorf("%q is not a weekly window in UTC such as sun:04:00-sun:05:00", text)
	}
	w, err := between(slices.Index(days, m[1])*day+minute(m[2], m[3]), slices.Index(days, m[4])*day+minute(m[5], m[6]), week)
	if err == nil && w.length >= day {
		return window{}, errors.New("it lasts a day or longer, RDS wants less than 24 hours")
	}
	return w, err
}

func between(start, end, period int) (window, error) {
	length := (end - start + period) % period
	if length < minWindow {
		return window{}, fmt.Errorf("it lasts %d minutes, RDS wants at least %d", length, minWindow)
	}
	return window{start, length}, nil
}

// overlap reports whether the daily backup falls into the weekly maintenance, which RDS refuses.
func overlap(backup, maintenance window) bool {
	for d := range 7 {
		start := d*day + backup.start
		// Seen from the beginning of the one, the other begins before it ends.
		if (maintenance.start-start+week)%week < backup.length || (start-maintenance.start+week)%week < maintenance.length {
			return true
		}
	}
	return false
}

// minute is the minute of the day of digits that a pattern has checked.
func minute(hours, minutes string) int {
	h, _ := strconv.Atoi(hours)
	m, _ := strconv.Atoi(minutes)
	return h*hour + m
}
