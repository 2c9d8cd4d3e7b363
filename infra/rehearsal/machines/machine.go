package machines

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/rehearsal/child"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines/netns"
)

// stopTimeout is how long a machine may take to power off before it is killed. Measured: 1 to 3 s.
const stopTimeout = 30 * time.Second

// rebootStatus is how systemd-nspawn exits when the machine rebooted itself, with --keep-unit
// (systemd-nspawn(1), EXIT STATUS; 133 since version 209).
const rebootStatus = 133

// machine is one container.
type machine struct {
	set  *Set
	spec Spec
	key  hostKey
	// dir holds the overlay's layers, root is where it is mounted.
	dir, root string
	// elastic is guarded by the set's lock.
	elastic netip.Addr

	// life is held while the machine is started, stopped or removed.
	life sync.Mutex
	// run is the present run, nil before the first.
	run atomic.Pointer[run]
	// leader is the process that is the first one inside, 0 while the machine is off.
	leader atomic.Int64

	// plugs guards disks, which are the attached volumes.
	plugs sync.Mutex
	disks []disk
}

// run is one time that a machine is on, from power-on to power-off, with any reboots in between.
type run struct {
	booted   chan struct{} // closed once systemd inside is done with its boot
	once     sync.Once
	off      chan struct{} // closed when the machine is off
	err      error         // why it went off, when it should not have
	stopping atomic.Bool
	process  atomic.Pointer[child.Process]
}

func (m *machine) running() bool {
	r := m.run.Load()
	if r == nil {
		return false
	}
	select {
	case <-r.off:
		return false
	default:
		return true
	}
}

// prepare mounts the machine's disk and writes what is its own.
func (m *machine) prepare() error {
	table, err := mounts()
	if err != nil {
		return err
	}
	mounted := false
	for _, mnt := range table {
		mounted = mounted || mnt.point == m.root
	}
	if !mounted {
		if err := mountOverlay(m.set.o.Network.id, m.set.o.Image.Root, m.dir, m.root); err != nil {
			return err
		}
	}
	files, err := m.spec.files(m.key)
	if err != nil {
		return err
	}
	if m.set.o.Resolver.IsValid() {
		files["etc/resolv.conf"] = file{data: []byte("nameserver " + m.set.o.Resolver.String() + "\n"), mode: 0o644}
	}
	trusted, err := m.trusted()
	if err != nil {
		return err
	}
	maps.Copy(files, trusted)
	return errors.Join(writeFiles(m.root, files), os.MkdirAll(m.set.o.ConsoleDir, 0o700))
}

// boot starts the container and the goroutine that looks after it.
func (m *machine) boot() error {
	r := &run{booted: make(chan struct{}), off: make(chan struct{})}
	socket, err := m.listenReady(r)
	if err != nil {
		return err
	}
	process, err := m.start()
	if err != nil {
		_ = socket.Close()
		return err
	}
	r.process.Store(process)
	m.run.Store(r)
	go func() {
		defer close(r.off)
		defer func() { _ = socket.Close() }()
		r.err = m.supervise(r)
	}()
	return nil
}

// supervise starts the container again when the machine reboots itself, and answers why it went off.
func (m *machine) supervise(r *run) error {
	for {
		err := r.process.Load().Wait()
		m.leader.Store(0)
		_ = os.Remove(filepath.Join(m.dir, LeaderFile)) // gone with the rest, if at all
		var exit *exec.ExitError
		switch {
		case r.stopping.Load() || err == nil:
			return nil
		case errors.As(err, &exit) && exit.ExitCode() == rebootStatus:
			m.set.o.Progress.Logf("machine %s reboots", m.spec.InstanceID)
			process, err := m.start()
			if err != nil {
				return fmt.Errorf("start machine %s again after its reboot: %w", m.spec.InstanceID, err)
			}
			r.process.Store(process)
		default:
			return fmt.Errorf("machine %s went off: systemd-nspawn: %w; its console is in %s", m.spec.InstanceID, err, m.console())
		}
	}
}

func (m *machine) console() string {
	return filepath.Join(m.set.o.ConsoleDir, m.spec.InstanceID+".log")
}

// enter writes the shell's process id into the files before "--" and becomes the command behind it. A process can be
// born into a cgroup of version 2 only; this works with both.
const enter = `while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@"`

// start runs systemd-nspawn once.
func (m *machine) start() (*child.Process, error) {
	network := m.set.o.Network.id
	procs, err := makeCgroups(network, m.spec.InstanceID)
	if err != nil {
		return nil, err
	}
	if err := setWeight(network, m.spec.InstanceID, booting); err != nil {
		return nil, fmt.Errorf("give the machine its part of the processors: %w", err)
	}
	log, err := os.OpenFile(m.console(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open console log: %w", err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	args := append([]string{"-euc", enter, "sh"}, procs...)
	args = append(args, "--", "nsenter", "--net="+netns.Path(network), "--",
		"systemd-nspawn", "--quiet", "--directory="+m.root, "--machine="+m.spec.InstanceID, "--hostname="+m.spec.hostname(),
		"--register=no", "--keep-unit", "--network-bridge="+bridge, "--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--bind-ro="+m.set.o.Image.Repo+":"+repoMount, "--notify-ready=yes", "--console=read-only",
		// Nothing here has to survive a power failure, and dpkg syncs a lot.
		"--suppress-sync=yes",
		"--boot")
	cmd := exec.Command("sh", args...) //nolint:noctx // a machine outlives the call that starts it; Stop ends it
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "NOTIFY_SOCKET=" + m.notifySocket(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"}
	// Ctrl-C at the terminal is for the conductor alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// SIGTERM makes nspawn power the machine off; SIGKILL would leave it running.
	return child.Start(cmd, syscall.SIGTERM)
}

func (m *machine) notifySocket() string { return filepath.Join(m.dir, "notify") }

// listenReady opens the socket on which systemd-nspawn tells that the machine has booted (sd_notify(3)).
func (m *machine) listenReady(r *run) (*net.UnixConn, error) {
	path := m.notifySocket()
	_ = os.Remove(path)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for the end of the boot: %w", err)
	}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := socket.Read(buffer)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(buffer[:n])) {
				m.heard(r, strings.TrimSpace(line))
			}
		}
	}()
	return socket, nil
}

// LeaderFile is in a machine's directory while it runs. It has the number on this host of the first process inside, by which
// other programs enter the machine.
const LeaderFile = "leader"

// leaderField is how systemd-nspawn tells the first process inside, before that runs (systemd-nspawn(1), --notify-ready).
const leaderField = "X_NSPAWN_LEADER_PID="

// heard takes in one line of what systemd-nspawn tells.
func (m *machine) heard(r *run, line string) {
	if line == "READY=1" {
		if err := setWeight(m.set.o.Network.id, m.spec.InstanceID, usual); err != nil {
			m.set.o.Progress.Logf("machine %s: stays behind others on the processors: %v", m.spec.InstanceID, err)
		}
		r.once.Do(func() { close(r.booted) })
	}
	if text, ok := strings.CutPrefix(line, leaderField); ok {
		if leader, err := strconv.ParseInt(text, 10, 64); err == nil {
			m.leader.Store(leader)
			if err := os.WriteFile(filepath.Join(m.dir, LeaderFile), []byte(text), 0o600); err != nil {
				m.set.o.Progress.Logf("machine %s: no sessions: %v", m.spec.InstanceID, err)
			}
			if err := m.plugAll(); err != nil {
				m.set.o.Progress.Logf("machine %s: volumes: %v", m.spec.InstanceID, err)
			}
		}
	}
}

func (m *machine) waitBooted(ctx context.Context) error {
	r := m.run.Load()
	if r == nil {
		return fmt.Errorf("machine %s was never started", m.spec.InstanceID)
	}
	select {
	case <-r.booted:
		return nil
	case <-r.off:
		if r.err != nil {
			return r.err
		}
		return fmt.Errorf("machine %s went off while it booted; its console is in %s", m.spec.InstanceID, m.console())
	case <-ctx.Done():
		return fmt.Errorf("machine %s has not finished its boot: %w; its console is in %s", m.spec.InstanceID, ctx.Err(), m.console())
	}
}

// stop powers the machine off, by force if it must be.
func (m *machine) stop(ctx context.Context) error {
	r := m.run.Load()
	if r == nil {
		return nil
	}
	r.stopping.Store(true)
	gentle := time.After(stopTimeout)
	if m.running() {
		_ = unix.Kill(r.process.Load().Pid, unix.SIGTERM)
	}
	select {
	case <-r.off:
	case <-gentle:
	case <-ctx.Done():
	}
	dirs, err := cgroups(m.set.o.Network.id, m.spec.InstanceID)
	if err != nil {
		return err
	}
	_, err = killAll(func() []int { return cgroupPids(dirs) })
	if err != nil {
		return fmt.Errorf("stop machine %s: %w", m.spec.InstanceID, err)
	}
	<-r.off
	_, err = removeCgroups(dirs)
	return err
}

// remove takes the disk away.
func (m *machine) remove() error {
	errs := []error{m.unplugAll(), forgetNspawn(m.spec.InstanceID, m.root)}
	if err := unix.Unmount(m.root, 0); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		// Somebody looks into it: let the mount go when they leave.
		if err := unix.Unmount(m.root, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", m.root, err)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(m.dir))...)
}

// nspawnRuntime is where systemd-nspawn keeps a directory per machine for mounts from the host, and lock files.
const nspawnRuntime = "/run/systemd/nspawn"

// forgetNspawn removes what a systemd-nspawn that was killed leaves in its runtime directory.
func forgetNspawn(machine, root string) error {
	paths := []string{filepath.Join(nspawnRuntime, "propagate", machine), filepath.Join(nspawnRuntime, "unix-export", machine)}
	var info unix.Stat_t
	if unix.Stat(root, &info) == nil {
		paths = append(paths, filepath.Join(nspawnRuntime, "locks", fmt.Sprintf("inode-%d:%d", info.Dev, info.Ino)))
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}
