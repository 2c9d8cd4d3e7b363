package workflows

import (
	"regexp"
	"strings"
)

var (
	pinForm     = regexp.MustCompile(`^([\w.-]+/[\w.-]+)(/[\w./-]+)?@([0-9a-f]{40})$`)
	versionForm = regexp.MustCompile(`#\s*(v\d+\.\d+\.\d+)\b`)
)

// pins wants every action of others to be named by its commit, with the version beside it: a tag can be moved.
// Source: GitHub Docs, "Using third-party actions".
func pins(f File, c Commands, report reporter) {
	for _, j := range f.Jobs {
		for _, s := range j.Steps {
			switch {
			case s.Uses == "":
			case strings.HasPrefix(s.Uses, "./"):
				if !c.exists(s.Uses + "/action.yml") {
					report(s.Line, "the action %s does not exist", s.Uses)
				}
			case !pinForm.MatchString(s.Uses):
				report(s.Line, "%s is not pinned: name the commit, 40 hexadecimal digits", s.Uses)
			case !versionForm.MatchString(f.line(s.Line)):
				report(s.Line, "%s does not say its version: add # vX.Y.Z", s.Uses)
			}
		}
	}
}

// oneVersion wants an action to have the same commit and version everywhere.
func oneVersion(files []File) []Finding {
	type pin struct{ commit, version, path string }
	seen := map[string]pin{}
	var findings []Finding
	for _, f := range files {
		for _, j := range f.Jobs {
			for _, s := range j.Steps {
				found, version := pinForm.FindStringSubmatch(s.Uses), versionForm.FindStringSubmatch(f.line(s.Line))
				if found == nil || version == nil {
					continue
				}
				now := pin{found[3], version[1], f.Path}
				first, ok := seen[found[1]]
				if !ok {
					seen[found[1]] = now
				} else if first.commit != now.commit || first.version != now.version {
					findings = append(findings, Finding{Rule: "pin", Path: f.Path, Line: s.Line, Text: found[1] + " is another one than in " + first.path})
				}
			}
		}
	}
	return findings
}
