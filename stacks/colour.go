package stacks

import (
	"fmt"
	"slices"
	"time"
)

// Colour is one of the two sets of fleets of a blue-green release.
type Colour string

// The colours. Without releases everything is blue.
const (
	Blue  Colour = "blue"
	Green Colour = "green"
)

// Colours lists them in a fixed order.
func Colours() []Colour { return []Colour{Blue, Green} }

// Other is the other colour.
func (c Colour) Other() Colour {
	if c == Blue {
		return Green
	}
	return Blue
}

// Setting is the setting that says how the colour's fleets stand.
func (c Colour) Setting() string { return string(c) + "Fleets" }

// Standing says whether the fleets of a colour are there, whether calls come to them, and whether they follow the program.
type Standing string

const (
	// StandingNone are fleets that are not there.
	StandingNone Standing = "none"
	// StandingLive are fleets that take calls; what the program changes about them replaces their machines one after the other.
	StandingLive Standing = "live"
	// StandingHeld are fleets that take calls and stay as they are, whatever the program says.
	StandingHeld Standing = "held"
	// StandingNew are fleets that follow the program and that calls do not come to yet.
	StandingNew Standing = "new"
	// StandingOld are fleets that stay as they are, to which no new calls are sent.
	StandingOld Standing = "old"
)

// Standings lists them in the order of a fleet's life.
func Standings() []Standing {
	return []Standing{StandingNone, StandingNew, StandingLive, StandingHeld, StandingOld}
}

// Serves reports whether load balancer, addresses and other machines send calls to such fleets.
func (s Standing) Serves() bool { return s == StandingLive || s == StandingHeld }

// Frozen reports whether such fleets stay as they are.
func (s Standing) Frozen() bool { return s == StandingHeld || s == StandingOld }

// ReleaseBegan is the setting that says when the release that is under way began: what was so before is nobody's fault, however often
// its command is run. Nothing is deployed by it.
const ReleaseBegan = "releaseBegan"

// readBegan reads it, in the form of RFC 3339.
func readBegan(r *reader) time.Time {
	text := r.text(ReleaseBegan, "")
	if text == "" {
		return time.Time{}
	}
	began, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.fail(ReleaseBegan, text, "want a time of RFC 3339", r.set(ReleaseBegan, "2006-01-02T15:04:05Z"))
	}
	return began
}

// readStandings reads how the fleets of each colour stand.
func readStandings(r *reader) map[Colour]Standing {
	found := map[Colour]Standing{}
	serves := false
	for _, c := range Colours() {
		s := Standing(r.text(c.Setting(), string(pick(c == Blue, StandingLive, StandingNone))))
		if !slices.Contains(Standings(), s) {
			r.fail(c.Setting(), string(s), fmt.Sprintf("want one of %v", Standings()), r.set(c.Setting(), string(StandingLive)))
			serves = true // its own error says so
		}
		found[c] = s
		serves = serves || s.Serves()
	}
	if !serves {
		r.fail(Blue.Setting(), string(found[Blue]), fmt.Sprintf("%s is %s, so that nobody would take calls", Green.Setting(), found[Green]), r.set(Blue.Setting(), string(StandingLive)))
	}
	return found
}
