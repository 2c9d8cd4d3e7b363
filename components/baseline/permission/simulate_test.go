package permission

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// request is a call of AWS as IAM sees it.
type request struct {
	action, resource string
	// context are the condition keys that the request has. The region is ours unless it says another.
	context map[string]string
}

// tagged is the context of a call on a resource of an environment.
func tagged(environment string) map[string]string {
	return map[string]string{"aws:ResourceTag/Environment": environment}
}

// allowed answers as IAM does: what is denied anywhere is denied, and the rest must be allowed by a policy and, if there
// is one, by the boundary. Source: AWS IAM User Guide, "Policy evaluation logic".
func allowed(policies, boundary []iamdoc.Statement, r request) bool {
	if r.context["aws:RequestedRegion"] == "" {
		context := map[string]string{"aws:RequestedRegion": "eu-central-1"}
		if strings.HasPrefix(r.action, "iam:") || strings.HasPrefix(r.action, "route53:") {
			context["aws:RequestedRegion"] = "us-east-1"
		}
		for k, v := range r.context {
			context[k] = v
		}
		r.context = context
	}
	if denies(policies, r) || denies(boundary, r) {
		return false
	}
	return allows(policies, r) && (boundary == nil || allows(boundary, r))
}

func allows(statements []iamdoc.Statement, r request) bool {
	return slices.ContainsFunc(statements, func(s iamdoc.Statement) bool { return s.Effect != iamdoc.EffectDeny && applies(s, r) })
}

func denies(statements []iamdoc.Statement, r request) bool {
	return slices.ContainsFunc(statements, func(s iamdoc.Statement) bool { return s.Effect == iamdoc.EffectDeny && applies(s, r) })
}

func applies(s iamdoc.Statement, r request) bool {
	matches := func(patterns []string, text string, fold bool) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return glob(p, text, fold) })
	}
	if !matches(s.Actions, r.action, true) {
		return false
	}
	if len(s.NotResources) > 0 {
		if matches(s.NotResources, r.resource, false) {
			return false
		}
	} else if !matches(s.Resources, r.resource, false) {
		return false
	}
	for operator, keys := range s.Conditions {
		for key, values := range keys {
			if !holds(operator, values, r.context[key]) {
				return false
			}
		}
	}
	return true
}

// holds judges the operators that our policies use. An empty value is a key that the request has not.
func holds(operator string, values []string, value string) bool {
	switch operator {
	case "StringEquals", "ForAnyValue:StringEquals":
		return value != "" && slices.Contains(values, value)
	case "StringLike":
		return value != "" && slices.ContainsFunc(values, func(p string) bool { return glob(expand(p), value, false) })
	case "ForAllValues:StringLike":
		return value == "" || slices.ContainsFunc(values, func(p string) bool { return glob(p, value, false) })
	case "BoolIfExists":
		return value == "" || slices.Contains(values, value)
	case "Null":
		return slices.Contains(values, map[bool]string{true: "true", false: "false"}[value == ""])
	}
	panic("the simulator does not know " + operator)
}

// expand puts in the policy variables that our policies have, for the caller AROA1:me.
func expand(pattern string) string { return strings.ReplaceAll(pattern, "${aws:userid}", "AROA1:me") }

// expressions are patterns that were seen before: there are few, and the tests ask many times.
var expressions sync.Map

func glob(pattern, text string, fold bool) bool {
	expression := "^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern)) + "$"
	if fold {
		expression = "(?i)" + expression
	}
	compiled, known := expressions.Load(expression)
	if !known {
		compiled, _ = expressions.LoadOrStore(expression, regexp.MustCompile(expression))
	}
	return compiled.(*regexp.Regexp).MatchString(text)
}
