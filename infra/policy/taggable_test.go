package policy

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/reference/policies.md and the list of kinds that take tags anew")

// takesTags reports whether a resource's source has the tags among its arguments.
func takesTags(source string) bool {
	_, args, _ := strings.Cut(source, "Args struct {\n")
	_, args, _ = strings.Cut(args, "Args struct {\n") // the second one has inputs, the first what they resolve to
	fields, _, _ := strings.Cut(args, "\n}\n")
	return strings.Contains("\n"+fields+"\n", "\n\tTags pulumi.StringMapInput\n")
}

// TestGoldenTaggableKinds compares the list with the provider's SDK.
func TestGoldenTaggableKinds(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi-aws/sdk/v6").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "go", "aws", "*", "*.go"))
	require.NoError(t, err)
	var kinds []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		_, token, registers := strings.Cut(string(source), `ctx.RegisterResource("`)
		if registers && takesTags(string(source)) {
			token, _, _ = strings.Cut(token, `"`)
			kinds = append(kinds, Resource{Type: token}.kind())
		}
	}
	slices.Sort(kinds)
	want := strings.Join(slices.Compact(kinds), "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile("taggable.txt", []byte(want), 0o600))
		return
	}
	assert.True(t, want == taggableList, "the SDK has other kinds that take tags: write the list anew with: make golden")
	assert.Greater(t, len(kinds), 500)
}
