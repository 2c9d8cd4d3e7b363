package machines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/rehearsal/machines/netns"
)

// stateRoot is where rehearsals keep their files.
const stateRoot = "/var/lib/calldata/rehearsal"

// StateDir is where the rehearsal called id ("cd-dev") keeps its files while it runs.
func StateDir(id string) string { return filepath.Join(stateRoot, strings.TrimPrefix(id, "cd-")) }

// machinesDir is, with volumesDir, the part of the state that Teardown owns.
func machinesDir(id string) string { return filepath.Join(StateDir(id), "machines") }

// Removed counts what a Teardown took away.
type Removed struct {
	Processes, Mounts, Loops, Namespaces, Cgroups, Directories int
}

// Any reports whether there was anything.
func (r Removed) Any() bool { return r != Removed{} }

// Teardown removes everything that a rehearsal left on this host, running or crashed: the processes in its cgroups and
// in its network namespace, its mounts, loop devices, the namespace, the cgroups and the machines' disks. It needs no memory of what
// was made, may be called at any time, and does nothing when there is nothing.
//
// Callers inside the namespace survive, and so do their parents.
func Teardown(_ context.Context, id string) (Removed, error) {
	var r Removed
	if !validID.MatchString(id) {
		return r, fmt.Errorf("rehearsal id is %q: want cd- and lower case letters, digits or dashes", id)
	}
	groups, err := cgroups(id)
	if err != nil {
		return r, err
	}
	names := machineNames(id, groups)
	spare := ancestors()
	if r.Processes, err = killAll(func() []int { return ownProcesses(id, groups, spare) }); err != nil {
		return r, fmt.Errorf("end the processes of %s: %w", id, err)
	}

	var errs []error
	for _, name := range names {
		errs = append(errs, forgetNspawn(name, filepath.Join(machinesDir(id), name, "root")))
	}
	points, err := ownMounts(id)
	errs = append(errs, err)
	for _, point := range points {
		if err := unix.Unmount(point, 0); err != nil {
			err = unix.Unmount(point, unix.MNT_DETACH)
			if err != nil && !errors.Is(err, unix.EINVAL) {
				errs = append(errs, fmt.Errorf("unmount %s: %w", point, err))
				continue
			}
		}
		r.Mounts++
	}
	if _, err := os.Lstat(netns.Path(id)); err == nil {
		_ = unix.Unmount(netns.Path(id), unix.MNT_DETACH)
		if err := os.Remove(netns.Path(id)); err != nil {
			errs = append(errs, fmt.Errorf("remove network namespace: %w", err))
		} else {
			r.Namespaces++
		}
	}
	n, err := removeCgroups(groups)
	r.Cgroups += n
	errs = append(errs, err)
	n, err = clearLoops(volumesDir(id))
	r.Loops += n
	errs = append(errs, err)
	// Removing below a mount would empty what is mounted there.
	if left, err := ownMounts(id); err == nil && len(left) == 0 {
		for _, dir := range []string{machinesDir(id), volumesDir(id)} {
			if _, err := os.Lstat(dir); err == nil {
				r.Directories++
				errs = append(errs, os.RemoveAll(dir))
			}
		}
		// Empty now, unless somebody else keeps files there.
		_ = os.Remove(StateDir(id))
	}
	return r, errors.Join(errs...)
}

// Leftovers names everything of the rehearsal that is still on this host: nothing, after a Teardown.
func Leftovers(id string) ([]string, error) {
	groups, err := cgroups(id)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, pid := range ownProcesses(id, groups, ancestors()) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		left = append(left, fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(command))))
	}
	points, err := ownMounts(id)
	for _, point := range points {
		left = append(left, "mount "+point)
	}
	for _, device := range loopsOf(volumesDir(id)) {
		left = append(left, "loop device "+device)
	}
	paths := append([]string{netns.Path(id), machinesDir(id), volumesDir(id)}, groups...)
	for _, name := range machineNames(id, groups) {
		paths = append(paths, filepath.Join(nspawnRuntime, "propagate", name))
	}
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			left = append(left, path)
		}
	}
	return left, err
}

// machineNames are the machines that have a directory or a cgroup.
func machineNames(id string, groups []string) []string {
	var names []string
	for _, dir := range append([]string{machinesDir(id)}, groups...) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.IsDir() && validMachine.MatchString(e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ownMounts are the mount points of the rehearsal, the innermost first.
func ownMounts(id string) ([]string, error) {
	table, err := mounts()
	if err != nil {
		return nil, err
	}
	var points []string
	for _, m := range table {
		if m.fstype == "overlay" && m.source == id || strings.HasPrefix(m.point, StateDir(id)+"/") {
			points = append(points, m.point)
		}
	}
	slices.Reverse(points)
	return points, nil
}

// ownProcesses are those in the rehearsal's cgroups and in its network namespace, without the spared ones.
func ownProcesses(id string, groups []string, spare map[int]bool) []int {
	pids := append(cgroupPids(groups), namespacePids(id)...)
	return slices.DeleteFunc(pids, func(pid int) bool { return spare[pid] })
}

// namespacePids are the processes in the network namespace called id.
func namespacePids(id string) []int {
	var want unix.Stat_t
	if unix.Stat(netns.Path(id), &want) != nil {
		return nil
	}
	var pids []int
	processes, _ := fs.Glob(os.DirFS("/proc"), "[0-9]*")
	for _, name := range processes {
		var have unix.Stat_t
		pid, err := strconv.Atoi(name)
		if err == nil && unix.Stat(filepath.Join("/proc", name, "ns/net"), &have) == nil && have.Dev == want.Dev && have.Ino == want.Ino {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ancestors are this process and all that it descends from.
func ancestors() map[int]bool {
	out := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !out[pid]; {
		out[pid] = true
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			break
		}
		// The name in parentheses may contain anything; the parent is the second field behind it.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 2 {
			break
		}
		pid, _ = strconv.Atoi(fields[1])
	}
	return out
}
