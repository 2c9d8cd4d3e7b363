package ansible

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apenella/go-ansible/v2/pkg/execute"
	"github.com/apenella/go-ansible/v2/pkg/playbook"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// DefaultGrace is how long ansible-playbook may take to end after SIGTERM.
const DefaultGrace = 10 * time.Second

// Playbook is one run of ansible-playbook. Only names of files go into its arguments and its environment, never a secret.
type Playbook struct {
	// Binary is ansible-playbook, looked up on PATH if it is a bare name. Default "ansible-playbook".
	Binary string
	// Dir is the directory of the content: ansible.cfg, playbooks, roles, plugins. It is the working directory.
	Dir string
	// Name is the playbook, relative to Dir.
	Name string
	// Inventories are read in this order.
	Inventories []string
	// ExtraVarsFiles are files with variables, in YAML or JSON. They must be readable by their owner only.
	ExtraVarsFiles []string
	// VaultPasswordFile decrypts vaults. It must be readable by its owner only. Optional.
	VaultPasswordFile string
	// PrivateKeyFile is the SSH key. Optional: without it ssh asks its agent and tries its defaults.
	PrivateKeyFile string
	// SSHOptions are options for ssh, such as "UserKnownHostsFile=/x". Questions are always off.
	SSHOptions []string
	// SSHConfigFile is what ssh reads in place of its user's and its system's configuration. Optional.
	SSHConfigFile string
	// RolesPath are directories with more roles, after those of Dir.
	RolesPath []string
	// Limit is a pattern of hosts; Tags and SkipTags choose tasks. Empty means all.
	Limit          string
	Tags, SkipTags []string
	// Check changes nothing and tells what would change; Diff shows the changes of files.
	Check, Diff bool

	// Environ is the environment to choose from, as os.Environ gives it. Only variables that Ansible and ssh need are passed
	// on: see passed. Default os.Environ.
	Environ []string
	// Pass are patterns, as of path.Match, of more variables to pass on, for what SSHConfigFile makes ssh start.
	Pass []string
	// Masker knows the secrets. They are masked in Log, in errors, in the result and in what Reporter is told.
	Masker *Masker
	// Log gets all output, masked. Default: none.
	Log io.Writer
	// Reporter is told of plays and tasks as they happen. Default progress.Discard.
	Reporter progress.Reporter
	// Grace is how long the run may take to end when its context does, before it is killed. Default DefaultGrace.
	Grace time.Duration
}

// passed are the variables of the caller's environment that a run gets. All others stay behind: they may hold secrets,
// and ANSIBLE_ variables would change what a run means.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "SSH_AUTH_SOCK", "VIRTUAL_ENV", "ANSIBLE_HOME",
	"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
}

// Run runs the playbook. An error is a *RunError unless something is wrong with p, which it finds out before it starts
// anything. The result is as complete as the run got.
func (p Playbook) Run(ctx context.Context) (Result, error) {
	p.defaults()
	binary, err := p.validate()
	if err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, &RunError{Result: Result{Playbook: p.Name, Exit: Exit{Code: -1}}, Err: err}
	}
	// Short, because ssh's control sockets live in it and a socket's path has at most 107 bytes.
	scratch, err := os.MkdirTemp("", "cda-")
	if err != nil {
		return Result{}, fmt.Errorf("run playbook: %w", err)
	}
	defer func() {
		closeMasters(scratch)
		_ = os.RemoveAll(scratch)
	}()
	eventsOut, eventsIn, err := os.Pipe()
	if err != nil {
		return Result{}, fmt.Errorf("run playbook: %w", err)
	}
	defer func() { _ = eventsOut.Close() }()

	log := &lockedWriter{w: p.Log}
	var tail tailWriter
	stdout, stderr := p.Masker.Writer(io.MultiWriter(&tail, log)), p.Masker.Writer(io.MultiWriter(&tail, log))
	rec := newRecorder(p.Masker, p.Reporter, p.Name)
	read := make(chan error, 1)
	go func() { read <- rec.read(eventsOut) }()

	start := &starter{dir: p.Dir, env: p.environment(scratch), events: eventsIn, grace: p.Grace}
	// Its error is not used: it lacks the exit code and quotes the command line. The process itself knows more.
	_ = execute.NewDefaultExecute(
		execute.WithCmd(playbook.NewAnsiblePlaybookCmd(
			playbook.WithBinary(binary), playbook.WithPlaybooks(p.Name), playbook.WithPlaybookOptions(p.options()),
		)),
		execute.WithExecutable(start),
		execute.WithOutput(copier{}),
		execute.WithWrite(stdout),
		execute.WithWriteError(stderr),
	).Execute(ctx)
	_ = eventsIn.Close()
	_ = stdout.Close()
	_ = stderr.Close()
	if log.err != nil {
		p.Reporter.Logf("the log of Ansible's output is not complete: %v", log.err)
	}

	// The group is gone, so the pipe has ended, unless something left the group and took the pipe along.
	_ = eventsOut.SetReadDeadline(time.Now().Add(drain))
	eventsErr := <-read

	exit := start.made.exit()
	cause := ctx.Err()
	if cause != nil {
		cause = context.Cause(ctx)
		if !errors.Is(cause, ctx.Err()) {
			cause = fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
	} else if start.made != nil && exit.Code == -1 && exit.Signal == 0 {
		cause = start.made.err
	}
	result := rec.finish(exit, cause)
	if cause == nil && result.Exit.OK() && eventsErr == nil {
		return result, nil
	}
	if cause == nil && result.Exit.OK() {
		cause = eventsErr
	}
	return result, &RunError{Result: result, Output: tail.String(), Err: cause}
}

func (p *Playbook) defaults() {
	if p.Binary == "" {
		p.Binary = playbook.DefaultAnsiblePlaybookBinary
	}
	if p.Environ == nil {
		p.Environ = os.Environ()
	}
	if p.Masker == nil {
		p.Masker = NewMasker()
	}
	if p.Log == nil {
		p.Log = io.Discard
	}
	if p.Reporter == nil {
		p.Reporter = progress.Discard
	}
	if p.Grace <= 0 {
		p.Grace = DefaultGrace
	}
}

// validate answers the binary's path, or everything that is wrong at once.
func (p Playbook) validate() (string, error) {
	var errs []error
	binary, err := osexec.LookPath(p.Binary)
	if err != nil {
		errs = append(errs, fmt.Errorf("binary %s: %w", p.Binary, err))
	}
	for _, name := range []string{"ansible.cfg", p.Name} {
		if info, err := os.Stat(filepath.Join(p.Dir, name)); err != nil || !info.Mode().IsRegular() {
			errs = append(errs, fmt.Errorf("%s has no file %q", p.Dir, name))
		}
	}
	if len(p.Inventories) == 0 {
		errs = append(errs, errors.New("no inventory"))
	}
	for _, file := range p.Inventories {
		if _, err := os.Stat(file); err != nil {
			errs = append(errs, fmt.Errorf("inventory: %w", err))
		}
		if strings.Contains(file, ",") {
			errs = append(errs, fmt.Errorf("inventory %s: Ansible splits names at commas", file))
		}
	}
	for _, dir := range append([]string{p.Dir}, p.RolesPath...) {
		if strings.Contains(dir, ":") {
			errs = append(errs, fmt.Errorf("directory %s: Ansible splits names at colons", dir))
		}
	}
	for _, file := range append(slices.Clone(p.ExtraVarsFiles), p.VaultPasswordFile, p.PrivateKeyFile, p.SSHConfigFile) {
		if file != "" {
			errs = append(errs, private.Check(file))
		}
	}
	if strings.HasPrefix(p.Limit, "@") {
		errs = append(errs, fmt.Errorf("limit %q: files are not supported", p.Limit))
	}
	if err := errors.Join(errs...); err != nil {
		return "", fmt.Errorf("ansible-playbook %s: %w", p.Name, err)
	}
	return binary, nil
}

func (p Playbook) options() *playbook.AnsiblePlaybookOptions {
	o := &playbook.AnsiblePlaybookOptions{
		Check: p.Check, Diff: p.Diff, Limit: p.Limit,
		Tags: strings.Join(p.Tags, ","), SkipTags: strings.Join(p.SkipTags, ","),
		PrivateKey: p.PrivateKeyFile, VaultPasswordFile: p.VaultPasswordFile,
	}
	for _, file := range p.ExtraVarsFiles {
		o.ExtraVarsFile = append(o.ExtraVarsFile, "@"+file)
	}
	return o
}

// environment is the whole environment of the run.
func (p Playbook) environment(scratch string) []string {
	var env []string
	for _, pair := range p.Environ {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(passed, name) || slices.ContainsFunc(p.Pass, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			env = append(env, pair)
		}
	}
	ssh := make([]string, 0, len(p.SSHOptions)+2)
	if p.SSHConfigFile != "" {
		ssh = append(ssh, "-F "+shellQuote(p.SSHConfigFile))
	}
	for _, option := range append([]string{"BatchMode=yes"}, p.SSHOptions...) {
		ssh = append(ssh, "-o "+shellQuote(option))
	}
	return append(env,
		// Ansible wants UTF-8; its messages should not depend on who runs it.
		"LC_ALL=C.UTF-8", "LANG=C.UTF-8",
		"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1",
		"ANSIBLE_CONFIG="+filepath.Join(p.Dir, "ansible.cfg"),
		"ANSIBLE_INVENTORY="+strings.Join(p.Inventories, ","), "ANSIBLE_INVENTORY_ENABLED=yaml", // no programs in them
		"ANSIBLE_ROLES_PATH="+strings.Join(append([]string{filepath.Join(p.Dir, "roles")}, p.RolesPath...), ":"),
		"ANSIBLE_CALLBACK_PLUGINS="+filepath.Join(p.Dir, "plugins", "callback"),
		"ANSIBLE_CALLBACKS_ENABLED=calldata_events",
		// The first of exec.Cmd's ExtraFiles.
		"CALLDATA_EVENTS_FD=3",
		"ANSIBLE_SSH_COMMON_ARGS="+strings.Join(ssh, " "),
		"ANSIBLE_SSH_CONTROL_PATH_DIR="+filepath.Join(scratch, masters),
		"ANSIBLE_LOCAL_TEMP="+filepath.Join(scratch, "tmp"),
		"ANSIBLE_NOCOLOR=1", "ANSIBLE_RETRY_FILES_ENABLED=0",
	)
}

// shellQuote keeps a word together where Ansible splits it like a shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }

// masters is where ssh's control sockets are, below the scratch directory.
const masters = "cp"

// closeMasters ends the ssh connections that ControlPersist keeps open after the run. They have left its process group.
func closeMasters(scratch string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	sockets, _ := filepath.Glob(filepath.Join(scratch, masters, "*"))
	for _, socket := range sockets {
		// The host name is needed, and not used.
		cmd := osexec.CommandContext(ctx, "ssh", "-O", "exit", "-o", "ControlPath="+socket, "none")
		_ = cmd.Run()
	}
}

// tailWriter keeps the end of what is written to it. Both output streams write to it, one at a time each.
type tailWriter struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// tailSize is how many bytes of output an error may quote.
const tailSize = 2000

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buffer.Write(p)
	if extra := t.buffer.Len() - tailSize; extra > 0 {
		t.buffer.Next(extra)
	}
	return len(p), nil
}

func (t *tailWriter) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(t.buffer.String(), "?"))
}
