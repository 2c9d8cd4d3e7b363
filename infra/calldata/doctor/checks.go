package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/vaultfile"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/preflight"
	"github.com/calldata/calldata-foundation/infra/calldata/version"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

const (
	secretsVariable = "CALLDATA_SECRETS_FILE"
	agentVariable   = "SSH_AUTH_SOCK"
)

// check is one question about this machine.
type check struct {
	name string
	run  func(context.Context) (verdict.Status, string)
}

// examine runs all checks side by side and answers them in a fixed order.
func (o *Options) examine(ctx context.Context, root string, file *stackfile.File) Report {
	checks := []check{
		{"calldata", func(ctx context.Context) (verdict.Status, string) { return o.self(ctx, root) }},
		{"git", o.program("git", verdict.Fail, "install git", "--version")},
		{"ssh", o.program("ssh", verdict.Fail, "install openssh-client", "-V")},
		{"go", func(ctx context.Context) (verdict.Status, string) { return o.compiler(ctx, root) }},
		{"gh", o.program("gh", verdict.Warn, "only setting up GitHub needs it: install GitHub's CLI, https://cli.github.com", "--version")},
		{"ssh-key", o.key},
		{"known-hosts", o.knownHosts},
		{"secrets", o.secrets},
		{"vault", o.vault},
	}
	results := make([]preflight.Result, len(checks))
	var rest []preflight.Result
	var all sync.WaitGroup
	for n, c := range checks {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, o.Timeout)
			defer cancel()
			begin := time.Now()
			status, detail := c.run(ctx)
			results[n] = preflight.Result{Name: c.name, Outcome: verdict.Outcome{Status: status, Detail: detail, Seconds: time.Since(begin).Seconds()}}
		})
	}
	all.Go(func() { rest = o.laptop(ctx, o.IO, file, o.Profile, o.Timeout) })
	all.Wait()
	results = append(results, rest...)
	return Report{Version: version.Get(), Healthy: healthy(results), Checks: results}
}

// self compares this program with the clone that it works on: an old one may not know what is in it.
func (o *Options) self(ctx context.Context, root string) (verdict.Status, string) {
	head, err := o.run(ctx, "git", "-C", root, "rev-parse", "HEAD")
	if err != nil {
		head = ""
	}
	return compare(version.Get(), head)
}

// compare judges a build by the commit that the clone is at, which may be unknown.
func compare(info version.Info, head string) (verdict.Status, string) {
	built, dirty := strings.CutSuffix(info.Commit, "-dirty")
	switch {
	case len(built) != len(head):
		return verdict.OK, info.String()
	case built != head:
		return verdict.Warn, fmt.Sprintf("%s; the clone is at %s: `make bin/calldata` builds this program anew", info, head)
	case dirty:
		return verdict.OK, info.String() + ", built with changes that were not committed"
	}
	return verdict.OK, info.String()
}

// program looks for a program, and answers absent and a hint without it.
func (o *Options) program(name string, absent verdict.Status, hint string, args ...string) func(context.Context) (verdict.Status, string) {
	return func(ctx context.Context) (verdict.Status, string) {
		path, err := o.find(name)
		if err != nil {
			return absent, fmt.Sprintf("%s is not on PATH: %s", name, hint)
		}
		said, err := o.run(ctx, path, args...)
		if err != nil {
			return verdict.Fail, fmt.Sprintf("%s %s: %v", path, strings.Join(args, " "), err)
		}
		first, _, _ := strings.Cut(said, "\n")
		return verdict.OK, first
	}
}

// compiler wants the Go version that go.mod asks for: an update builds this program from the clone.
func (o *Options) compiler(ctx context.Context, root string) (verdict.Status, string) {
	path, err := o.find("go")
	if err != nil {
		return verdict.Fail, "go is not on PATH: install it as go.dev/doc/install says"
	}
	said, err := o.run(ctx, path, "env", "GOVERSION")
	if err != nil {
		return verdict.Fail, fmt.Sprintf("%s env GOVERSION: %v", path, err)
	}
	data, err := os.ReadFile(filepath.Join(root, "go.mod")) //nolint:gosec // the clone's own
	if err != nil {
		return verdict.Fail, err.Error()
	}
	module, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil || module.Go == nil {
		return verdict.Fail, "go.mod of the clone says no version of Go"
	}
	have := "v" + strings.TrimPrefix(said, "go")
	if semver.IsValid(have) && semver.Compare(have, "v"+module.Go.Version) < 0 {
		return verdict.Warn, fmt.Sprintf("%s is %s, and go.mod wants %s: Go fetches that by itself, if it may", path, said, module.Go.Version)
	}
	return verdict.OK, said
}

// key looks at the private key, or for an agent.
func (o *Options) key(context.Context) (verdict.Status, string) {
	file := o.IO.Getenv(login.KeyVariable)
	if file == "" {
		if o.IO.Getenv(agentVariable) == "" {
			return verdict.Warn, fmt.Sprintf("neither %s nor an SSH agent (%s) is set: no machine can be logged in to", login.KeyVariable, agentVariable)
		}
		return verdict.OK, "the SSH agent's keys"
	}
	data, err := private.Read(login.KeyVariable, file)
	if err != nil {
		return verdict.Fail, err.Error()
	}
	key, err := ssh.ParsePrivateKey(data)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return verdict.Fail, fmt.Sprintf("%s %s has a passphrase, which nobody will be asked for: load it with ssh-add and unset %s", login.KeyVariable, file, login.KeyVariable)
	case err != nil:
		return verdict.Fail, fmt.Sprintf("%s %s is not a private key", login.KeyVariable, file)
	}
	return verdict.OK, fmt.Sprintf("%s, %s %s", file, key.PublicKey().Type(), ssh.FingerprintSHA256(key.PublicKey()))
}

func (o *Options) knownHosts(context.Context) (verdict.Status, string) {
	file := o.IO.Getenv(login.KnownHostsVariable)
	if file == "" {
		return verdict.OK, "those that calldata configure learns"
	}
	if _, err := knownhosts.New(file); err != nil {
		return verdict.Fail, fmt.Sprintf("%s: %v", login.KnownHostsVariable, err)
	}
	return verdict.OK, file
}

// secrets looks at the secrets file, and tells the names in it alone.
func (o *Options) secrets(context.Context) (verdict.Status, string) {
	file := o.IO.Getenv(secretsVariable)
	if file == "" {
		return verdict.Warn, secretsVariable + " is not set: calldata configure needs it, or a vault, and calldata setup and smoke need it"
	}
	data, err := private.Read(secretsVariable, file)
	if err != nil {
		return verdict.Fail, err.Error()
	}
	if vaultfile.Is(data) {
		return verdict.OK, file + ", a vault"
	}
	vars, err := private.Variables(secretsVariable, file, data)
	if err != nil {
		return verdict.Fail, err.Error()
	}
	return verdict.OK, fmt.Sprintf("%s, %d entries", file, len(vars))
}

func (o *Options) vault(ctx context.Context) (verdict.Status, string) {
	password, err := vaultfile.FromEnvironment(o.IO.Getenv)
	switch {
	case err != nil:
		return verdict.Fail, err.Error()
	case password.None():
		return verdict.Skip, "no password of a vault is named"
	}
	if _, err := password.Read(ctx); err != nil {
		return verdict.Fail, err.Error()
	}
	return verdict.OK, password.String()
}
