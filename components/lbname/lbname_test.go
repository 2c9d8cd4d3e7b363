package lbname

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"prod-web-blue":              "prod-web-blue",
		strings.Repeat("a", Max):     strings.Repeat("a", Max),
		strings.Repeat("a", Max+1):   "aaaaaaaaaaaaaaaaa-2f521e",
		"pr-1234-a-long-branch-name": "pr-1234-a-long-br-2ca9f4",
		"pr-1234-a-long-branch-sips": "pr-1234-a-long-br-6a9f8b",
		"my_stack.web":               "my-stack-web-48e3a1",
		"-web-":                      "web-1706e4",
		"":                           "lb-e3b0c4",
	} {
		assert.Equal(t, want, Fit(name), name)
	}
}

func TestFittedNamesAreFitForAWS(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{
		"a", "a-", "a_", "a.b", "a-b", "a--b", "ä", strings.Repeat("x", 100), strings.Repeat("x", 101), strings.Repeat("x-", 40), "internal-web", "internal",
	} {
		got := Fit(name)
		assert.Regexp(t, `^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`, got, name)
		assert.NotRegexp(t, `^internal-`, got, name)
		assert.LessOrEqual(t, len(got), Max, name)
		assert.Empty(t, seen[got], "%s and %s", name, seen[got])
		seen[got] = name
	}
}
