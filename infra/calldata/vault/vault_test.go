package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/vaultfile"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

// bench is a repository with the stack dev, and Ansible's own ansible-vault.
type bench struct {
	t         *testing.T
	dir, main string
	env       map[string]string
	out, err  bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("runs ansible-vault")
	}
	root, err := cache.Default()
	require.NoError(t, err)
	python, err := pyenv.Prepare(t.Context(), filepath.Join(root, "venv"), progress.Discard)
	require.NoError(t, err)
	b := &bench{t: t, dir: t.TempDir()}
	b.main = filepath.Join(b.dir, "ansible", "inventories", "dev", "group_vars", "all", "vault.yml")
	require.NoError(t, os.MkdirAll(filepath.Dir(b.main), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "Pulumi.yaml"), nil, 0o600))
	b.env = map[string]string{
		"CALLDATA_ANSIBLE_PLAYBOOK": filepath.Join(filepath.Dir(python.Python()), "ansible-playbook"),
		vaultfile.FileVariable:      filepath.Join(b.dir, "pass"),
	}
	return b
}

func (b *bench) run(args ...string) error {
	b.t.Helper()
	b.out.Reset()
	b.err.Reset()
	cmd := NewCmdVault(&cli.IO{In: strings.NewReader(""), Out: &b.out, Err: &b.err, Getenv: func(name string) string { return b.env[name] }})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	b.t.Chdir(b.dir)
	return cmd.ExecuteContext(b.t.Context())
}

// view opens a vault with the password in a file.
func (b *bench) view(password, file string) (map[string]any, error) {
	b.t.Helper()
	program, err := vaultfile.Locate(func(name string) string { return b.env[name] })
	require.NoError(b.t, err)
	plain, err := program.View(b.t.Context(), password, file)
	if err != nil {
		return nil, err
	}
	return vaultfile.Variables(file, plain)
}

func TestVault(t *testing.T) {
	b := newBench(t)
	pass := b.env[vaultfile.FileVariable]
	require.ErrorContains(t, b.run("edit", "dev"), "`calldata vault init dev`")

	require.NoError(t, b.run("init", "dev"))
	for _, file := range []string{b.main, pass} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
	vars, err := b.view(pass, b.main)
	require.NoError(t, err)
	assert.Len(t, vars["engine_api_root_password"], 26)
	assert.NotEqual(t, vars["engine_api_root_password"], vars["smoke_sip_password"])
	assert.NotContains(t, b.out.String()+b.err.String(), vars["smoke_sip_password"])
	err = b.run("init", "dev")
	require.ErrorContains(t, err, "is there already")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))

	// What the editor leaves becomes the vault, unless it is no map; then the next edit goes on.
	edit := func(script string) error {
		editor := filepath.Join(t.TempDir(), "editor")
		require.NoError(t, os.WriteFile(editor, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
		t.Setenv("EDITOR", editor)
		return b.run("edit", "dev")
	}
	require.NoError(t, edit(`echo 'more: one' >>"$1"`))
	vars, err = b.view(pass, b.main)
	require.NoError(t, err)
	assert.Equal(t, "one", vars["more"])
	require.ErrorContains(t, edit(`echo '- "never-show-me' >>"$1"`), "the vault is as it was")
	vars, err = b.view(pass, b.main)
	require.NoError(t, err)
	assert.Equal(t, "one", vars["more"])
	require.NoError(t, edit(`sed -i '/never-show-me/d; s/more: one/more: two/' "$1"`))
	vars, err = b.view(pass, b.main)
	require.NoError(t, err)
	assert.Equal(t, "two", vars["more"])
	b.env[vaultfile.FileVariable] = filepath.Join(b.dir, "wrong")
	require.NoError(t, os.WriteFile(b.env[vaultfile.FileVariable], []byte("not-the-password\n"), 0o600))
	require.ErrorContains(t, edit("exit 0"), "ansible-vault edit")
	b.env[vaultfile.FileVariable] = pass
	assert.NoFileExists(t, b.main+"~")

	// A second vault, which an interrupted rekey has done already.
	second := filepath.Join(filepath.Dir(b.main), "other.yml")
	fresh := filepath.Join(b.dir, "fresh")
	require.NoError(t, os.WriteFile(fresh, []byte("another-password-of-the-vault\n"), 0o600))
	program, err := vaultfile.Locate(func(name string) string { return b.env[name] })
	require.NoError(t, err)
	sealed, err := program.Encrypt(t.Context(), fresh, []byte("other: 1\n"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(second, sealed, 0o600))

	require.ErrorContains(t, b.run("rekey", "dev"), "--new-password-file")
	require.NoError(t, b.run("rekey", "dev", "--new-password-file", fresh))
	assert.Contains(t, b.out.String(), "2 vaults of dev")
	for _, file := range []string{b.main, second} {
		_, err = b.view(fresh, file)
		require.NoError(t, err)
	}
	_, err = b.view(pass, b.main)
	require.Error(t, err)

	// A vault that neither password opens leaves all of them as they are.
	sealed, err = program.Encrypt(t.Context(), pass, []byte("other: 2\n"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(second, sealed, 0o600))
	b.env[vaultfile.FileVariable] = fresh
	require.ErrorContains(t, b.run("rekey", "dev", "--new-password-file", filepath.Join(b.dir, "third")), "other.yml")
	_, err = b.view(fresh, b.main)
	require.NoError(t, err)
}

func TestWrongInput(t *testing.T) {
	b := newBench(t)
	b.env[vaultfile.ValueVariable] = "never-show-me"
	err := b.run("init", "staging")
	require.ErrorContains(t, err, `stack is "staging"`)
	require.ErrorContains(t, err, "more than one of")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.NotContains(t, err.Error(), "never-show-me")

	delete(b.env, vaultfile.FileVariable)
	b.env[vaultfile.ValueVariable] = "short"
	require.ErrorContains(t, b.run("init", "dev"), "has 5 characters, want at least 12")
	delete(b.env, vaultfile.ValueVariable)
	require.ErrorContains(t, b.run("init", "dev"), "no password: set CALLDATA_VAULT_PASSWORD_FILE")
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "pass"), []byte("one line, and\nanother\n"), 0o600))
	b.env[vaultfile.FileVariable] = filepath.Join(b.dir, "pass")
	require.ErrorContains(t, b.run("init", "dev"), "more than one line")
	assert.NoFileExists(t, b.main)
}
