package machines

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func TestDebianSources(t *testing.T) {
	t.Parallel()
	const signed = "deb [signed-by=" + keyring + "] "
	tests := []struct {
		name, targets, override string
		want                    []string
		fails                   string
	}{
		{name: "Debian 12", targets: "DEP-11 bookworm http://m/debian/\nPackages bookworm http://m/debian/\nPackages bookworm-updates http://m/debian/\nPackages bookworm-security http://m/sec/\n",
			want: []string{"http://m/debian/ bookworm main", "http://m/debian/ bookworm-updates main", "http://m/sec/ bookworm-security main"}},
		{name: "a later Debian, security with a slash", targets: "Packages trixie/updates http://m/debian/\nPackages trixie-security http://m/sec/\n",
			want: []string{"http://m/debian/ bookworm main", "http://m/debian/ bookworm-updates main", "http://m/sec/ bookworm-security main"}},
		{name: "no security", targets: "Packages stable http://m/debian/", want: []string{"http://m/debian/ bookworm main", "http://m/debian/ bookworm-updates main"}},
		{name: "Ubuntu", targets: "Packages noble http://u/ubuntu/\nPackages noble-security http://u/ubuntu/", fails: mirrorVariable},
		{name: "Ubuntu with a mirror", targets: "Packages noble http://u/ubuntu/", override: "http://m/debian/",
			want: []string{"http://m/debian/ bookworm main", "http://m/debian/ bookworm-updates main", "http://m/debian-security bookworm-security main"}},
		{name: "not a URL", targets: "", override: "debian", fails: "not the URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := debianSources(tt.targets, tt.override)
			if tt.fails != "" {
				require.ErrorContains(t, err, tt.fails)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, signed+strings.Join(tt.want, "\n"+signed)+"\n", got)
		})
	}
}

func TestPackageListsAreSortedAndApart(t *testing.T) {
	t.Parallel()
	for name, list := range map[string]string{"base": baseList, "repo": repoList} {
		packages := packageList(list)
		assert.NotEmpty(t, packages)
		assert.IsIncreasing(t, packages, "%s.list, without duplicates", name)
	}
	assert.NotSubset(t, packageList(baseList), packageList(repoList))
}

func TestPlanned(t *testing.T) {
	t.Parallel()
	plan := "Reading package lists...\n'http://m/a_1%2bb_amd64.deb' a_1+b_amd64.deb 12 SHA256:00\nNothing else\n'http://m/b_2.deb' b_1%3a2_all.deb 3 MD5Sum:0\n"
	assert.Equal(t, []string{"a_1+b_amd64.deb", "b_1%3a2_all.deb"}, planned(plan))
}

func TestMeters(t *testing.T) {
	t.Parallel()
	var got []string
	var done, total int64
	m := &debMeter{report: func(d, n int64, what string) { done, total = d, n; got = append(got, what) }}
	lines := &lineWriter{each: m.aptLine}
	for _, piece := range []string{"0 upgraded, 2 newly ins", "talled, 0 to remove\nGet:1 http://m bookworm/main amd64 jq amd64 1.6 [60 kB]\n",
		"Unpacking cron (3.0) ...\nSetting up cron (3.0) ...\r\n"} {
		n, err := lines.Write([]byte(piece))
		require.NoError(t, err)
		assert.Equal(t, len(piece), n)
	}
	assert.Equal(t, []string{"jq", "unpacking cron", "setting cron"}, got)
	assert.Equal(t, []int64{4, 4}, []int64{done, total})

	got = nil
	d := &debMeter{report: m.report, total: debootstrapSteps}
	for _, line := range []string{"I: Retrieving Release", "I: Extracting libc6...", "W: x", "I: Configuring apt..."} {
		d.debootstrapLine(line)
	}
	assert.Equal(t, []string{"extracting libc6", "configuring apt"}, got)
}

func TestLineWriterKeepsTheLastLines(t *testing.T) {
	t.Parallel()
	w := &lineWriter{}
	for range 3 * tailLines {
		_, _ = w.Write([]byte("x\n\n"))
	}
	assert.Len(t, w.tail, tailLines)
}

const hybrid = `30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw
35 24 0:31 / /var/lib/calldata/a\040b/root rw - overlay cd-dev rw,lowerdir=/a
`

func TestHierarchies(t *testing.T) {
	t.Parallel()
	table, err := parseMounts(strings.NewReader(hybrid))
	require.NoError(t, err)
	assert.Equal(t, []string{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"}, hierarchies(table))
	assert.Equal(t, mount{point: "/var/lib/calldata/a b/root", fstype: "overlay", source: "cd-dev", options: []string{"rw", "lowerdir=/a"}}, table[5])

	table, err = parseMounts(strings.NewReader("30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"))
	require.NoError(t, err)
	assert.Equal(t, []string{"/sys/fs/cgroup"}, hierarchies(table))

	_, err = parseMounts(strings.NewReader("nonsense\n"))
	assert.Error(t, err)
}

func TestTranslation(t *testing.T) {
	t.Parallel()
	outside := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	empty := translation(outside, nil)
	assert.NotContains(t, empty, "elements", "nft takes no empty list")
	rules := translation(outside, map[netip.Addr]netip.Addr{
		netip.MustParseAddr("10.20.0.5"): netip.MustParseAddr("203.0.113.10"), netip.MustParseAddr("10.20.0.4"): netip.MustParseAddr("203.0.113.11")})
	assert.Contains(t, rules, "elements = { 203.0.113.11 : 10.20.0.4, 203.0.113.10 : 10.20.0.5 }")
	assert.Contains(t, rules, "elements = { 10.20.0.4 : 203.0.113.11, 10.20.0.5 : 203.0.113.10 }")
	assert.Contains(t, rules, "ct original ip daddr { 203.0.113.0/24 } snat to ip saddr map @outward")
}

func TestGateway(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "10.20.16.1", Gateway(netip.MustParsePrefix("10.20.19.7/20")).String())
}

func TestSpecReportsEveryMistake(t *testing.T) {
	t.Parallel()
	err := Spec{InstanceID: "../x", Hostname: "a b", PrivateIP: netip.MustParsePrefix("10.0.0.1/32"), ElasticIP: netip.MustParseAddr("::1")}.Validate()
	for _, part := range []string{`instance id is "../x"`, `is "a b"`, "is 10.0.0.1/32", "is ::1"} {
		assert.ErrorContains(t, err, part)
	}
	require.ErrorContains(t, Spec{InstanceID: "i-1"}.Validate(), "private address")
	assert.NoError(t, spec("i-1", "10.0.0.4/24", "203.0.113.10").Validate())
}

func TestSpecFiles(t *testing.T) {
	t.Parallel()
	key, err := newHostKey()
	require.NoError(t, err)
	s := spec("i-1", "10.20.3.4/20", "")
	s.UserData, s.PublicKeys, s.Region = []byte("#!/bin/sh\n"), []string{"ssh-ed25519 AAAA me"}, "us-east-1"
	files, err := s.files(key)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, writeFiles(dir, files))
	read := func(path string) string {
		data, err := os.ReadFile(filepath.Join(dir, path))
		require.NoError(t, err)
		return string(data)
	}
	assert.Equal(t, "ip-10-20-3-4\n", read("etc/hostname"))
	assert.Contains(t, read("etc/systemd/network/10-host0.network"), "Address=10.20.3.4/20\nGateway=10.20.0.1\n")
	assert.Equal(t, "#!/bin/sh\n", read(seedDir+"/user-data"))
	var meta map[string]any
	require.NoError(t, json.Unmarshal([]byte(read(seedDir+"/meta-data")), &meta))
	assert.Equal(t, "i-1", meta["instance-id"])
	assert.Equal(t, []any{"ssh-ed25519 AAAA me"}, meta["public-keys"])
	info, err := os.Stat(filepath.Join(dir, "etc/ssh/ssh_host_ed25519_key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	parsed, err := ssh.ParsePrivateKey([]byte(read("etc/ssh/ssh_host_ed25519_key")))
	require.NoError(t, err)
	assert.Equal(t, key.public, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(parsed.PublicKey()))))
}

func TestWriteFilesStaysInside(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "etc")))
	require.Error(t, writeFiles(dir, map[string]file{"etc/passwd": {mode: 0o600}}))
	assert.NoFileExists(t, filepath.Join(outside, "passwd"))
}

func TestKnownHosts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sub", "known_hosts")
	require.NoError(t, writeKnownHosts(path, []knownHost{
		{addresses: []netip.Addr{netip.MustParseAddr("10.0.0.5"), {}}, key: "ssh-ed25519 B"},
		{addresses: []netip.Addr{netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("203.0.113.10")}, key: "ssh-ed25519 A"}}))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "10.0.0.4,203.0.113.10 ssh-ed25519 A\n10.0.0.5 ssh-ed25519 B\n", string(data))
	assert.NoFileExists(t, path+".new")
}

func TestPreflightNamesPackages(t *testing.T) {
	t.Parallel()
	missing := programs(func(name string) (string, error) {
		if name == "debootstrap" || name == "nft" {
			return "", errors.New("no")
		}
		return name, nil
	})
	require.Len(t, missing, 2)
	assert.Equal(t, "debootstrap (builds their image): apt-get install debootstrap", missing[0].String())
	assert.Equal(t, "apt-get install nftables", missing[1].Fix)
	assert.Equal(t, int64(2048), available([]byte("MemTotal: 9 kB\nMemAvailable:       2 kB\n")))
}

func TestIDsAreChecked(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "dev", "cd-", "cd-../..", "cd-Dev", "cd-a b"} {
		_, err := Teardown(t.Context(), id)
		assert.ErrorContains(t, err, "rehearsal id", id)
	}
	assert.Equal(t, "/var/lib/calldata/rehearsal/dev", StateDir("cd-dev"))
}
