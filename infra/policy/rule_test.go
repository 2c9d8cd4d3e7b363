package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type m = map[string]any

type list = []any

// res is a resource as mocks would record it: its id is its name and -id. Modify it by the functions below.
func res(kind, name string, props m, more ...func(*Resource)) Resource {
	r := Resource{Type: kind, Name: name, ID: name + "-id", Props: NormalizeProps(props)}
	if module, rest, ok := strings.Cut(kind, "/"); ok {
		r.Type = "aws:" + module + "/" + rest + ":" + strings.ToUpper(rest[:1]) + rest[1:]
	}
	r.URN = r.Type + " " + name
	for _, f := range more {
		f(&r)
	}
	return r
}

func protected(r *Resource)                { r.Protect = true }
func retained(r *Resource)                 { r.Protect, r.RetainOnDelete = true, true }
func asked(props m) func(*Resource)        { return func(r *Resource) { r.Inputs = NormalizeProps(props) } }
func after(urns ...string) func(*Resource) { return func(r *Resource) { r.Dependencies = urns } }

// by says what a property depends on.
func by(property string, urns ...string) func(*Resource) {
	return func(r *Resource) {
		if r.PropertyDependencies == nil {
			r.PropertyDependencies = map[string][]string{}
		}
		r.PropertyDependencies[property] = urns
	}
}

// with is base with some properties set over; nil takes one away.
func with(base m, changes m) m {
	joined := m{}
	for _, one := range []m{base, changes} {
		for k, v := range one {
			joined[k] = v
			if v == nil {
				delete(joined, k)
			}
		}
	}
	return joined
}

// ruleCase is a graph and what one rule says about it: nothing, or in each message one of the texts of want.
type ruleCase struct {
	name  string
	scope Scope
	graph []Resource
	want  []string
	// advice is how many of them are advisory.
	advice int
	// unretained says that the source does not tell RetainOnDelete.
	unretained bool
}

func TestRules(t *testing.T) {
	t.Parallel()
	cases := ruleCases()
	for _, rule := range Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			var passes, fails int
			for _, test := range cases[rule.ID] {
				require.NotEmpty(t, test.graph, "%s: an empty graph shows nothing", test.name)
				found := rule.Check(Graph{Stack: "s", Scope: test.scope, Resources: test.graph, RetentionUnknown: test.unretained})
				var messages []string
				advice := 0
				for _, v := range found {
					messages = append(messages, v.Resource+": "+v.Message)
					assert.Equal(t, rule.ID, v.Rule)
					if v.Level == Advisory {
						advice++
					}
				}
				if len(test.want) == 0 {
					passes++
				} else {
					fails++
				}
				if assert.Len(t, messages, len(test.want), "%s: %v", test.name, messages) {
					for i, want := range test.want {
						assert.Contains(t, messages[i], want, test.name)
						assert.NotContains(t, messages[i], "%!", test.name)
					}
				}
				if rule.Levels[test.scope] == Mandatory {
					assert.Equal(t, test.advice, advice, "%s: advisory violations", test.name)
				}
			}
			assert.Positive(t, passes, "no case passes")
			assert.Positive(t, fails, "no case fails")
		})
	}
	for id := range cases {
		_, known := FindRule(id)
		assert.True(t, known, id)
	}
}

// TestCatalogue is about the table of rules itself.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	rules := Rules()
	require.Len(t, rules, 50)
	for i, r := range rules {
		assert.Equal(t, fmt.Sprintf("CD-%02d", i+1), r.ID)
		assert.NotEmpty(t, r.Title, r.ID)
		assert.NotEmpty(t, r.Detail, r.ID)
		assert.NotEmpty(t, r.Levels, r.ID)
		assert.NotNil(t, r.check, r.ID)
		for scope, level := range r.Levels {
			assert.Contains(t, Scopes(), scope, r.ID)
			assert.Contains(t, []Level{Mandatory, Advisory}, level, r.ID)
		}
		if r.Advises != "" {
			assert.Contains(t, r.Levels, Prod, "%s advises within a mandatory rule", r.ID)
			assert.Equal(t, Mandatory, r.Levels[Prod], r.ID)
		}
	}
}

// TestRulesSayNothingOfOtherScopes: a rule that does not apply finds nothing, whatever it would say.
func TestRulesSayNothingOfOtherScopes(t *testing.T) {
	t.Parallel()
	cases := ruleCases()
	for _, rule := range Rules() {
		for _, scope := range Scopes() {
			if _, applies := rule.Levels[scope]; applies {
				continue
			}
			for _, test := range cases[rule.ID] {
				assert.Empty(t, rule.Check(Graph{Scope: scope, Resources: test.graph}), "%s in %s", rule.ID, scope)
			}
		}
	}
}

// TestUnknownIsNoViolation: what no longer can be seen is not held against anybody, and what properties depend on shows
// how the graph hangs together.
func TestUnknownIsNoViolation(t *testing.T) {
	t.Parallel()
	cases := ruleCases()
	for _, rule := range Rules() {
		for _, test := range cases[rule.ID] {
			seen := map[string]bool{}
			for _, v := range rule.Check(Graph{Scope: test.scope, Resources: test.graph, RetentionUnknown: test.unretained}) {
				seen[v.URN] = true
			}
			for _, v := range rule.Check(Graph{Scope: test.scope, Resources: blind(test.graph), RetentionUnknown: test.unretained}) {
				assert.True(t, seen[v.URN], "%s, %s: %s: %s", rule.ID, test.name, v.Resource, v.Message)
			}
		}
	}
}

// blind is a graph without the values of its properties.
func blind(graph []Resource) []Resource {
	var hidden []Resource
	for _, r := range graph {
		before, props := r, m{}
		r.PropertyDependencies = map[string][]string{}
		for key := range r.Props {
			props[key] = Unknown{}
			for _, other := range graph {
				if refers(before, other, key) {
					r.PropertyDependencies[key] = append(r.PropertyDependencies[key], other.URN)
				}
			}
		}
		r.Props = props
		if r.Inputs != nil {
			inputs := m{}
			for key := range r.Inputs {
				inputs[key] = Unknown{}
			}
			r.Inputs = inputs
		}
		hidden = append(hidden, r)
	}
	return hidden
}
