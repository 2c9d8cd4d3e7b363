package alarms

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestMissingDataIsTreatedAsAWSDocumentsIt has every row of the two tables of the Amazon CloudWatch User Guide, "How alarm state is
// evaluated when data is missing", for two states before. X breaches, 0 does not, - is missing.
func TestMissingDataIsTreatedAsAWSDocumentsIt(t *testing.T) {
	t.Parallel()
	const retain = State("retain")
	for _, row := range []struct {
		points                             string
		breaches                           int
		missing, ignore, breaching, within State
	}{
		{"0-X-X", 3, OK, OK, OK, OK},
		{"0----", 3, OK, OK, OK, OK},
		{"-----", 3, InsufficientData, retain, Alarming, OK},
		{"0XX-X", 3, Alarming, Alarming, Alarming, Alarming},
		{"--X--", 3, Alarming, retain, Alarming, OK},
		{"0-X-X", 2, Alarming, Alarming, Alarming, Alarming},
		{"00X0X", 2, Alarming, Alarming, Alarming, Alarming},
		{"0-X--", 2, OK, OK, Alarming, OK},
		{"----0", 2, OK, OK, Alarming, OK},
		{"---X-", 2, Alarming, retain, Alarming, OK},
		// "Avoiding premature transitions to alarm state".
		{"----X", 3, OK, OK, Alarming, OK},
		{"---X-", 3, OK, OK, Alarming, OK},
		{"--X-0", 3, OK, OK, OK, OK},
	} {
		for treatment, want := range map[Missing]State{
			MissingIsMissing: row.missing, MissingChangesNothing: row.ignore, MissingIsBad: row.breaching, MissingIsGood: row.within,
		} {
			for _, before := range []State{OK, Alarming} {
				alarm := Alarm{Comparison: Above, Threshold: 1, Periods: 3, Breaches: row.breaches, Missing: treatment}
				if want == retain {
					assert.Equal(t, before, alarm.next(points(row.points), before), "%s, %d of 3, %s", row.points, row.breaches, treatment)
					continue
				}
				assert.Equal(t, want, alarm.next(points(row.points), before), "%s, %d of 3, %s", row.points, row.breaches, treatment)
			}
		}
	}
}

func points(text string) Series {
	var s Series
	for _, c := range text {
		switch c {
		case 'X':
			s = append(s, number(2))
		case '0':
			s = append(s, number(0))
		default:
			s = append(s, nil)
		}
	}
	return s
}

func number(v float64) *float64 { return &v }

func TestComparisons(t *testing.T) {
	t.Parallel()
	for comparison, want := range map[Comparison][3]bool{Above: {false, false, true}, AtLeast: {false, true, true}, Below: {true, false, false}, "": {}} {
		for i, value := range []float64{1, 2, 3} {
			assert.Equal(t, want[i], comparison.Breaching(value, 2), "%g %s 2", value, comparison)
		}
	}
}

func TestMath(t *testing.T) {
	t.Parallel()
	share := PercentOf{Metric: "Calls", Least: 20}
	assert.Equal(t, "IF(n >= 20, 100 * m / n, 0)", share.Expression())
	assert.Equal(t, Series{number(50), number(0), nil, nil}, share.Apply(Series{number(10), number(10), nil, number(1)}, Series{number(20), number(19), number(20), nil}))
	fall := Fall{Least: 10}
	assert.Equal(t, "IF(m - DIFF(m) >= 10, -100 * DIFF(m) / (m - DIFF(m)), 0)", fall.Expression())
	assert.Empty(t, fall.Other())
	assert.Equal(t, Series{nil, number(50), number(-100), nil, nil, number(0)}, fall.Apply(Series{number(100), number(50), number(100), nil, number(9), number(0)}, nil))
	assert.Equal(t, "IF(DAY(m) <= 5 AND HOUR(m) >= 8 AND HOUR(m) < 18, m, 1)", Hours{From: 8, Until: 18}.Within("m", 1))
}
