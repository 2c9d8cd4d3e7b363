package pages

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const page = `# A page: what's ` + "`it`" + `?

See [there](other.md#two-words "Title"), ` + "`one\ntwo`" + ` and [site](https://example.com/a_(b)).

1. Item:

   ` + "```sh aws" + `
   calldata health   # not a heading
     more
   ` + "```" + `

| ` + "`a \\| b`" + ` | [x](#again-1) |
|---|---|
| ` + "`[c](d)`" + ` | |

## Again
## [Again](x.md)
### Two words, snake_case & more

[ref]: other.md
~~~
` + "```" + `
~~~
`

func TestParse(t *testing.T) {
	t.Parallel()
	p := Parse("docs/page.md", page)
	assert.Equal(t, []string{"a-page-whats-it", "again", "again-1", "two-words-snake_case--more"}, p.Anchors)
	assert.Equal(t, []Fence{
		{Text{8, "calldata health   # not a heading\n  more\n"}, "sh", "aws"},
		{Text{22, "```\n"}, "", ""},
	}, p.Fences)
	assert.Equal(t, []Text{{1, "it"}, {3, "one two"}, {13, "a | b"}, {15, "[c](d)"}}, p.Spans)
	assert.Equal(t, []Text{{3, "other.md#two-words"}, {3, "https://example.com/a_(b)"}, {13, "#again-1"}, {18, "x.md"}, {21, "other.md"}}, p.Links)
}

func TestReadAndBroken(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"README.md":           "# Top\n\n[a](docs/a.md#here) [b](docs/a.md#gone) [c](#top) [d](LICENSE) [e](docs) [f](nothing.md)\n",
		"docs/a.md":           "## Here\n\n[up](../README.md#top), [out](../../x.md), [root](/README.md), [bad](%zz)\n",
		"LICENSE":             "",
		".hidden/b.md":        "[x](gone.md)",
		"testdata/b.md":       "[x](gone.md)",
		".github/x/README.md": "[x](../../README.md)",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	all, err := Read(root)
	require.NoError(t, err)
	require.Len(t, all, 3)
	broken := Broken(root, all)
	require.Len(t, broken, 5)
	for i, want := range []string{
		"README.md:3: docs/a.md has no heading #gone; it has here", "README.md:3: nothing.md is not there",
		"docs/a.md:3: ../../x.md leads out", "docs/a.md:3: /README.md leads out", `docs/a.md:3: parse "%zz"`,
	} {
		assert.Contains(t, broken[i], want)
	}
}
