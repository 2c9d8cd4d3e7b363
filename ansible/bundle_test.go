package ansible

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree makes files with their modes; a mode with a link's bit makes a link to the content.
func tree(t *testing.T, files map[string]string, modes map[string]os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		mode, given := modes[name]
		if !given {
			mode = 0o644
		}
		if mode&os.ModeSymlink != 0 {
			require.NoError(t, os.Symlink(content, file))
			continue
		}
		require.NoError(t, os.WriteFile(file, []byte(content), mode))
		require.NoError(t, os.Chmod(file, mode))
	}
	return dir
}

func bundleOf(t *testing.T, dir, inventory string) ([]byte, string) {
	t.Helper()
	var out bytes.Buffer
	sum, err := WriteBundle(dir, inventory, &out)
	require.NoError(t, err)
	got := sha256.Sum256(out.Bytes())
	require.Equal(t, hex.EncodeToString(got[:]), sum)
	return out.Bytes(), sum
}

// headers are the archive's entries by name, in its order.
func headers(t *testing.T, data []byte) ([]string, map[string]*tar.Header) {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	archive := tar.NewReader(plain)
	var names []string
	found := map[string]*tar.Header{}
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return names, found
		}
		require.NoError(t, err)
		names, found[h.Name] = append(names, h.Name), h
	}
}

func TestBundleIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	files := map[string]string{"playbooks/fleet.yml": "a", "roles/r/files/run": "b", "roles/r/tasks/main.yml": "c", "ansible.cfg": "d", "roles/r/files/again": "run"}
	modes := map[string]os.FileMode{"roles/r/files/run": 0o755, "roles/r/files/again": os.ModeSymlink}
	data, sum := bundleOf(t, tree(t, files, modes), "")
	assert.Equal(t, "c6ac15c6", sum[:8], "the archive is the same on every machine and with every version of Go")

	modes["playbooks/fleet.yml"], modes["roles/r/files/run"] = 0o600, 0o700 // another umask
	other := tree(t, files, modes)
	for _, when := range []time.Time{time.Now().Add(-time.Hour), time.Unix(0, 0)} {
		require.NoError(t, os.Chtimes(filepath.Join(other, "ansible.cfg"), when, when))
		again, _ := bundleOf(t, other, "")
		assert.Equal(t, data, again)
	}

	names, found := headers(t, data)
	assert.True(t, slices.IsSorted(names), names)
	assert.Len(t, names, len(files))
	for name, h := range found {
		assert.Equal(t, [2]int{0, 0}, [2]int{h.Uid, h.Gid}, name)
		assert.True(t, packed.Equal(h.ModTime), name)
	}
	assert.EqualValues(t, 0o755, found["roles/r/files/run"].Mode)
	assert.EqualValues(t, 0o644, found["playbooks/fleet.yml"].Mode)
	assert.Equal(t, "run", found["roles/r/files/again"].Linkname)
}

// The bundle changes exactly when the hash does.
func TestBundleFollowsTheContentHash(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"playbooks/site.yml": "a"}, nil)
	put := func(name, content string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	look := func() [2]string {
		hash, err := ContentHash(dir, "stage")
		require.NoError(t, err)
		_, sum := bundleOf(t, dir, "stage")
		return [2]string{hash, sum}
	}
	first := look()
	for _, name := range []string{
		".vault-pass", "inventories/stage/vault-password.txt", "roles/r/files/server.key", "roles/r/files/server.pem", "id_ed25519", "known_hosts",
		"x.go", "README.md", ".git/config", "__pycache__/x.pyc", "inventories/stage/hosts.generated.yml",
	} {
		put(name, "secret")
		assert.Equal(t, first, look(), "%s must not leave this machine", name)
	}
	for _, name := range []string{
		"playbooks/site.yml", "inventories/stage/group_vars/all/vault.yml", "inventories/shared/all.yml", "roles/r/files/inventories/dev/x", "dev/x",
	} {
		put(name, "b")
		next := look()
		assert.NotEqual(t, first[0], next[0], name)
		assert.NotEqual(t, first[1], next[1], name)
		first = next
	}
}

// What is written for a stack changes nothing for others, whatever they are called.
func TestOtherInventoriesAreLeftOut(t *testing.T) {
	t.Parallel()
	files := map[string]string{"playbooks/site.yml": "a", "inventories/shared/all.yml": "a"}
	stacks := []string{"dev", "stage", "prod", "pr", "pr-12", "stage-drill", "prod-us-west-2", "fleet"}
	for _, stack := range stacks {
		files["inventories/"+stack+"/group_vars/all/vault.yml"] = stack
	}
	dir := tree(t, files, nil)
	look := func() map[string][2]string {
		all := map[string][2]string{}
		for _, stack := range stacks {
			hash, err := ContentHash(dir, stack)
			require.NoError(t, err)
			data, sum := bundleOf(t, dir, stack)
			names, _ := headers(t, data)
			assert.ElementsMatch(t, []string{"inventories/" + stack + "/group_vars/all/vault.yml", "inventories/shared/all.yml", "playbooks/site.yml"}, names)
			all[stack] = [2]string{hash, sum}
		}
		return all
	}
	before := look()
	for _, stack := range stacks {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "inventories", stack, "group_vars/all/vault.yml"), []byte("b"), 0o600))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "inventories", stack+".new")))
		require.NoError(t, os.CopyFS(filepath.Join(dir, "inventories", stack+".new"), os.DirFS(filepath.Join(dir, "inventories", stack))))
		after := look()
		assert.NotEqual(t, before[stack][0], after[stack][0], stack)
		assert.NotEqual(t, before[stack][1], after[stack][1], stack)
		delete(before, stack)
		for other, was := range before {
			assert.Equal(t, was, after[other], "%s after a change of %s", other, stack)
		}
		before = after
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "inventories/shared/all.yml"), []byte("b"), 0o600))
	for stack, now := range look() {
		assert.NotEqual(t, before[stack], now, stack)
	}
}

func TestBundleRefusesLinksThatLeadOut(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/etc/passwd", "../../x", ".."} {
		_, err := WriteBundle(tree(t, map[string]string{"a/link": filepath.Join(target)}, map[string]os.FileMode{"a/link": os.ModeSymlink}), "", io.Discard)
		if target == ".." {
			assert.NoError(t, err, "that is the tree itself")
			continue
		}
		assert.ErrorContains(t, err, "a/link leads to "+target)
	}
	_, err := WriteBundle(filepath.Join(t.TempDir(), "absent"), "", io.Discard)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestBundleReportsAFailedWrite(t *testing.T) {
	t.Parallel()
	_, err := WriteBundle(tree(t, map[string]string{"a": "b"}, nil), "", full{})
	assert.ErrorContains(t, err, "disk full")
}

// TestBundleOfThisTree unpacks the repository's own bundle as a machine does.
func TestBundleOfThisTree(t *testing.T) {
	t.Parallel()
	data, _ := bundleOf(t, ".", "fleet")
	dir := t.TempDir()
	cmd := exec.Command("tar", "--extract", "--gzip", "--no-same-owner", "--directory", dir)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Empty(t, string(out), "tar must have nothing to warn of")
	hash, err := ContentHash(".", "fleet")
	require.NoError(t, err)
	unpacked, err := ContentHash(dir, "")
	require.NoError(t, err)
	assert.Equal(t, hash, unpacked)
	_, found := headers(t, data)
	names := slices.Collect(maps.Keys(found))
	assert.Subset(t, names, []string{"ansible.cfg", "playbooks/fleet.yml", "playbooks/common.yml", "roles/common/tasks/main.yml", "roles/fleet_node/files/calldata-lifecycle", "inventories/fleet/hosts.yml"})
	for _, name := range names {
		assert.Regexp(t, "^(inventories/(fleet|shared)/|[^i])", name, "machines of a fleet read no other inventory")
	}
}
