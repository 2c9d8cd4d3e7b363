package machines

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
)

// crashVariable makes the test binary boot a machine and wait to be killed.
const crashVariable = "MACHINES_TEST_CRASH"

func TestMain(m *testing.M) {
	if id := os.Getenv(crashVariable); id != "" {
		if err := crash(id); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// world is a network and an empty set under a test's own id.
type world struct {
	id      string
	network *Network
	set     *Set
}

func newWorld(ctx context.Context, id string) (*world, error) {
	dir, err := cache.Default()
	if err != nil {
		return nil, err
	}
	image, err := EnsureImage(ctx, filepath.Join(dir, "image"), progress.Discard)
	if err != nil {
		return nil, err
	}
	w := &world{id: id}
	if w.network, err = NewNetwork(ctx, id, NetworkOptions{Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/24")}}); err != nil {
		return nil, err
	}
	state := StateDir(id)
	w.set = NewSet(SetOptions{Image: image, Network: w.network, Dir: machinesDir(id),
		ConsoleDir: filepath.Join(state, "console"), KnownHosts: filepath.Join(state, "known_hosts")})
	return w, nil
}

// rootWorld skips the test where machines cannot be, and removes everything at its end.
func rootWorld(t *testing.T, name string) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("boots machines")
	}
	if missing := Preflight(); len(missing) > 0 {
		t.Skipf("this host cannot run machines: %v", missing)
	}
	id := fmt.Sprintf("cd-test-%s-%d", name, os.Getpid())
	t.Cleanup(func() {
		_, err := Teardown(context.Background(), id)
		assert.NoError(t, err)
		assert.NoError(t, os.RemoveAll(StateDir(id)))
		left, err := Leftovers(id)
		assert.NoError(t, err)
		assert.Empty(t, left)
	})
	w, err := newWorld(t.Context(), id)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.set.Close(context.Background()) }) // a test that failed may have left its volumes attached
	return w
}

// login makes an SSH key and answers its public half and a signer.
func login(t *testing.T) (string, string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	encoded, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(encoded))), file
}

// ssh runs a command on a machine as a person would, with pinned host keys.
func (w *world) ssh(t *testing.T, key, address string, command ...string) (string, error) {
	t.Helper()
	args := append([]string{"-i", key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5",
		"-o", "UserKnownHostsFile=" + w.set.o.KnownHosts, "admin@" + address, "--"}, command...)
	out, err := w.network.Command(t.Context(), "ssh", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func spec(id, address, elastic string) Spec {
	s := Spec{InstanceID: id, PrivateIP: netip.MustParsePrefix(address)}
	if elastic != "" {
		s.ElasticIP = netip.MustParseAddr(elastic)
	}
	return s
}

func TestMachineLife(t *testing.T) {
	t.Parallel()
	w := rootWorld(t, "life")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	public, key := login(t)

	a := spec("i-0123456789abcdef0", "10.20.0.4/20", "203.0.113.10")
	a.PublicKeys = []string{public}
	a.UserData = []byte("#cloud-config\npackages: [jq]\nruncmd:\n  - echo \"ran on $(hostname)\" > /var/lib/marker\n")
	b := spec("i-0123456789abcdef1", "10.20.16.4/20", "")
	b.PublicKeys = []string{public}
	b.UserData = []byte("#!/bin/sh\necho shell > /var/lib/marker\n")
	start := time.Now()
	require.NoError(t, w.set.Launch(ctx, a))
	behind := w.parts(t, a.InstanceID)
	require.NoError(t, w.set.Launch(ctx, b))
	require.NoError(t, w.set.WaitBooted(ctx, a.InstanceID))
	require.NoError(t, w.set.WaitBooted(ctx, b.InstanceID))
	for i, part := range w.parts(t, a.InstanceID) {
		assert.Equal(t, 4*behind[i], part, "who boots stands behind")
	}
	t.Logf("two machines booted, user data run: %s", time.Since(start).Round(100*time.Millisecond))

	// User data ran, with a package from the local repository; admin has sudo; the machine knows no public address.
	out, err := w.ssh(t, key, "203.0.113.10", "cat /var/lib/marker; jq --version; sudo id -un; ip -4 -o addr show host0; cloud-init status --long")
	require.NoError(t, err, out)
	assert.Contains(t, out, "ran on ip-10-20-0-4")
	assert.Contains(t, out, "jq-1.")
	assert.Contains(t, out, "\nroot\n")
	assert.Contains(t, out, "10.20.0.4/20")
	assert.NotContains(t, out, "203.0.113.10")
	assert.Contains(t, out, "status: done")

	// Between subnets by private address; to the other's Elastic IP and to the operator under the own one.
	out, err = w.ssh(t, key, "10.20.16.4", "cat /var/lib/marker; ping -c1 -W2 10.20.0.4 | grep -c 'bytes from'")
	require.NoError(t, err, out)
	assert.Equal(t, "shell\n1", out)
	assert.Equal(t, "203.0.113.10", w.peerSeenByOperator(t, key, "203.0.113.10"))

	// No way out, and it says so at once.
	out, err = w.ssh(t, key, "203.0.113.10", "ping -c1 -W2 198.51.100.1")
	require.Error(t, err)
	assert.Contains(t, out, "Unreachable")

	// The console log has cloud-init's words and the host key.
	console, err := os.ReadFile(filepath.Join(w.set.o.ConsoleDir, a.InstanceID+".log"))
	require.NoError(t, err)
	assert.Contains(t, string(console), "Cloud-init v.")
	keys, err := w.set.HostKeys(a.InstanceID)
	require.NoError(t, err)
	assert.Contains(t, string(console), strings.Fields(keys[0])[1])

	// The Elastic IP moves while both run.
	require.NoError(t, w.set.SetElasticIP(ctx, b.InstanceID, netip.MustParseAddr("203.0.113.10")))
	out, err = w.ssh(t, key, "203.0.113.10", "hostname")
	require.NoError(t, err, out)
	assert.Equal(t, "ip-10-20-16-4", out)
	require.NoError(t, w.set.SetElasticIP(ctx, b.InstanceID, netip.Addr{}))
	_, err = w.dial(t, "203.0.113.10:22")
	require.Error(t, err)

	// A reboot from inside keeps the disk and the address; so do stop and launch.
	started := func() string {
		out, _ := w.ssh(t, key, "10.20.16.4", "ls /var/lib/kept && systemctl show -P UserspaceTimestampMonotonic")
		return out
	}
	out, err = w.ssh(t, key, "10.20.16.4", "sudo touch /var/lib/kept")
	require.NoError(t, err, out)
	before := started()
	require.Contains(t, before, "/var/lib/kept")
	_, _ = w.ssh(t, key, "10.20.16.4", "sudo systemctl reboot")
	require.Eventually(t, func() bool {
		now := started()
		return strings.HasPrefix(now, "/var/lib/kept") && now != before
	}, 30*time.Second, 200*time.Millisecond)
	require.NoError(t, w.set.Stop(ctx, b.InstanceID))
	assert.False(t, w.set.Running(b.InstanceID))
	require.NoError(t, w.set.Launch(ctx, b))
	require.NoError(t, w.set.WaitBooted(ctx, b.InstanceID))
	out, err = w.ssh(t, key, "10.20.16.4", "ls /var/lib/kept")
	require.NoError(t, err, out)

	start = time.Now()
	require.NoError(t, w.set.Close(ctx))
	t.Logf("both terminated: %s", time.Since(start).Round(100*time.Millisecond))
	assert.NoDirExists(t, filepath.Join(w.set.o.Dir, a.InstanceID))
	mounts, err := ownMounts(w.id)
	require.NoError(t, err)
	assert.Empty(t, mounts)
}

// parts are the machine's parts of the processors, in each hierarchy that divides them.
func (w *world) parts(t *testing.T, machine string) []int {
	t.Helper()
	dirs, err := cgroups(w.id, machine)
	require.NoError(t, err)
	var parts []int
	for _, dir := range dirs {
		for _, file := range []string{"cpu.weight", "cpu.shares"} {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			require.NoError(t, err)
			part, err := strconv.Atoi(strings.TrimSpace(string(data)))
			require.NoError(t, err)
			parts = append(parts, part)
		}
	}
	return parts
}

// TestGatewayKeepsItsHardwareAddress has a machine come whose address is lower than any other's.
func TestGatewayKeepsItsHardwareAddress(t *testing.T) {
	t.Parallel()
	w := rootWorld(t, "bridge")
	ip := func(args ...string) string {
		out, err := w.network.Command(t.Context(), "ip", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	for _, port := range []string{"02:00:00:00:00:ff", "00:00:00:00:00:02"} {
		ip("link", "add", "port", "address", port, "type", "veth", "peer", "name", "far")
		ip("link", "set", "port", "master", bridge, "up")
		assert.Contains(t, ip("-oneline", "link", "show", "dev", bridge), "link/ether "+bridgeAddress)
		ip("link", "del", "port")
	}
}

func TestVolumesOutliveMachines(t *testing.T) {
	t.Parallel()
	w := rootWorld(t, "volumes")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	public, key := login(t)
	script, err := os.ReadFile("../../../components/wazonode/scripts/data-volume.sh")
	require.NoError(t, err)
	volume := Volume{ID: "vol-0123456789abcdef0", GiB: 1}
	a, b := spec("i-0123456789abcdefa", "10.20.0.4/20", ""), spec("i-0123456789abcdefb", "10.20.0.5/20", "")
	a.PublicKeys, b.PublicKeys = []string{public}, []string{public}
	// What nodes do with their data volume.
	a.UserData = fmt.Appendf(nil, "#!/bin/sh\ncat >/run/data-volume <<'EOF'\n%s\nEOF\nsh /run/data-volume %s /srv\ndate >/srv/marker\n", script, volume.ID)
	require.NoError(t, w.set.Launch(ctx, a))
	require.NoError(t, w.set.Launch(ctx, b))
	require.NoError(t, w.set.SetVolumes(a.InstanceID, []Volume{volume}))
	require.NoError(t, w.set.WaitBooted(ctx, a.InstanceID))
	require.NoError(t, w.set.WaitBooted(ctx, b.InstanceID))
	device := "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0"
	marker, err := w.ssh(t, key, "10.20.0.4", "readlink "+device+"; findmnt -no SOURCE,FSTYPE /srv; cat /srv/marker; lsblk -bno SIZE "+device)
	require.NoError(t, err, marker)
	lines := strings.Split(marker, "\n")
	require.Len(t, lines, 4, marker)
	assert.Equal(t, []string{"../../nvme1n1", "/dev/nvme1n1 ext4", fmt.Sprint(1 << 30)}, []string{lines[0], lines[1], lines[3]})

	assert.ErrorContains(t, w.set.SetVolumes(b.InstanceID, []Volume{volume}), "still in use")
	assert.ErrorContains(t, w.set.SetVolumes(b.InstanceID, []Volume{{ID: "sdf"}}), "want 1 or more")

	// Who boots has it mounted: after a reboot inside, and after a loss of power. While the machine is off, another one gets it.
	_, _ = w.ssh(t, key, "10.20.0.4", "sudo touch /run/before; sudo systemctl reboot")
	mounted := func() bool {
		out, err := w.ssh(t, key, "10.20.0.4", "test ! -e /run/before && cat /srv/marker && systemctl is-active -q rehearsal-disks")
		return err == nil && out == lines[2]
	}
	require.Eventually(t, mounted, 30*time.Second, 200*time.Millisecond)
	require.NoError(t, w.set.Kill(ctx, a.InstanceID))
	require.NoError(t, w.set.Start(ctx, a.InstanceID, netip.Prefix{}))
	require.Eventually(t, mounted, 30*time.Second, 200*time.Millisecond)
	require.NoError(t, w.set.Stop(ctx, a.InstanceID))
	require.NoError(t, w.set.SetVolumes(a.InstanceID, nil))
	require.NoError(t, w.set.SetVolumes(b.InstanceID, []Volume{volume}))
	out, err := w.ssh(t, key, "10.20.0.5", "sudo mount "+device+" /srv && cat /srv/marker")
	require.NoError(t, err, out)
	assert.Equal(t, lines[2], out)
	require.NoError(t, w.set.Close(ctx))
	require.Eventually(t, func() bool { return len(loopsOf(volumesDir(w.id))) == 0 }, 5*time.Second, 20*time.Millisecond)
}

// peerSeenByOperator lets the machine connect to the operator and answers which address that came from.
func (w *world) peerSeenByOperator(t *testing.T, key, machine string) string {
	t.Helper()
	listener := w.network.Command(t.Context(), "python3", "-c",
		"import socket; s = socket.create_server(('203.0.113.1', 7777)); print('up', flush=True); print(s.accept()[1][0])")
	out, err := listener.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, listener.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	text, err := w.ssh(t, key, machine, "timeout 3 bash -c 'exec 3<>/dev/tcp/203.0.113.1/7777'")
	require.NoError(t, err, text)
	require.True(t, lines.Scan())
	require.NoError(t, listener.Wait())
	return lines.Text()
}

func (w *world) dial(t *testing.T, address string) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	return w.network.DialContext(ctx, "tcp", address)
}

// crash is the life of the process that TestTeardownAfterACrash kills.
func crash(id string) error {
	ctx := context.Background()
	w, err := newWorld(ctx, id)
	if err != nil {
		return err
	}
	s := spec("i-00000000000000001", "10.20.0.4/20", "203.0.113.10")
	s.UserData = []byte("#!/bin/sh\nuntil mkfs.ext4 -q /dev/nvme1n1; do sleep 0.1; done\nmount /dev/nvme1n1 /mnt\n")
	if err := w.set.Launch(ctx, s); err != nil {
		return err
	}
	if err := w.set.SetVolumes("i-00000000000000001", []Volume{{ID: "vol-00000001", GiB: 1}}); err != nil {
		return err
	}
	if err := w.set.WaitBooted(ctx, "i-00000000000000001"); err != nil {
		return err
	}
	// A child in the namespace that ignores the death of its parent.
	if err := w.network.Command(ctx, "sleep", "600").Start(); err != nil {
		return err
	}
	fmt.Println("up")
	select {}
}

func TestTeardownAfterACrash(t *testing.T) {
	t.Parallel()
	if missing := Preflight(); testing.Short() || len(missing) > 0 {
		t.Skipf("boots machines; this host lacks %v", missing)
	}
	id := fmt.Sprintf("cd-test-crash-%d", os.Getpid())
	t.Cleanup(func() {
		_, _ = Teardown(context.Background(), id)
		_ = os.RemoveAll(StateDir(id))
	})
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), crashVariable+"="+id)
	out, err := victim.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Equal(t, "up", lines.Text())
	require.NoError(t, victim.Process.Kill())
	_ = victim.Wait()
	// nspawn is killed too, the worst that can happen: the machine then runs on by itself.
	groups, err := cgroups(id)
	require.NoError(t, err)
	for _, pid := range cgroupPids(groups) {
		if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); strings.TrimSpace(string(comm)) == "systemd-nspawn" {
			_ = exec.Command("kill", "-KILL", fmt.Sprint(pid)).Run()
		}
	}
	left, err := Leftovers(id)
	require.NoError(t, err)
	require.NotEmpty(t, left)
	t.Log("left by the crash:", len(left))

	start := time.Now()
	removed, err := Teardown(t.Context(), id)
	require.NoError(t, err)
	t.Logf("teardown after a crash: %s, %+v", time.Since(start).Round(time.Millisecond), removed)
	assert.Positive(t, removed.Processes)
	assert.Equal(t, 1, removed.Mounts)
	assert.Equal(t, 1, removed.Namespaces)
	assert.LessOrEqual(t, removed.Loops, 1, "the kernel may have been faster")
	left, err = Leftovers(id)
	require.NoError(t, err)
	assert.Empty(t, left)

	again, err := Teardown(t.Context(), id)
	require.NoError(t, err)
	assert.False(t, again.Any(), "nothing is there the second time: %+v", again)
}
