package machines

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// SetOptions says where machines live.
type SetOptions struct {
	// Image is what they are made from, Network what they are plugged into.
	Image   *Image
	Network *Network
	// Dir holds their disks. Teardown expects it below StateDir.
	Dir string
	// ConsoleDir gets a log per machine, INSTANCE-ID.log, with all that its console shows.
	ConsoleDir string
	// KnownHosts is a file in ssh's format that always holds the keys of the machines that are there. Empty: none.
	KnownHosts string
	// Resolver is the name server that machines ask. The zero address: they know no names.
	Resolver netip.Addr
	// Trust is the certificate of an authority, in PEM, that machines trust beside Debian's own. Empty: none.
	Trust []byte
	// Progress hears about restarts and the like.
	Progress progress.Reporter
}

// Set is the machines of one rehearsal. Its methods may be called from several goroutines.
type Set struct {
	o SetOptions

	mu       sync.Mutex
	machines map[string]*machine
}

// NewSet answers an empty set.
func NewSet(o SetOptions) *Set {
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	return &Set{o: o, machines: map[string]*machine{}}
}

// Launch makes a machine and boots it; or boots it again, with the disk that it has, when Stop had stopped it. It
// returns when the machine has begun to boot: WaitBooted waits for the rest. A machine that runs is left alone.
func (s *Set) Launch(ctx context.Context, spec Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	m, err := s.claim(spec)
	if err != nil {
		return err
	}
	m.life.Lock()
	defer m.life.Unlock()
	if m.running() {
		return nil
	}
	if err := s.o.Network.addGateway(ctx, spec.PrivateIP); err != nil {
		return err
	}
	if err := m.prepare(); err != nil {
		return fmt.Errorf("prepare machine %s: %w", spec.InstanceID, err)
	}
	if err := m.boot(); err != nil {
		return fmt.Errorf("boot machine %s: %w", spec.InstanceID, err)
	}
	return s.SetElasticIP(ctx, spec.InstanceID, spec.ElasticIP)
}

// claim answers the machine of that name, new or stopped, with the spec that it is to have now.
func (s *Set) claim(spec Spec) (*machine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machines[spec.InstanceID]
	if m == nil {
		key, err := newHostKey()
		if err != nil {
			return nil, err
		}
		dir := filepath.Join(s.o.Dir, spec.InstanceID)
		m = &machine{set: s, key: key, dir: dir, root: filepath.Join(dir, "root")}
		s.machines[spec.InstanceID] = m
	}
	if !m.running() {
		m.spec = spec
	}
	return m, nil
}

func (s *Set) get(id string) (*machine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.machines[id]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("there is no machine %s", id)
}

// Stop powers a machine off and keeps its disk, as stopping an EC2 instance does. It waits until the machine is off;
// one that does not go by itself within stopTimeout is killed.
func (s *Set) Stop(ctx context.Context, id string) error {
	m, err := s.get(id)
	if err != nil {
		return err
	}
	m.life.Lock()
	defer m.life.Unlock()
	return m.stop(ctx)
}

// Terminate powers a machine off and removes it with its disk. A machine that is not there is not an error.
func (s *Set) Terminate(ctx context.Context, id string) error {
	m, err := s.get(id)
	if err != nil {
		return nil //nolint:nilerr // gone is what the caller wants
	}
	m.life.Lock()
	defer m.life.Unlock()
	errs := []error{s.o.Network.setElasticIP(ctx, m.spec.PrivateIP.Addr(), netip.Addr{}), m.stop(ctx), m.remove()}
	s.mu.Lock()
	delete(s.machines, id)
	s.mu.Unlock()
	return errors.Join(append(errs, s.writeKnownHosts())...)
}

// Close terminates all machines, side by side.
func (s *Set) Close(ctx context.Context) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, id := range s.IDs() {
		wg.Go(func() {
			err := s.Terminate(ctx, id)
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// SetElasticIP makes a public address lead to the machine from now on, instead of to any other. The zero address takes
// away the one that the machine has.
func (s *Set) SetElasticIP(ctx context.Context, id string, elastic netip.Addr) error {
	m, err := s.get(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	private := m.spec.PrivateIP.Addr()
	for _, other := range s.machines {
		if other != m && elastic.IsValid() && other.elastic == elastic {
			other.elastic = netip.Addr{}
		}
	}
	m.elastic = elastic
	s.mu.Unlock()
	return errors.Join(s.o.Network.setElasticIP(ctx, private, elastic), s.writeKnownHosts())
}

// IDs are the machines that are there, running or stopped.
func (s *Set) IDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id := range s.machines {
		out = append(out, id)
	}
	return out
}

// Running reports whether the machine is on.
func (s *Set) Running(id string) bool {
	m, err := s.get(id)
	return err == nil && m.running()
}

// Address is the machine's private address.
func (s *Set) Address(id string) (netip.Addr, bool) {
	m, err := s.get(id)
	if err != nil {
		return netip.Addr{}, false
	}
	s.mu.Lock() // Start gives a machine another one
	defer s.mu.Unlock()
	return m.spec.PrivateIP.Addr(), true
}

// Namespace is the network namespace that a running machine is in, as a path that package netns takes.
func (s *Set) Namespace(id string) (string, error) {
	leader, err := s.Leader(id)
	return fmt.Sprintf("/proc/%d/ns/net", leader), err
}

// Leader is a running machine's first process, by its number on this host: nsenter(1) enters the machine by it.
func (s *Set) Leader(id string) (int64, error) {
	m, err := s.get(id)
	if err != nil {
		return 0, err
	}
	leader := m.leader.Load()
	if leader == 0 {
		return 0, fmt.Errorf("machine %s is off", id)
	}
	return leader, nil
}

// HostKeys are the machine's SSH host keys, each as "type base64".
func (s *Set) HostKeys(id string) ([]string, error) {
	m, err := s.get(id)
	if err != nil {
		return nil, err
	}
	return []string{m.key.public}, nil
}

// WaitBooted waits until the machine's systemd says that all it starts at boot has run, cloud-init and user data
// included. It fails when the machine goes off before.
func (s *Set) WaitBooted(ctx context.Context, id string) error {
	m, err := s.get(id)
	if err != nil {
		return err
	}
	return m.waitBooted(ctx)
}

// writeKnownHosts brings the file up to date.
func (s *Set) writeKnownHosts() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.KnownHosts == "" {
		return nil
	}
	var hosts []knownHost
	for _, m := range s.machines {
		hosts = append(hosts, knownHost{addresses: []netip.Addr{m.spec.PrivateIP.Addr(), m.elastic}, key: m.key.public})
	}
	return writeKnownHosts(s.o.KnownHosts, hosts)
}

// mountOverlay gives a machine a disk of its own that shows the image until it is written to. The mount carries the
// rehearsal's id as its source, for Teardown.
func mountOverlay(id, lower, dir, root string) error {
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil { //nolint:gosec // the root directory of a Debian
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, filepath.Join(dir, "upper"), filepath.Join(dir, "work"))
	if err := unix.Mount(id, root, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount overlay on %s: %w", root, err)
	}
	return nil
}
