package ansible

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/stacks"
)

func TestContentHash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, content string, mode os.FileMode) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), mode))
		require.NoError(t, os.Chmod(file, mode))
	}
	hash := func() string {
		h, err := ContentHash(dir)
		require.NoError(t, err)
		return h
	}
	put("playbooks/site.yml", "a", 0o644)
	put("roles/r/files/run", "b", 0o755)
	first := hash()
	assert.Len(t, first, 64)
	assert.Equal(t, "0fd806f1", first[:8], "the hash is the same on every machine")

	for _, name := range []string{
		"x.go", "README.md", "roles/r/README.md", "testdata/x", "__pycache__/x.pyc", ".ansible/x", "site.yml~", ".site.yml.swp",
		".vault-pass", "vault-password.txt", "site.retry", "inventories/dev/hosts.generated.yml", ".idea/x", "known_hosts",
	} {
		put(name, "x", 0o644)
		assert.Equal(t, first, hash(), name)
	}
	put("playbooks/site.yml", "a", 0o600)
	assert.Equal(t, first, hash(), "a umask is not content")

	seen := map[string]string{first: "the tree"}
	for what, change := range map[string]func(){
		"content":           func() { put("playbooks/site.yml", "A", 0o644) },
		"name":              func() { put("playbooks/site.yml", "a", 0o644); put("playbooks/other.yml", "a", 0o644) },
		"execute bit":       func() { put("roles/r/files/run", "b", 0o644) },
		"document in files": func() { put("roles/r/files/README.md", "x", 0o644) },
		"vault":             func() { put("inventories/dev/group_vars/all/vault.yml", "x", 0o644) },
	} {
		change()
		h := hash()
		assert.Empty(t, seen[h], what)
		seen[h] = what
	}

	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	linked, err := ContentHash(link)
	require.NoError(t, err)
	assert.Equal(t, hash(), linked)

	_, err = ContentHash(filepath.Join(dir, "absent"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestContentHashOfThisTree(t *testing.T) {
	t.Parallel()
	_, err := ContentHash(".")
	assert.NoError(t, err)
}

func TestUpstreamPin(t *testing.T) {
	t.Parallel()
	u, err := ReadUpstream(".")
	require.NoError(t, err)
	assert.Equal(t, Upstream{
		Repository: "https://github.com/wazo-platform/wazo-ansible.git", Commit: "b118c2bcb427ac5162d0ff5e5e17fb809ae17a54",
	}, u)

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "upstream.yml"), []byte("wazo_ansible: {commit: master}\n"), 0o600))
	_, err = ReadUpstream(dir)
	assert.ErrorContains(t, err, "repository is empty")
	assert.ErrorContains(t, err, `"master"`)
}

// The playbook and the program must agree on what they share.
func TestContentAgreesWithProgram(t *testing.T) {
	t.Parallel()
	playbook := read(t, "playbooks/uc-engine.yml")
	at := 0
	for _, role := range UpstreamRoles() {
		i := strings.Index(playbook[at:], "role: "+role+"\n")
		require.GreaterOrEqual(t, i, 0, "%s is missing or out of order", role)
		at += i
	}
	var defaults map[string]string
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "roles/smoke_line/defaults/main.yml")), &defaults))
	assert.Equal(t, stacks.SmokeUser, defaults["smoke_line_user"])
	assert.Equal(t, stacks.SmokeExtension, defaults["smoke_line_extension"])
	hosts := read(t, "inventories/dev/hosts.yml")
	for _, role := range stacks.AllRoles() {
		assert.Contains(t, hosts, Group(role)+":")
	}
}
