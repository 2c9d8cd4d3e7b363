package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/doubles"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

const (
	user          = "admin"
	bootTimeout   = 3 * time.Minute
	removeTimeout = 2 * time.Minute
)

// Options say what to do with the machines.
type Options struct {
	// Spec is the machines, Name tells this lab from others on the same host: lower case letters, digits and dashes.
	Spec Spec
	Name string
	// Repo is the repository, for Ansible's settings and roles; CacheDir the cache of rehearsals.
	Repo, CacheDir string
	// Command runs inside the machines' network, in the present directory.
	Command []string
	// Hold, where given, is called after the command, successful or not, with the environment that it had.
	Hold func(env []string)

	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Progress       progress.Reporter
}

// Run boots the machines, runs the command with an inventory of them, and removes them, whatever happens. The command's
// own failure is an *exec.ExitError. What an earlier lab of the same name left is removed first; one that still runs is
// an error.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.Spec.Validate(); err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	if !nameForm.MatchString(o.Name) {
		return cli.UsageErrorf("the machines' name is %q: want lower case letters, digits and dashes", o.Name)
	}
	if missing := machines.Preflight(); len(missing) > 0 {
		return cli.WithCode(cli.ExitPreflight, fmt.Errorf("this machine lacks what machines need: %v", missing))
	}
	l := &lab{Options: o, id: "cd-lab-" + o.Name}
	l.dir = machines.StateDir(l.id)
	unlock, err := lock(l.id)
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.remove(ctx); err != nil {
		return err
	}
	defer func() {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		err = errors.Join(err, l.remove(tidy))
	}()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	if err := l.boot(ctx); err != nil {
		return err
	}
	env, err := l.environment()
	if err != nil {
		return err
	}
	err = l.command(ctx, env)
	if o.Hold != nil {
		o.Hold(env)
	}
	return err
}

type lab struct {
	Options
	id, dir string

	image   *machines.Image
	python  *pyenv.Env
	network *machines.Network
	key     string // public
}

func (l *lab) file(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) remove(ctx context.Context) error {
	_, err := machines.Teardown(ctx, l.id)
	return errors.Join(err, os.RemoveAll(l.dir))
}

func (l *lab) prepare(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		l.python, err = pyenv.Prepare(ctx, filepath.Join(l.CacheDir, "venv"), l.Progress)
		return err
	})
	group.Go(func() (err error) {
		l.image, err = machines.EnsureImage(ctx, filepath.Join(l.CacheDir, "image"), l.Progress)
		return err
	})
	return group.Wait()
}

func (l *lab) boot(ctx context.Context) (err error) {
	step := l.Progress.Step("machines")
	defer func() { step.Done(err) }()
	if err := os.MkdirAll(l.file("console"), 0o700); err != nil {
		return err
	}
	if l.key, err = machines.NewLogin(l.file("id_ed25519")); err != nil {
		return err
	}
	if l.network, err = machines.NewNetwork(ctx, l.id, machines.NetworkOptions{Addresses: l.Spec.outside()}); err != nil {
		return err
	}
	set := machines.NewSet(machines.SetOptions{
		Image: l.image, Network: l.network, Dir: l.file("machines"), ConsoleDir: l.file("console"), KnownHosts: l.file("known_hosts"),
	})
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range l.Spec.Machines {
		group.Go(func() error {
			err := set.Launch(ctx, machines.Spec{
				InstanceID: m.Name, Hostname: m.Name, PrivateIP: netip.PrefixFrom(m.Address, subnetBits), ElasticIP: m.Public, PublicKeys: []string{l.key},
			})
			if err == nil {
				err = set.WaitBooted(ctx, m.Name)
			}
			if err != nil {
				err = fmt.Errorf("machine %s: %w (console: %s)", m.Name, err, l.file("console"))
			}
			return err
		})
	}
	return group.Wait()
}

// environment writes the inventory and answers what the command finds in its environment.
func (l *lab) environment() ([]string, error) {
	inventory, err := l.Spec.inventory()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(l.file("inventory.yml"), inventory, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	content := filepath.Join(l.Repo, "ansible")
	roles := filepath.Join(content, "roles")
	if l.Spec.Doubles {
		wazo, err := doubles.Extract(l.dir)
		if err != nil {
			return nil, err
		}
		roles += string(os.PathListSeparator) + filepath.Join(wazo, "roles")
	}
	return []string{
		"PATH=" + filepath.Dir(l.python.Python()) + ":" + os.Getenv("PATH"),
		"CALLDATA=" + self, "NETNS=" + l.network.Name(), "INVENTORY=" + l.file("inventory.yml"), "KNOWN_HOSTS=" + l.file("known_hosts"), "SSH_KEY=" + l.file("id_ed25519"),
		"ANSIBLE_CONFIG=" + filepath.Join(content, "ansible.cfg"), "ANSIBLE_INVENTORY=" + l.file("inventory.yml"), "ANSIBLE_ROLES_PATH=" + roles,
		"ANSIBLE_PRIVATE_KEY_FILE=" + l.file("id_ed25519"), "ANSIBLE_HOST_KEY_CHECKING=true",
		"ANSIBLE_SSH_COMMON_ARGS=-o UserKnownHostsFile=" + l.file("known_hosts") + " -o StrictHostKeyChecking=yes",
		// Sockets of multiplexed connections: below a short path, and gone with the lab.
		"ANSIBLE_SSH_CONTROL_PATH_DIR=" + l.file("cp"), "ANSIBLE_LOCAL_TEMP=" + l.file("tmp"), "MOLECULE_EPHEMERAL_DIRECTORY=" + l.file("molecule"),
	}, nil
}

// command runs inside the network. It has a process group of its own: Ctrl-C reaches this program, which ends it in order.
func (l *lab) command(ctx context.Context, env []string) error {
	cmd := l.network.Command(ctx, l.Command[0], l.Command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.Stdin, l.Stdout, l.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	return cmd.Run()
}

// lock keeps two labs of one name apart. The kernel drops it with the process.
func lock(id string) (func(), error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), id+".lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the name is checked
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, cli.UsageErrorf("the machines of %s are in use by another run: wait for it, or choose another --name", strings.TrimPrefix(id, "cd-lab-"))
	}
	return func() { _ = f.Close() }, nil
}

// DefaultName tells labs of different files apart.
func DefaultName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return cache.Key(path)[:8]
}
