package configure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/vaultfile"
)

// settings are the flags, the environment and the files that they name, checked.
type settings struct {
	// root is the repository, content its ansible directory, static the stack's inventory directory in that, and state
	// the stack's directory for logs and host keys.
	root, content, static, state string
	stack, play, limit           string
	tags                         []string
	check                        bool
	inventory                    ansible.Inventory
	// hosts are those of the inventory that limit chooses.
	hosts         []ansible.Host
	secretsFile   string
	varsFile      string
	vaultPassword vaultfile.Password
	// secrets are what the masker hides.
	secrets          []string
	masker           *ansible.Masker
	playbook, galaxy string
	ssh              sshClient
	// sshConfig is the text of the run's configuration of ssh, or empty.
	sshConfig string
	upstream  ansible.Upstream
	// wazoAnsible is a directory with Wazo's roles, or empty to fetch them.
	wazoAnsible string
	// set are variables for the playbook. With own, nothing of Wazo's is needed.
	set map[string]any
	own bool
}

var (
	stackForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	tagForm   = regexp.MustCompile(`^[a-z0-9_]+$`)
)

// maxInventory bounds what is read from standard input, in bytes: about a thousand hosts fit many times over.
const maxInventory = 16 << 20

// validate answers everything that is wrong at once. It makes nothing. The error's code is ExitPreflight if all that is wrong is
// this machine, else ExitUsage.
func validate(ctx context.Context, o *Options, root string, say progress.Reporter) (*settings, error) {
	env := o.IO.Getenv
	var usage, machine []error
	s := &settings{
		root: root, content: filepath.Join(root, "ansible"), stack: o.Stack, play: o.Playbook, limit: o.Limit, tags: o.Tags, check: o.Check,
		secretsFile: absolute(env("CALLDATA_SECRETS_FILE")), varsFile: absolute(o.Vars), wazoAnsible: absolute(env("CALLDATA_WAZO_ANSIBLE")),
		set: o.Set, own: o.Own,
		ssh: sshClient{key: absolute(env("CALLDATA_SSH_KEY")), knownHosts: absolute(env("CALLDATA_KNOWN_HOSTS")), port: o.sshPort},
	}
	if o.Own {
		s.ssh.patience = ownLimit
	}
	if stackForm.MatchString(o.Stack) {
		s.static = filepath.Join(s.content, "inventories", o.Stack)
		s.state = filepath.Join(root, ".calldata", o.Stack)
		if _, err := os.Stat(filepath.Join(s.static, "hosts.yml")); err != nil {
			usage = append(usage, fmt.Errorf("--stack %s: its inventory directory is not there: %w; for a stack of your own, `cp -a ansible/inventories/dev ansible/inventories/%s` makes one", o.Stack, err, o.Stack))
		}
	} else {
		usage = append(usage, fmt.Errorf("--stack is %q, want a stack's name", o.Stack))
	}
	if o.Timeout <= 0 {
		usage = append(usage, fmt.Errorf("--timeout is %s, want more than nothing", o.Timeout))
	}
	if err := checkPlaybook(s.content, o.Playbook); err != nil {
		usage = append(usage, err)
	}
	for _, tag := range o.Tags {
		if !tagForm.MatchString(tag) {
			usage = append(usage, fmt.Errorf("--tags has %q, want lower-case letters, digits and _", tag))
		}
	}
	if err := s.readInventory(o); err != nil {
		usage = append(usage, err)
	}
	var err error
	s.vaultPassword, err = vaultfile.FromEnvironment(env)
	usage = append(usage, err)
	usage = append(usage, s.readSecrets(ctx)...)
	usage = append(usage, s.readVars()...)
	usage = append(usage, s.ssh.validate()...)
	if s.ssh.knownHosts == "" {
		s.ssh.knownHosts, s.ssh.trustFirst = filepath.Join(s.state, "known_hosts"), true
	}
	if s.upstream, err = ansible.ReadUpstream(s.content); err != nil {
		usage = append(usage, err)
	}
	if s.wazoAnsible != "" {
		usage = append(usage, checkRoles(s.wazoAnsible))
	}
	wrong, lacking := s.prepareTunnels(env)
	usage, machine = append(usage, wrong...), append(machine, lacking...)
	machine = append(machine, s.findTools(ctx, env("CALLDATA_ANSIBLE_PLAYBOOK"), say)...)

	usage, machine = compact(usage), compact(machine)
	code := cli.ExitUsage
	if len(usage) == 0 {
		code = cli.ExitPreflight
	}
	if err := errors.Join(append(usage, machine...)...); err != nil {
		return nil, cli.WithCode(code, err)
	}
	if way := s.describeTunnels(); way != "" {
		say.Logf("%s", way)
	}
	return s, nil
}

func compact(errs []error) []error {
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func (s *settings) readInventory(o *Options) error {
	if len(o.Machines.Hosts) > 0 {
		s.inventory = o.Machines
		return errors.Join(s.inventory.Validate(), s.choose())
	}
	in, name := o.IO.In, "standard input"
	if o.Inventory != "-" {
		file, err := os.Open(o.Inventory)
		if err != nil {
			return fmt.Errorf("--inventory: %w", err)
		}
		defer func() { _ = file.Close() }()
		in, name = file, o.Inventory
	}
	data, err := io.ReadAll(io.LimitReader(in, maxInventory+1))
	switch {
	case err != nil:
		return fmt.Errorf("read inventory from %s: %w", name, err)
	case len(data) > maxInventory:
		return fmt.Errorf("inventory from %s is larger than %d bytes", name, maxInventory)
	case len(strings.TrimSpace(string(data))) == 0:
		return fmt.Errorf("inventory from %s is empty: pipe `pulumi stack output inventory` into this command", name)
	}
	if s.inventory, err = ansible.ParseInventory(data); err != nil {
		return fmt.Errorf("inventory from %s: %w", name, err)
	}
	return s.choose()
}

// choose picks the hosts of the limit. Patterns are not supported: the hosts to wait for must be known.
func (s *settings) choose() error {
	if s.limit == "" {
		s.hosts = s.inventory.Hosts
		return nil
	}
	chosen := map[string]bool{}
	var errs []error
	for _, part := range strings.Split(s.limit, ",") {
		found := false
		for _, h := range s.inventory.Hosts {
			if h.Name == part || part == "all" || slices.ContainsFunc(h.Roles, func(r role) bool { return ansible.Group(r) == part }) {
				chosen[h.Name], found = true, true
			}
		}
		if !found {
			errs = append(errs, fmt.Errorf("--limit has %q, which is neither a host nor a role's group with hosts in the inventory", part))
		}
	}
	for _, h := range s.inventory.Hosts {
		if chosen[h.Name] {
			s.hosts = append(s.hosts, h)
		}
	}
	return errors.Join(errs...)
}

// runPrefix begins the names of the directories of single runs.
const runPrefix = "run-"

// lock makes the stack's directory and keeps other runs off the stack. It removes what crashed runs left.
func (s *settings) lock() (func(), error) {
	if err := os.MkdirAll(filepath.Join(s.state, "logs"), 0o700); err != nil {
		return nil, fmt.Errorf("make the stack's directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(s.state, "configure.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock stack %s: %w", s.stack, err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, cli.UsageErrorf("stack %s is being worked on by another `calldata configure`, backup, restore or drain: wait for its end", s.stack)
	}
	left, _ := filepath.Glob(filepath.Join(s.state, runPrefix+"*"))
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
	return func() { _ = file.Close() }, nil
}

func (s *settings) openLog() (*os.File, error) {
	verb := "configure"
	if s.own {
		verb = s.play
	}
	name := verb + "-" + time.Now().UTC().Format("20060102T150405.000Z") + ".log"
	path := filepath.Join(s.state, "logs", name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // below the repository's .calldata
	if err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	return file, nil
}
