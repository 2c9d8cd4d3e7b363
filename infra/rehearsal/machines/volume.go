package machines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Volume is an EBS volume that is attached to an instance besides its root volume.
//
// A machine sees it as on EC2's Nitro system: a block device that appears while the machine runs, under the name that
// udev gives it there. Behind it is a file that grows with what is written to it, on a loop device. What is not real:
// encryption, throughput and snapshots.
type Volume struct {
	// ID is its EBS id, for example vol-0123456789abcdef0.
	ID string
	// GiB is its size.
	GiB int
}

var validVolume = regexp.MustCompile(`^vol-[0-9a-f]{8,17}$`)

// Validate reports every field that a volume could not be made from.
func (v Volume) Validate() error {
	var errs []error
	if !validVolume.MatchString(v.ID) {
		errs = append(errs, fmt.Errorf("volume id is %q: want vol- and 8 to 17 hexadecimal digits", v.ID))
	}
	if v.GiB < 1 {
		errs = append(errs, fmt.Errorf("size of volume %s is %d GiB: want 1 or more", v.ID, v.GiB))
	}
	return errors.Join(errs...)
}

// link is where udev puts the way to the device, below /dev.
// Source: Amazon EBS User Guide, "Map NVMe disks to volumes".
func (v Volume) link() string {
	return "disk/by-id/nvme-Amazon_Elastic_Block_Store_vol" + strings.TrimPrefix(v.ID, "vol-")
}

// volumesDir holds the volumes' files.
func volumesDir(id string) string { return filepath.Join(StateDir(id), "volumes") }

// disk is a volume that is attached to a machine.
type disk struct {
	volume Volume
	// node is the device's name on the machine. The first one is the root volume's.
	node string
	loop *os.File
}

// SetVolumes attaches exactly these volumes to a machine, and detaches those that it has besides. One that was attached
// before has what was written to it then. A volume that another machine still has mounted is refused.
func (s *Set) SetVolumes(id string, volumes []Volume) error {
	m, err := s.get(id)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range volumes {
		errs = append(errs, v.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	m.plugs.Lock()
	defer m.plugs.Unlock()
	m.disks = slices.DeleteFunc(m.disks, func(d disk) bool {
		if slices.Contains(volumes, d.volume) {
			return false
		}
		errs = append(errs, m.unplug(d))
		return true
	})
	for _, v := range volumes {
		if slices.ContainsFunc(m.disks, func(d disk) bool { return d.volume == v }) {
			continue
		}
		loop, err := openLoop(filepath.Join(volumesDir(s.o.Network.id), v.ID), int64(v.GiB)<<30)
		if err != nil {
			errs = append(errs, fmt.Errorf("attach %s to %s: %w", v.ID, id, err))
			continue
		}
		d := disk{volume: v, node: m.freeNode(), loop: loop}
		m.disks = append(m.disks, d)
		errs = append(errs, m.plug(d))
	}
	return errors.Join(errs...)
}

func (m *machine) freeNode() string {
	for n := 1; ; n++ {
		node := fmt.Sprintf("nvme%dn1", n)
		if !slices.ContainsFunc(m.disks, func(d disk) bool { return d.node == node }) {
			return node
		}
	}
}

// plugAll shows every attached volume to a machine that has just begun to boot: its /dev is new.
func (m *machine) plugAll() error {
	m.plugs.Lock()
	defer m.plugs.Unlock()
	var errs []error
	for _, d := range m.disks {
		errs = append(errs, m.plug(d))
	}
	return errors.Join(errs...)
}

// plug does what the kernel and udev do when a device appears. The caller holds the lock.
func (m *machine) plug(d disk) error {
	return m.inDev(func(dev *os.Root) error {
		var info unix.Stat_t
		if err := unix.Fstat(int(d.loop.Fd()), &info); err != nil {
			return err
		}
		dir, err := dev.Open(".")
		if err != nil {
			return err
		}
		defer func() { _ = dir.Close() }()
		if err := unix.Mknodat(int(dir.Fd()), d.node, unix.S_IFBLK|0o660, int(info.Rdev)); err != nil && !errors.Is(err, unix.EEXIST) { //nolint:gosec // a device number fits
			return fmt.Errorf("make device %s: %w", d.node, err)
		}
		err = dev.MkdirAll(filepath.Dir(d.volume.link()), 0o755)
		if err == nil {
			err = dev.Symlink("../../"+d.node, d.volume.link())
		}
		if errors.Is(err, os.ErrExist) {
			return nil // plugged in already
		}
		return err
	})
}

// unplug takes the device away, and lets the loop device go once the machine does not use it any more.
func (m *machine) unplug(d disk) error {
	return errors.Join(m.inDev(func(dev *os.Root) error { return errors.Join(dev.Remove(d.volume.link()), dev.Remove(d.node)) }), d.loop.Close())
}

// unplugAll lets every volume go.
func (m *machine) unplugAll() error {
	m.plugs.Lock()
	defer m.plugs.Unlock()
	var errs []error
	for _, d := range m.disks {
		errs = append(errs, d.loop.Close())
	}
	m.disks = nil
	return errors.Join(errs...)
}

// inDev works in the /dev of the machine. It does nothing while that is off.
func (m *machine) inDev(work func(*os.Root) error) error {
	leader := m.leader.Load()
	if leader == 0 {
		return nil
	}
	dev, err := os.OpenRoot(fmt.Sprintf("/proc/%d/root/dev", leader))
	if err == nil {
		err = errors.Join(work(dev), dev.Close())
	}
	if err != nil && m.leader.Load() != leader {
		return nil // it went off meanwhile
	}
	return err
}

// loopControl hands out loop devices (loop(4)).
const loopControl = "/dev/loop-control"

// loopTries is how often somebody else may take the free device first.
const loopTries = 20

// releaseTime is how long the kernel may take to unmount what a machine that is off had mounted.
const releaseTime = 2 * time.Second

// openLoop makes a file of that size, unless it is there, a block device. The device goes by itself when nobody has it
// open or mounted any more, however its users end.
func openLoop(path string, size int64) (*os.File, error) {
	for deadline := time.Now().Add(releaseTime); ; time.Sleep(20 * time.Millisecond) {
		used := loopsOf(path)
		if len(used) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s is still in use", used[0])
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the rehearsal's own directory
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || info.Size() < size {
		if err := errors.Join(err, file.Truncate(size)); err != nil {
			return nil, err
		}
	}
	control, err := os.OpenFile(loopControl, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = control.Close() }()
	for range loopTries {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(file.Fd())} //nolint:gosec // a descriptor fits
		config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		if err = unix.IoctlLoopConfigure(int(loop.Fd()), &config); err == nil {
			return loop, nil
		}
		_ = loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("set up %s: %w", loop.Name(), err)
		}
	}
	return nil, errors.New("every free loop device was taken by somebody else")
}

// loopsOf are the loop devices whose file is path, or lies below it.
func loopsOf(path string) []string {
	var devices []string
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, f := range files {
		data, err := os.ReadFile(f) //nolint:gosec // below /sys
		backing := strings.TrimSuffix(strings.TrimSpace(string(data)), " (deleted)")
		if err == nil && (backing == path || strings.HasPrefix(backing, path+"/")) {
			devices = append(devices, "/dev/"+strings.Split(f, "/")[3])
		}
	}
	return devices
}

// clearLoops lets the loop devices of all files below dir go. The kernel takes a moment to unmount what ended processes
// had mounted.
func clearLoops(dir string) (int, error) {
	cleared := loopsOf(dir)
	for deadline := time.Now().Add(killTimeout); ; time.Sleep(20 * time.Millisecond) {
		left := loopsOf(dir)
		if len(left) == 0 {
			return len(cleared), nil
		}
		for _, device := range left {
			loop, err := os.Open(device) //nolint:gosec // named by the kernel
			if err != nil {
				continue
			}
			_ = unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_CLR_FD, 0)
			_ = loop.Close()
		}
		if time.Now().After(deadline) {
			return len(cleared) - len(left), fmt.Errorf("%s: still in use", strings.Join(left, ", "))
		}
	}
}
