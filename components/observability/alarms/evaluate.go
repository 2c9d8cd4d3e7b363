package alarms

// State is an alarm's.
type State string

// The states, by CloudWatch's names.
const (
	OK               State = "OK"
	Alarming         State = "ALARM"
	InsufficientData State = "INSUFFICIENT_DATA"
)

// more is how many periods CloudWatch looks at besides those that it wants, in case that some are missing.
// Source: Amazon CloudWatch User Guide, "How alarm state is evaluated when data is missing": five for three.
const more = 2

// Evaluate is the state that the alarm has after each period of a series, beginning with InsufficientData.
func (a Alarm) Evaluate(m, n Series) []State {
	if a.Math != nil {
		m = a.Math.Apply(m, n)
	}
	states := make([]State, len(m))
	state := InsufficientData
	for i := range m {
		state = a.next(m[max(0, i+1-a.Periods-more):i+1], state)
		states[i] = state
	}
	return states
}

// next is the state after the last period of a range, by CloudWatch's rules: as many values as there are periods decide alone,
// however old within the range. Where there are fewer, those that are missing count as the alarm says, but no oftener than needed.
// Source: Amazon CloudWatch User Guide, "How alarm state is evaluated when data is missing" and "Avoiding premature transitions to
// alarm state".
func (a Alarm) next(seen Series, state State) State {
	var there []bool
	for _, value := range seen {
		if value != nil {
			there = append(there, a.Comparison.Breaching(*value, a.Threshold))
		}
	}
	filled := max(0, a.Periods-len(there))
	breaches := 0
	for _, breaching := range there[max(0, len(there)-a.Periods):] {
		if breaching {
			breaches++
		}
	}
	switch {
	case breaches >= a.Breaches:
		return Alarming
	case filled == 0 || a.Missing == MissingIsGood:
		return OK
	case a.Missing == MissingIsBad:
		return choose(breaches+filled >= a.Breaches, Alarming, OK)
	case len(there) == 0:
		return choose(a.Missing == MissingIsMissing, InsufficientData, state)
	case a.aged(seen):
		return choose(a.Missing == MissingIsMissing, Alarming, state)
	}
	return OK
}

// aged reports whether the oldest value breaches, is at least as old as the alarm wants breaches, and has seen no better one since.
func (a Alarm) aged(seen Series) bool {
	oldest := -1
	for i, value := range seen {
		if value == nil {
			continue
		}
		if !a.Comparison.Breaching(*value, a.Threshold) {
			return false
		}
		if oldest < 0 {
			oldest = i
		}
	}
	return oldest >= 0 && len(seen)-oldest >= a.Breaches
}

func choose(condition bool, yes, no State) State {
	if condition {
		return yes
	}
	return no
}
