package workflows

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is a rule that a file breaks.
type Finding struct {
	// Rule is the rule's name.
	Rule string
	// Path and Line are where; line 0 is the file.
	Path string
	Line int
	// Text says what is wrong and what is wanted.
	Text string
}

// String is the finding as compilers print it.
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Rule, f.Text) }

// rule is one rule. It reports what a file does against it.
type rule struct {
	name string
	// looks is the check. report takes a line, 0 for the file.
	looks func(f File, c Commands, report func(line int, format string, values ...any))
}

// rules are all of them.
var rules = []rule{
	{"triggers", triggers},
	{"permissions", permissions},
	{"secrets", secrets},
	{"role", roles},
	{"timeout", timeouts},
	{"concurrency", concurrency},
	{"pin", pins},
	{"injection", injection},
	{"forks", forks},
	{"checkout", checkouts},
	{"shell", shells},
	{"thin", thin},
	{"command", commands},
}

// Audit says which rules the files break, in the order of files and lines.
func Audit(files []File, c Commands) []Finding {
	var findings []Finding
	for _, f := range files {
		for _, r := range rules {
			r.looks(f, c, func(line int, format string, values ...any) {
				findings = append(findings, Finding{Rule: r.name, Path: f.Path, Line: line, Text: fmt.Sprintf(format, values...)})
			})
		}
	}
	findings = append(findings, oneVersion(files)...)
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	return findings
}
