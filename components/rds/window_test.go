package rds

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWindows(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		backup, maintenance string
		overlap             bool
	}{
		{"03:00-03:30", "sun:04:00-sun:05:00", false},
		{"03:00-04:00", "sun:04:00-sun:05:00", false},
		{"03:00-04:01", "sun:04:00-sun:05:00", true},
		{"04:15-04:45", "wed:04:00-wed:05:00", true},
		{"04:59-06:00", "wed:04:00-wed:05:00", true},
		{"05:00-06:00", "wed:04:00-wed:05:00", false},
		{"23:45-00:30", "tue:00:00-tue:01:00", true},
		{"23:45-00:30", "sun:23:00-mon:00:00", true},
		{"00:00-00:30", "sun:23:30-mon:00:15", true},
		{"00:15-00:45", "sun:23:30-mon:00:15", false},
		{"12:00-13:00", "sat:20:00-sun:19:00", true},
	} {
		b, err := backupWindow(tc.backup)
		require.NoError(t, err, tc.backup)
		m, err := maintenanceWindow(tc.maintenance)
		require.NoError(t, err, tc.maintenance)
		assert.Equal(t, tc.overlap, overlap(b, m), "%s and %s", tc.backup, tc.maintenance)
	}
}

func TestBadWindows(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":            "is not a daily window",
		"3:00-3:30":   "is not a daily window",
		"24:00-24:30": "is not a daily window",
		"03:00-03:29": "it lasts 29 minutes",
		"03:00-03:00": "it lasts 0 minutes",
	} {
		_, err := backupWindow(text)
		assert.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		"04:00-05:00":         "is not a weekly window",
		"Sun:04:00-Sun:05:00": "is not a weekly window",
		"sun:04:00-sun:04:10": "it lasts 10 minutes",
		"sun:04:00-mon:04:00": "it lasts a day or longer",
	} {
		_, err := maintenanceWindow(text)
		assert.ErrorContains(t, err, want, text)
	}
}
