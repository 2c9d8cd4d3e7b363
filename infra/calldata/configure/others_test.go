package configure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// This file is about what other commands use.

func machinesOf(t *testing.T, text string) ansible.Inventory {
	t.Helper()
	inv, err := ansible.ParseInventory([]byte(text))
	require.NoError(t, err)
	return inv
}

func TestPlaybookOfAnotherCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t, startMachine(t, "", 0), `
printf '%s\n' "$@" >"$here/args"
for file in "$@"; do case $file in *vars.json) cp "${file#*=@}" "$here/vars";; esac; done
env >"$here/env"
`+say(recapEvent))
	b.put(t, "repo/ansible/playbooks/drain.yml", "[]\n", 0o644)
	delete(b.env, "CALLDATA_SECRETS_FILE")
	delete(b.env, "CALLDATA_WAZO_ANSIBLE") // and the repository of Wazo's roles does not exist
	b.opts.IO.In, b.opts.Machines = strings.NewReader("for a question"), machinesOf(t, hosts)
	b.opts.Playbook, b.opts.Own, b.opts.Set = "drain", true, map[string]any{"drain_level": "stop", "drain_seconds": 5}
	outcome, err := Run(t.Context(), b.opts)
	require.NoError(t, err, b.err.String())
	assert.Equal(t, "drain", outcome.Playbook)
	assert.True(t, strings.HasPrefix(outcome.Log, ".calldata/dev/logs/drain-"), outcome.Log)
	assert.Equal(t, 2, outcome.Result.Changed())
	assert.Empty(t, b.out.String(), "the other command prints the result")
	vars, err := os.ReadFile(filepath.Join(b.dir, "vars"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"drain_level": "stop", "drain_seconds": 5}`, string(vars))
	args, err := os.ReadFile(filepath.Join(b.dir, "args"))
	require.NoError(t, err)
	assert.Contains(t, string(args), "playbooks/drain.yml")

	b.opts.sshPort = 1
	s, err := validate(t.Context(), b.opts, b.root, progress.Discard)
	require.NoError(t, err)
	assert.Equal(t, ownLimit, s.ssh.patience, "these machines are not new: one that does not answer is away")
	b.opts.Own = false
	_, err = Run(t.Context(), b.opts)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "no secrets: set CALLDATA_SECRETS_FILE")
}

func TestAdhoc(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, `printf '%s\n' playbook "$@"`)
	b.put(t, "bin/ansible", `#!/bin/sh
printf '%s\n' "$@"
env | grep -e ^ANSIBLE_INVENTORY= -e ^CALLDATA_EVENTS_FD=
cat "$CALLDATA_SECRETS_FILE"
for file in "$@"; do case $file in *vars.yml) cat "${file#@}"; cat "${file#@}" >&2;; esac; done
exit "$(cat '`+b.dir+`/code')"
`, 0o755)
	b.put(t, "code", "0", 0o644)
	b.opts.Machines, b.opts.IO.ErrIsTerminal, b.opts.IO.Width = machinesOf(t, hosts), true, func() int { return 80 }
	require.NoError(t, Adhoc(t.Context(), b.opts, []string{"all", "-m", "ping", "-a", "data=x y"}), b.err.String())
	out := b.out.String()
	assert.Contains(t, out, "\nall\n-m\nping\n-a\ndata=x y\n")
	assert.Contains(t, out, "--extra-vars\n@"+b.env["CALLDATA_SECRETS_FILE"])
	assert.Contains(t, out, "ANSIBLE_INVENTORY="+filepath.Join(b.root, "ansible/inventories/dev")+",")
	assert.NotContains(t, out, "CALLDATA_EVENTS_FD")
	assert.Contains(t, out, "smoke_sip_password: "+ansible.Masked)
	for _, secret := range []string{rootPassword, sipPassword} {
		assert.NotContains(t, out+b.err.String(), secret)
	}
	left, err := filepath.Glob(filepath.Join(b.root, ".calldata/dev/*"))
	require.NoError(t, err)
	assert.Empty(t, left, "nor is the stack locked: it is looked at while another run goes on")

	for code, want := range map[string]int{"2": cli.ExitError, "4": cli.ExitUnreachable, "5": cli.ExitUsage, "6": cli.ExitError, "250": cli.ExitError} {
		b.put(t, "code", code, 0o644)
		err := Adhoc(t.Context(), b.opts, []string{"all", "-m", "ping"})
		assert.Equal(t, want, cli.Code(err), code)
		require.ErrorIs(t, err, cli.ErrSilent)
	}

	b.out.Reset()
	require.NoError(t, Adhoc(t.Context(), b.opts, []string{"playbooks/site.yml", "--list-tasks"}), b.err.String())
	assert.Contains(t, b.out.String(), "playbook\n")
	assert.Contains(t, b.out.String(), "\nplaybooks/site.yml\n--list-tasks\n")

	b.out.Reset()
	delete(b.env, "CALLDATA_WAZO_ANSIBLE") // their repository does not exist
	require.NoError(t, Adhoc(t.Context(), b.opts, []string{"playbooks/drain.yml"}), b.err.String())
	assert.Contains(t, b.out.String(), "\nplaybooks/drain.yml\n")
	assert.Contains(t, b.err.String(), "going on without Wazo's roles")
}

func TestKnownSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "")
	b.put(t, "repo/ansible/inventories/dev/group_vars/all/vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", 0o600)
	getenv := func(name string) string { return b.env[name] }
	known, err := KnownSecrets(t.Context(), getenv, b.root, "dev")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{rootPassword, sipPassword}, known)

	b.env["CALLDATA_VAULT_PASSWORD_FILE"] = b.put(t, "vault-pass", "password-of-the-vault\n", 0o600)
	_, err = KnownSecrets(t.Context(), func(name string) string {
		if name == "CALLDATA_ANSIBLE_PLAYBOOK" {
			return filepath.Join(b.dir, "absent")
		}
		return b.env[name]
	}, b.root, "dev")
	require.Error(t, err, "without ansible-vault, what is in the vault is not known")
	b.put(t, "bin/ansible-vault", "#!/bin/sh\necho 'db_password: in-the-vault'\n", 0o755)
	known, err = KnownSecrets(t.Context(), getenv, b.root, "dev")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{rootPassword, sipPassword, "password-of-the-vault", "in-the-vault"}, known)

	b.env["CALLDATA_SECRETS_FILE"] = filepath.Join(b.dir, "absent")
	known, err = KnownSecrets(t.Context(), getenv, b.root, "dev")
	require.ErrorContains(t, err, "absent")
	assert.ElementsMatch(t, []string{"password-of-the-vault", "in-the-vault"}, known, "what could be opened")
}
