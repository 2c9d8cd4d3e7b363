package preflight

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/mod/semver"

	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	keyVariable     = "CALLDATA_SSH_KEY"
	ansibleVariable = "CALLDATA_ANSIBLE_PLAYBOOK"
	// minPulumi runs the program.
	minPulumi = "v3.200.0"
)

// toolbox is what the checks of this machine use.
type toolbox struct {
	getenv func(string) string
	// find answers the path of a program, run what it prints.
	find func(program string) (string, error)
	run  func(ctx context.Context, program string, args ...string) (string, error)
	// ansible answers everything that is wrong with Ansible.
	ansible func(ctx context.Context, content, binary string) []error
	// session answers the way to machines without an open SSH port, and everything that it lacks.
	session func() (string, error)
}

// system is this machine's own.
func system(getenv func(string) string) toolbox {
	return toolbox{getenv: getenv, find: exec.LookPath, ansible: configure.CheckTools, run: func(ctx context.Context, program string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}, session: func() (string, error) {
		way, err := tunnel.WayOf(getenv)
		if err == nil {
			err = way.Check()
		}
		return way.Describe(), err
	}}
}

func needsKey(t *stacks.Topology) bool { return hasMachines(t) }

// sshKey compares the private key that Ansible would use with the public one that the machines get. The settings' check
// has judged the public one.
func (i *inspector) sshKey(context.Context) found {
	return i.with(needsKey, func(t *stacks.Topology) found {
		if !i.given("sshPublicKey") {
			return skip("sshPublicKey is not set")
		}
		text := ""
		for _, n := range t.Nodes {
			text = n.SSHPublicKey
		}
		for _, f := range t.Fleets {
			text = f.SSHPublicKey
		}
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			return fail("sshPublicKey is not an OpenSSH public key")
		}
		shown := fmt.Sprintf("%s %s", public.Type(), ssh.FingerprintSHA256(public))
		file := i.tools.getenv(keyVariable)
		if file == "" {
			return ok("%s; %s is not set, so ssh's agent or defaults must hold its private half", shown, keyVariable)
		}
		data, err := private.Read(keyVariable, file)
		if err != nil {
			return fail("%s", err)
		}
		key, err := ssh.ParsePrivateKey(data)
		var locked *ssh.PassphraseMissingError
		switch {
		case errors.As(err, &locked):
			return fail("%s %s has a passphrase, which nobody will be asked for: load it with ssh-add and unset %s", keyVariable, file, keyVariable)
		case err != nil:
			return fail("%s %s is not a private key", keyVariable, file)
		case string(key.PublicKey().Marshal()) != string(public.Marshal()):
			return fail("%s %s is %s, but sshPublicKey is %s: set one of them to the other's half", keyVariable, file,
				ssh.FingerprintSHA256(key.PublicKey()), ssh.FingerprintSHA256(public))
		}
		return ok("%s, and %s is its private half", shown, file)
	})
}

// alarms looks for somebody who hears of them, and for what was to be kept secret.
func (i *inspector) alarms(context.Context) found {
	return i.with(func(t *stacks.Topology) bool { return t.Alarms != nil }, func(t *stacks.Topology) found {
		told, pager, slack := slices.Clone(t.Alarms.Emails), t.Alarms.PagerURL, t.Alarms.Slack
		if pager != "" {
			told = append(told, "the pager")
		}
		if slack != (notices.Slack{}) {
			told = append(told, "Slack")
		}
		switch {
		case pager != "" && pager != stacks.Secret:
			return warn("pagerUrl is in the clear in %s: pulumi config set --secret %s:pagerUrl -s %s asks for it and encrypts it", i.file.Path, stacks.Project, i.file.Stack)
		case len(told) == 0:
			return warn("nobody hears of the stack's alarms: pulumi config set --path '%s:alertEmails[0]' ops@example.com -s %s", stacks.Project, i.file.Stack)
		}
		return ok("%s, to %s", t.Alarms.Level, strings.Join(told, ", "))
	})
}

func (i *inspector) pulumi(ctx context.Context) found {
	path, err := i.tools.find("pulumi")
	if err != nil {
		return fail("pulumi is not on PATH: install it as pulumi.com/docs/install says, %s or later", automation.PolicyVersion)
	}
	version, err := i.tools.run(ctx, path, "version")
	if err != nil {
		return fail("%s version: %s", path, err)
	}
	switch {
	case !semver.IsValid(version):
		return fail("%s says it is of version %q: is it Pulumi?", path, version)
	case semver.Compare(version, minPulumi) < 0:
		return fail("%s is %s, want %s or later: upgrade it", path, version, minPulumi)
	case semver.Compare(version, automation.PolicyVersion) < 0:
		return warn("%s is %s: the policy pack needs %s or later, and so does `calldata deploy`", path, version, automation.PolicyVersion)
	}
	return ok("%s, %s", version, path)
}

func (i *inspector) ansible(ctx context.Context) found {
	configures := func(t *stacks.Topology) bool { return t.Configuration.Enabled && hasMachines(t) }
	return i.with(configures, func(*stacks.Topology) found { return i.ansibleTools(ctx) })
}

func (i *inspector) ansibleTools(ctx context.Context) found {
	errs := i.tools.ansible(ctx, filepath.Join(filepath.Dir(i.file.Path), "ansible"), i.tools.getenv(ansibleVariable))
	if err := errors.Join(errs...); err != nil {
		return fail("%s", err)
	}
	return ok("ansible-core and collections as the playbooks want them")
}

// session looks for what leads to machines without an open SSH port.
func (i *inspector) session(context.Context) found {
	throughSSM := func(t *stacks.Topology) bool {
		return slices.ContainsFunc(t.Nodes, func(n stacks.NodeSpec) bool { return n.Access == stacks.AccessSSM })
	}
	return i.with(throughSSM, func(*stacks.Topology) found { return i.sessionTools() })
}

func (i *inspector) sessionTools() found {
	way, err := i.tools.session()
	if err != nil {
		return fail("%s", err)
	}
	return ok("%s", way)
}
