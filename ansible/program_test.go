package ansible

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, "")
	program := filepath.Join(dir, "bin", "ansible")
	require.NoError(t, os.WriteFile(program, []byte(`#!/bin/sh
echo "$@"
pwd
echo "$ANSIBLE_ROLES_PATH"
cat `+dir+`/vars.yml >&2
exit 3
`), 0o700))
	vars := filepath.Join(dir, "vars.yml")
	require.NoError(t, os.WriteFile(vars, []byte("never-show-me\n"), 0o600))
	p.ExtraVarsFiles, p.PrivateKeyFile, p.Masker, p.Limit = []string{vars}, vars, NewMasker("never-show-me"), "not used"
	var out, report bytes.Buffer
	code, err := p.Program(t.Context(), program, []string{"all", "-m", "ping"}, Streams{Out: &out, Err: &report})
	require.NoError(t, err)
	assert.Equal(t, 3, code)
	assert.Equal(t, "--private-key "+vars+" --extra-vars @"+vars+" all -m ping\n"+p.Dir+"\n"+filepath.Join(p.Dir, "roles")+"\n", out.String())
	assert.Equal(t, Masked+"\n", report.String())

	require.NoError(t, os.Chmod(vars, 0o644)) //nolint:gosec // that is the mistake
	_, err = p.Program(t.Context(), program, nil, Streams{Out: &out, Err: &report})
	require.ErrorContains(t, err, "mode 0644")
	p.ExtraVarsFiles, p.PrivateKeyFile = nil, ""
	_, err = p.Program(t.Context(), filepath.Join(dir, "absent"), nil, Streams{Out: &out, Err: &report})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestProgramIsInterrupted(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, "")
	program := filepath.Join(dir, "bin", "ansible")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nsleep 300 & wait\n"), 0o700))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := p.Program(ctx, program, nil, Streams{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(begin), 10*time.Second)
}
