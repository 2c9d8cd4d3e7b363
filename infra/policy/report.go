package policy

import "slices"

// Excepted is a violation that an exception allows.
type Excepted struct {
	Violation
	// Reason is the exception's.
	Reason string `json:"reason"`
}

// Report is what came of judging a stack.
type Report struct {
	// Stack is the stack's name.
	Stack string `json:"stack"`
	// Scope is its kind.
	Scope Scope `json:"scope"`
	// Rules is how many rules apply to it, Resources how many resources were looked at.
	Rules     int `json:"rules"`
	Resources int `json:"resources"`
	// Violations are what was found and is not excepted, by rule.
	Violations []Violation `json:"violations"`
	// Exceptions are what was found and is excepted, by rule.
	Exceptions []Excepted `json:"exceptions"`
	// Stale are exceptions that nothing needs any more.
	Stale []Exception `json:"stale"`
}

// Evaluate judges g by every rule that applies to it.
func Evaluate(g Graph, exceptions []Exception) Report {
	report := Report{Stack: g.Stack, Scope: g.Scope, Resources: len(g.Resources), Violations: []Violation{}, Exceptions: []Excepted{}, Stale: []Exception{}}
	used := make([]bool, len(exceptions))
	for _, rule := range Rules() {
		if _, applies := rule.Levels[g.Scope]; !applies {
			continue
		}
		report.Rules++
		for _, v := range rule.Check(g) {
			if reason, excepted := except(v, exceptions, used); excepted {
				report.Exceptions = append(report.Exceptions, Excepted{v, reason})
			} else {
				report.Violations = append(report.Violations, v)
			}
		}
	}
	for i, e := range exceptions {
		if !used[i] {
			report.Stale = append(report.Stale, e)
		}
	}
	return report
}

// except answers the reason of the first exception that covers v, and marks all that do as used.
func except(v Violation, exceptions []Exception, used []bool) (reason string, excepted bool) {
	for i, e := range exceptions {
		if e.covers(v) {
			if !excepted {
				reason = e.Reason
			}
			used[i], excepted = true, true
		}
	}
	return reason, excepted
}

// Mandatory lists the violations that stop a deployment.
func (r Report) Mandatory() []Violation {
	return slices.DeleteFunc(slices.Clone(r.Violations), func(v Violation) bool { return v.Level != Mandatory })
}
