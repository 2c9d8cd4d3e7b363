package wazonode

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	testVolume = "vol-0123456789abcdef0"
	testDisk   = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0"
)

// host is a directory that plays the system for the script: a file is the disk, and mounting is only remembered. blkid
// and mkfs are the real ones.
type host struct {
	t   *testing.T
	dir string
}

func newHost(t *testing.T) host {
	h := host{t: t, dir: t.TempDir()}
	h.write("etc/fstab", "# <file system>\n")
	h.tool("mount", `echo "$1" >>"$CALLDATA_ROOT/mounted"`)
	h.tool("mountpoint", `grep -qxF "$2" "$CALLDATA_ROOT/mounted" 2>/dev/null`)
	h.tool("systemctl", `[ "$*" = daemon-reload ]`)
	h.tool("sleep", `[ ! -e "$CALLDATA_ROOT/late" ] || mv "$CALLDATA_ROOT/late" "$CALLDATA_ROOT`+testDisk+`"`)
	return h
}

func (h host) write(name, text string) string {
	path := filepath.Join(h.dir, name)
	require.NoError(h.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(h.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (h host) tool(name, script string) {
	require.NoError(h.t, os.Chmod(h.write("tools/"+name, "#!/bin/sh\n"+script+"\n"), 0o700)) // #nosec G302 -- a program
}

// disk makes a disk of 16 MiB that begins with text.
func (h host) disk(name, text string) string {
	path := h.write(name, text)
	require.NoError(h.t, os.Truncate(path, 16<<20))
	return path
}

func (h host) run() (string, error) {
	cmd := exec.Command("/bin/sh", "-c", dataVolumeScript, "calldata-data-volume", testVolume, "/var/lib/postgresql")
	cmd.Env = []string{"PATH=" + filepath.Join(h.dir, "tools") + ":/usr/sbin:/usr/bin:/sbin:/bin", "CALLDATA_ROOT=" + h.dir}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h host) read(name string) string {
	text, err := os.ReadFile(filepath.Join(h.dir, name))
	require.NoError(h.t, err)
	return string(text)
}

// fileSystem answers what blkid says of a disk.
func (h host) fileSystem(name, tag string) string {
	out, err := exec.Command("/sbin/blkid", "--probe", "-o", "value", "-s", tag, filepath.Join(h.dir, name)).CombinedOutput()
	require.NoError(h.t, err, string(out))
	return string(out)
}

func TestBlankVolumeIsFormattedOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	require.NoError(t, os.MkdirAll(filepath.Join(h.dir, filepath.Dir(testDisk)), 0o700))
	h.disk("late", "") // attached while the script waits
	out, err := h.run()
	require.NoError(t, err, out)
	assert.Equal(t, "ext4\n", h.fileSystem(testDisk, "TYPE"))
	assert.Equal(t, "# <file system>\n"+testDisk+" /var/lib/postgresql ext4 defaults,nofail,x-systemd.growfs,x-systemd.device-timeout=5min 0 2\n", h.read("etc/fstab"))
	assert.Equal(t, "/var/lib/postgresql\n", h.read("mounted"))

	// The next machine gets the same volume.
	before := h.fileSystem(testDisk, "UUID")
	require.NoError(t, os.Remove(filepath.Join(h.dir, "mounted")))
	for range 2 {
		out, err = h.run()
		require.NoError(t, err, out)
	}
	assert.Equal(t, before, h.fileSystem(testDisk, "UUID"), "a volume with data must never be formatted")
	assert.Equal(t, "/var/lib/postgresql\n", h.read("mounted"), "mounted once")
	assert.Equal(t, 1, strings.Count(h.read("etc/fstab"), testDisk))
}

func TestVolumeWithoutFileSystemIsLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.disk(testDisk, "\x00\x00raw data of somebody")
	before := h.read(testDisk)
	out, err := h.run()
	require.Error(t, err)
	assert.Contains(t, out, testVolume+": it holds data that is no file system")
	assert.Equal(t, before, h.read(testDisk))
	assert.Equal(t, "# <file system>\n", h.read("etc/fstab"))

	h.tool("blkid", "exit 8")
	out, err = h.run()
	require.Error(t, err)
	assert.Contains(t, out, "blkid does not know what it holds (code 8)")
}

func TestVolumeThatNeverComes(t *testing.T) {
	t.Parallel()
	out, err := newHost(t).run()
	require.Error(t, err)
	assert.Contains(t, out, "not attached within 30 minutes")
}

func TestDirectoryThatIsMountedAlready(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.write("mounted", "/var/lib/postgresql\n")
	out, err := h.run()
	require.NoError(t, err, out)
	assert.Equal(t, "# <file system>\n", h.read("etc/fstab"))
}
