package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const page = "../../docs/reference/policies.md"

// TestGoldenCatalogue keeps the page equal to the rules.
func TestGoldenCatalogue(t *testing.T) {
	t.Parallel()
	want := catalogue()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(page), 0o750))
		require.NoError(t, os.WriteFile(page, []byte(want), 0o600))
		return
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "write it anew with: make golden")
}

func catalogue() string {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line("# Policies")
	line("")
	line("Written by `make golden`. What runs them, and how to except a resource: [development](../development.md#policies).")
	line("")
	line("A mandatory rule (**M**) stops a deployment, an advisory one (a) is shown. What is not known yet, and what is secret, is not held")
	line("against anybody unless the rule says so. References are to the CIS AWS Foundations Benchmark v5.0.0 or questions of the AWS")
	line("Well-Architected Framework, and to the controls and checks of Security Hub, Checkov and Prowler that look at the same thing.")
	line("")
	line("| rule | what has to be | dev | stage | prod | account |")
	line("|---|---|---|---|---|---|")
	for _, r := range Rules() {
		cells := make([]string, 0, 4)
		for _, scope := range Scopes() {
			cells = append(cells, map[Level]string{Mandatory: "**M**", Advisory: "a"}[r.Levels[scope]])
		}
		line("| [%s](#%s) | %s | %s |", r.ID, strings.ToLower(r.ID), r.Title, strings.Join(cells, " | "))
	}
	for _, r := range Rules() {
		line("\n## %s\n\n**%s.** %s", r.ID, r.Title, r.Detail)
		if r.Advises != "" {
			line("It advises %s.", r.Advises)
		}
		var refs []string
		for _, ref := range []struct{ name, ids string }{
			{"CIS", r.References.CIS}, {"Security Hub", r.References.SecurityHub}, {"Checkov", r.References.Checkov}, {"Prowler", r.References.Prowler},
		} {
			if ref.ids != "" {
				refs = append(refs, ref.name+" "+ref.ids)
			}
		}
		if len(refs) > 0 {
			line("\n%s.", strings.Join(refs, "; "))
		}
	}
	return out.String()
}
