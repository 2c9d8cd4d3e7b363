package private

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	t.Parallel()
	const secret = "never-show-me"
	for name, c := range map[string]struct {
		mode  os.FileMode
		extra int
		want  string
	}{
		"private":      {0o600, 0, ""},
		"read-only":    {0o400, 0, ""},
		"as large":     {0o600, maxSize - len(secret), ""},
		"too large":    {0o600, maxSize - len(secret) + 1, "larger than 1048576 bytes"},
		"for a group":  {0o640, 0, "has mode 0640, so others may read it: run `chmod 600 "},
		"to be filled": {0o602, 0, "mode 0602"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secret")
			content := append([]byte(secret), bytes.Repeat([]byte("x"), c.extra)...)
			require.NoError(t, os.WriteFile(path, content, 0o600))
			require.NoError(t, os.Chmod(path, c.mode))
			data, err := Read("THE_FILE", path)
			if c.want == "" {
				require.NoError(t, err)
				assert.True(t, bytes.Equal(content, data))
				return
			}
			for _, part := range []string{"THE_FILE", path, c.want} {
				assert.ErrorContains(t, err, part)
			}
			assert.NotContains(t, err.Error(), secret)
			assert.Empty(t, data)
		})
	}
	_, err := Read("THE_FILE", t.TempDir())
	assert.ErrorContains(t, err, "is not a regular file")
	_, err = Read("THE_FILE", "/nowhere/secret")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestVariables(t *testing.T) {
	t.Parallel()
	vars, err := Variables("THE_FILE", "x.yml", []byte("a: b\nc: 1\n"))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"a": "b", "c": 1}, vars)
	for _, content := range []string{"never-show-me", "- never-show-me", "a: 'never-show-me"} {
		_, err := Variables("THE_FILE", "x.yml", []byte(content))
		assert.ErrorContains(t, err, "THE_FILE: x.yml is not a YAML map")
		assert.NotContains(t, err.Error(), "never-show-me")
	}
}
