package machines

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Every machine has a cgroup of its own, id/machine, in each hierarchy that systemd inside may want: without it, stopping
// one takes two minutes. There is one hierarchy (cgroup v2), or several (v1, hybrid). The groups are made directly and
// not through the host's systemd, which need not be running.

// v1Controllers are the version 1 hierarchies that machines use. Others (cpuset) need settings before they take a process.
var v1Controllers = []string{"name=systemd", "memory", "pids", "cpu", "cpuacct"}

// mount is a line of /proc/self/mountinfo, as proc(5) describes it.
type mount struct {
	point, fstype, source string
	options               []string // of the superblock
}

// mounts reads the mount table.
func mounts() ([]mount, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return parseMounts(f)
}

func parseMounts(r io.Reader) ([]mount, error) {
	var out []mount
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		left, right, found := strings.Cut(lines.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !found || len(l) < 5 || len(r) < 3 {
			return nil, fmt.Errorf("mount table: cannot read %q", lines.Text())
		}
		out = append(out, mount{point: unescape(l[4]), fstype: r[0], source: unescape(r[1]), options: strings.Split(r[2], ",")})
	}
	return out, lines.Err()
}

// unescape undoes the octal escapes of the mount table.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// hierarchies are the mount points of the cgroup hierarchies that machines use.
func hierarchies(table []mount) []string {
	var out []string
	for _, m := range table {
		use := m.fstype == "cgroup2" || m.fstype == "cgroup" &&
			slices.ContainsFunc(m.options, func(o string) bool { return slices.Contains(v1Controllers, o) })
		if use && !slices.Contains(out, m.point) {
			out = append(out, m.point)
		}
	}
	return out
}

// cgroups are the directories of id's cgroup, or of one below it, in every hierarchy.
func cgroups(parts ...string) ([]string, error) {
	table, err := mounts()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, h := range hierarchies(table) {
		out = append(out, filepath.Join(append([]string{h}, parts...)...))
	}
	if len(out) == 0 {
		return nil, errors.New("no cgroup hierarchy is mounted")
	}
	return out, nil
}

// makeCgroups makes the cgroups of a machine and answers the files that take a process into them.
func makeCgroups(id, machine string) ([]string, error) {
	dirs, err := cgroups(id, machine)
	if err != nil {
		return nil, err
	}
	var procs []string
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the kernel's own directories look like this
			return nil, fmt.Errorf("make cgroup: %w", err)
		}
		procs = append(procs, filepath.Join(dir, "cgroup.procs"))
	}
	return procs, nil
}

// cgroupPids are the processes in the given cgroups and below.
func cgroupPids(dirs []string) []int {
	var pids []int
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Name() != "cgroup.procs" {
				return nil //nolint:nilerr // groups come and go while we look
			}
			data, _ := os.ReadFile(path) //nolint:gosec // below a cgroup mount
			for _, word := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// killTimeout is how long processes may take to disappear after SIGKILL. Eleven machines that go at one time on two busy cores take
// more than ten seconds.
const killTimeout = time.Minute

// killAll kills the processes that find answers, again and again, until there are none. It answers how many there were.
func killAll(find func() []int) (int, error) {
	seen := map[int]bool{}
	for deadline := time.Now().Add(killTimeout); ; time.Sleep(20 * time.Millisecond) {
		pids := find()
		if len(pids) == 0 {
			return len(seen), nil
		}
		for _, pid := range pids {
			seen[pid] = true
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if time.Now().After(deadline) {
			return len(seen), fmt.Errorf("processes %v are still there %s after SIGKILL", pids, killTimeout)
		}
	}
}

// removeCgroups removes the given cgroups and all below. The kernel may hold an empty group for a moment.
func removeCgroups(dirs []string) (int, error) {
	removed := 0
	for _, dir := range dirs {
		for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			var inner []string
			_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					inner = append(inner, path)
				}
				return nil
			})
			if len(inner) == 0 {
				break
			}
			var last error
			for _, path := range slices.Backward(inner) {
				if err := unix.Rmdir(path); err == nil {
					removed++
				} else if !errors.Is(err, unix.ENOENT) {
					last = fmt.Errorf("remove cgroup %s: %w", path, err)
				}
			}
			if last != nil && time.Now().After(deadline) {
				return removed, last
			}
		}
	}
	return removed, nil
}
