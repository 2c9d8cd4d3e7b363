package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Exception lets some resources break a rule, for a reason.
type Exception struct {
	// Rule is the rule's id.
	Rule string `json:"rule"`
	// Resource is a pattern of logical names, where * stands for any characters. Empty means the whole stack.
	Resource string `json:"resource,omitempty"`
	// Reason is why.
	Reason string `json:"reason"`
}

// exceptionForm is an id, perhaps a pattern with a colon after it, and a reason.
var exceptionForm = regexp.MustCompile(`^(CD-\d{2})(?:\s+([^\s:]+):)?(?:\s+(\S.*))?$`)

// ParseExceptions reads exceptions of the form "CD-21 reason" or "CD-21 pattern: reason". It answers every mistake at
// once, each with the entry and what to do.
func ParseExceptions(entries []string) ([]Exception, error) {
	var (
		list []Exception
		errs []error
	)
	seen := map[[2]string]bool{}
	for i, entry := range entries {
		fail := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("policyExceptions[%d] is %q: "+format, append([]any{i, entry}, args...)...))
		}
		match := exceptionForm.FindStringSubmatch(strings.TrimSpace(entry))
		if match == nil {
			fail(`want "CD-NN reason", or "CD-NN name: reason" for one resource, whose name may have a * in it`)
			continue
		}
		e := Exception{Rule: match[1], Resource: match[2], Reason: match[3]}
		key := [2]string{e.Rule, e.Resource}
		if _, known := FindRule(e.Rule); !known {
			fail("there is no rule %s: docs/reference/policies.md lists them", e.Rule)
		}
		if e.Reason == "" {
			fail("there is no reason: say why %s may be broken, and until when", e.Rule)
		}
		// Without its space, the pattern would be read as a part of the reason, and the exception be for the whole stack.
		if word, _, _ := strings.Cut(e.Reason, " "); e.Resource == "" && strings.Contains(word, ":") && !strings.Contains(word, "://") {
			fail("put a space after the colon of %s", word)
		}
		if seen[key] {
			fail("an earlier one is for the same: join them")
		}
		seen[key] = true
		list = append(list, e)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return list, nil
}

// String is the exception in the form that ParseExceptions reads.
func (e Exception) String() string {
	if e.Resource == "" {
		return e.Rule + " " + e.Reason
	}
	return e.Rule + " " + e.Resource + ": " + e.Reason
}

// covers reports whether e excepts v. A pattern never matches what is missing from the stack.
func (e Exception) covers(v Violation) bool {
	if e.Rule != v.Rule {
		return false
	}
	if e.Resource == "" {
		return true
	}
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(e.Resource), `\*`, ".*") + "$"
	return v.Resource != "" && regexp.MustCompile(pattern).MatchString(v.Resource)
}
