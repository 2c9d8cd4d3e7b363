package release

import (
	"fmt"
	"slices"

	"github.com/calldata/calldata-foundation/stacks"
)

// place is where a release stands: the fleets that were there before it, those that it brings, and how each stands. All of it is in
// the stack's settings, so that whoever comes next goes on from there.
type place struct {
	base, fresh stacks.Colour
	standings   map[stacks.Colour]stacks.Standing
}

// stage is how far a release has come.
type stage string

const (
	// alone: one colour is there.
	alone stage = "alone"
	// beside: the new colour is there, and takes no calls yet.
	beside stage = "beside"
	// shared: both take calls.
	shared stage = "shared"
	// moved: the new colour takes the calls, and the old one is kept.
	moved stage = "moved"
)

// placeOf reads it off the settings. Standings that no release leaves are an error.
func placeOf(standings map[stacks.Colour]stacks.Standing) (place, stage, error) {
	for _, base := range stacks.Colours() {
		p := place{base: base, fresh: base.Other(), standings: standings}
		switch was, is := standings[p.base], standings[p.fresh]; {
		case was.Serves() && is == stacks.StandingNone:
			return p, alone, nil
		case was == stacks.StandingHeld && is == stacks.StandingNew:
			return p, beside, nil
		case was == stacks.StandingHeld && is == stacks.StandingLive:
			return p, shared, nil
		case was == stacks.StandingOld && is == stacks.StandingLive:
			return p, moved, nil
		}
	}
	return place{}, "", fmt.Errorf("the settings %s (%s) and %s (%s) are none that a release leaves: want one of them live or held and the other none",
		stacks.Blue.Setting(), standings[stacks.Blue], stacks.Green.Setting(), standings[stacks.Green])
}

// serving is how a colour stands when calls come to it, and aside how it stands when they do not: what is new follows the program,
// so that it can be mended; what was there before stays as it is, so that it can be gone back to.
func (p place) serving(c stacks.Colour) stacks.Standing {
	if c == p.fresh {
		return stacks.StandingLive
	}
	return stacks.StandingHeld
}

func (p place) aside(c stacks.Colour) stacks.Standing {
	if c == p.fresh {
		return stacks.StandingNew
	}
	return stacks.StandingOld
}

// deployed is how the stack's fleets stood when it was deployed last.
func deployed(o stacks.Outputs) map[stacks.Colour]stacks.Standing {
	found := map[stacks.Colour]stacks.Standing{stacks.Blue: stacks.StandingNone, stacks.Green: stacks.StandingNone}
	for _, f := range o.Fleets {
		found[f.Colour] = f.Standing
	}
	return found
}

// colourless reports whether a stack was deployed before there were colours. Its machines do not pass over those that stand aside: they
// would send them calls that nobody has tried.
func colourless(o stacks.Outputs) bool {
	return slices.ContainsFunc(o.Fleets, func(f stacks.Fleet) bool { return f.Colour == "" })
}

func words(standings map[stacks.Colour]stacks.Standing) string {
	return fmt.Sprintf("%s %s, %s %s", stacks.Blue, standings[stacks.Blue], stacks.Green, standings[stacks.Green])
}
