package alarms

// Level is how much a stack tells.
type Level string

// The levels.
const (
	// Few are the alarms of what callers notice, told as notices.
	Few Level = "few"
	// Notices are all alarms, told as notices.
	Notices Level = "notices"
	// Pages are all alarms, and what callers notice calls somebody.
	Pages Level = "pages"
)

// Levels lists every level.
func Levels() []Level { return []Level{Few, Notices, Pages} }
