package machines

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Missing is one thing that this host lacks.
type Missing struct {
	// What is missing, Why it is needed, and a Fix: a command or an instruction.
	What, Why, Fix string
}

// String is one line for a person.
func (m Missing) String() string { return fmt.Sprintf("%s (%s): %s", m.What, m.Why, m.Fix) }

// Needs of a rehearsal of the smallest stack, measured: image and repository 0.8 GB, Python environment 0.5 GB,
// compiled providers 2 GB, machines 0.5 GB; Pulumi and providers 2 GB of memory, machines 0.2 GB each.
const (
	needDisk   = 6 << 30
	needMemory = 3 << 30
)

// tools are the programs that machines are made with, and Debian's packages that have them.
var tools = []struct{ program, pkg, why string }{
	{"systemd-nspawn", "systemd-container", "runs the machines"},
	{"debootstrap", "debootstrap", "builds their image"},
	{"apt-get", "apt", "downloads their packages"},
	{"apt-ftparchive", "apt-utils", "indexes their packages"},
	{"dpkg", "dpkg", "knows the architecture"},
	{"dpkg-deb", "dpkg", "makes the package of a stand-in"},
	{"unshare", "util-linux", "keeps mounts of the build apart"},
	{"nsenter", "util-linux", "enters their network"},
	{"ip", "iproute2", "makes their network"},
	{"nft", "nftables", "translates Elastic IPs"},
	{"ssh", "openssh-client", "reaches them"},
	{"systemctl", "systemd", "enables services in the image"},
}

// Preflight names everything that keeps machines from running on this host, at once. It changes nothing.
func Preflight() []Missing {
	if os.Getuid() != 0 {
		return append(programs(exec.LookPath), Missing{"root", "namespaces, mounts and cgroups of a machine", "run the command with sudo"})
	}
	missing := programs(exec.LookPath)
	missing = append(missing, kernel()...)
	missing = append(missing, nspawnVersion()...)
	if _, err := os.Stat(keyring); err != nil {
		missing = append(missing, Missing{"Debian's archive keys", "verify the image's packages", "apt-get install debian-archive-keyring"})
	}
	return append(missing, room()...)
}

func programs(look func(string) (string, error)) []Missing {
	var missing []Missing
	for _, t := range tools {
		if _, err := look(t.program); err != nil {
			missing = append(missing, Missing{t.program, t.why, "apt-get install " + t.pkg})
		}
	}
	return missing
}

// kernel looks for what cannot be installed.
func kernel() []Missing {
	var missing []Missing
	filesystems, err := os.ReadFile("/proc/filesystems")
	if err != nil || !slices.Contains(strings.Fields(string(filesystems)), "overlay") {
		// It may be a module that is not loaded yet.
		if exec.Command("modprobe", "overlay").Run() != nil { //nolint:noctx // ends by itself
			missing = append(missing, Missing{"overlay file system", "machines share one image", "use a kernel with CONFIG_OVERLAY_FS"})
		}
	}
	for _, ns := range []string{"net", "mnt", "pid", "uts", "ipc"} {
		if _, err := os.Stat("/proc/self/ns/" + ns); err != nil {
			missing = append(missing, Missing{ns + " namespaces", "machines are apart from the host", "use a kernel that has them"})
		}
	}
	if _, err := os.Stat(loopControl); err != nil && exec.Command("modprobe", "loop").Run() != nil { //nolint:noctx // ends by itself
		missing = append(missing, Missing{"loop devices", "they are the machines' data volumes", "use a kernel with CONFIG_BLK_DEV_LOOP"})
	}
	table, err := mounts()
	if err != nil || len(hierarchies(table)) == 0 {
		missing = append(missing, Missing{"cgroups", "machines are started and stopped as a group", "mount -t cgroup2 none /sys/fs/cgroup"})
	}
	return missing
}

var systemdVersion = regexp.MustCompile(`^systemd (\d+)`)

// nspawnVersion: --suppress-sync came with version 250 (systemd-nspawn(1)).
func nspawnVersion() []Missing {
	out, err := exec.Command("systemd-nspawn", "--version").Output() //nolint:noctx // ends by itself
	if err != nil {
		return nil // reported as a missing program
	}
	if v := systemdVersion.FindSubmatch(out); v != nil {
		if n, err := strconv.Atoi(string(v[1])); err == nil && n < 250 {
			return []Missing{{"systemd-nspawn 250 or newer", "this is " + string(v[1]), "use Debian 12, Ubuntu 24.04 or newer"}}
		}
	}
	return nil
}

// room looks at disk and memory.
func room() []Missing {
	var missing []Missing
	var disk unix.Statfs_t
	for _, dir := range []string{stateRoot, "/var/lib", "/"} {
		if unix.Statfs(dir, &disk) != nil {
			continue
		}
		if free := disk.Bavail * uint64(disk.Bsize); free < needDisk { //nolint:gosec // a block size is positive
			missing = append(missing, Missing{"disk space", fmt.Sprintf("%d GiB free below %s, %d needed", free>>30, dir, needDisk>>30), "make room"})
		}
		break
	}
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		if free := available(data); free > 0 && free < needMemory {
			missing = append(missing, Missing{"memory", fmt.Sprintf("%d MiB available, %d needed", free>>20, needMemory>>20), "end something else"})
		}
	}
	return missing
}

// available is MemAvailable of /proc/meminfo in bytes, 0 when it is not there.
func available(meminfo []byte) int64 {
	for line := range bytes.Lines(meminfo) {
		if rest, found := bytes.CutPrefix(line, []byte("MemAvailable:")); found {
			if words := bytes.Fields(rest); len(words) > 0 {
				kib, _ := strconv.ParseInt(string(words[0]), 10, 64)
				return kib << 10
			}
		}
	}
	return 0
}
