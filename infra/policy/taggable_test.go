package policy

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/reference/policies.md and the list of kinds that take tags anew")

var (
	registers = regexp.MustCompile(`ctx\.RegisterResource\("(aws:[^"]+)"`)
	takesTags = regexp.MustCompile(`(?s)type \w+Args struct \{.*?\n\tTags pulumi\.StringMapInput\b.*?\n\}`)
)

// TestTaggableKinds compares the list with the provider's SDK.
func TestTaggableKinds(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi-aws/sdk/v6").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "go", "aws", "*", "*.go"))
	require.NoError(t, err)
	var kinds []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		if token := registers.FindSubmatch(source); token != nil && takesTags.Match(source) {
			kinds = append(kinds, Resource{Type: string(token[1])}.kind())
		}
	}
	slices.Sort(kinds)
	want := strings.Join(slices.Compact(kinds), "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile("taggable.txt", []byte(want), 0o600))
		return
	}
	assert.Equal(t, want, taggableList, "write it anew with: go test ./infra/policy -update")
	assert.Greater(t, len(kinds), 500)
}
