// Package configure is `calldata configure`: it waits for the machines of a stack and runs the playbooks on them.
package configure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// DefaultTimeout is enough for an engine from nothing: Wazo's packages take most of it.
const DefaultTimeout = 45 * time.Minute

// Options are the command's flags.
type Options struct {
	IO *cli.IO
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Stack names the directory in ansible/inventories and the one in .calldata.
	Stack string
	// Inventory is a file, or "-" for standard input.
	Inventory string
	// Playbook is a playbook of ansible/playbooks, without its ending.
	Playbook string
	// Timeout is for everything: waiting, fetching, playbooks.
	Timeout time.Duration
	// Limit is a comma-separated list of hosts and groups. Empty means all.
	Limit string
	// Tags choose tasks. Empty means all.
	Tags []string
	// Vars is a file of variables for playbooks that take some. Empty means none.
	Vars string
	// Check changes nothing and shows what would change.
	Check bool
	// JSON prints the result as JSON instead of a table.
	JSON bool

	// Machines, where it has hosts, is used instead of Inventory. Commands set it that run a playbook of their own.
	Machines ansible.Inventory
	// Set are variables for the playbook, as of Vars, for other commands. They are not secret.
	Set map[string]any
	// Own is for playbooks that use roles of this repository alone: Wazo's are not fetched, and the secrets that an engine is
	// configured with may be missing.
	Own bool

	// reporter is used instead of IO's own, and sshPort instead of 22, in tests.
	reporter progress.Reporter
	sshPort  int
}

// NewCmdConfigure makes the command.
func NewCmdConfigure(io *cli.IO) *cobra.Command {
	o := &Options{IO: io}
	cmd := &cobra.Command{
		Use:   "configure",
		Short: "Configure the machines of a stack with Ansible over SSH",
		Long: `Waits until the machines of a stack answer on SSH and cloud-init is done, fetches Wazo's own Ansible roles at their
pinned commit, and runs ansible/playbooks/site.yml, or another playbook. It can be run again at any time: what is as it
should be stays untouched.

The inventory is the stack output "inventory". Secrets are files, named by the environment:
  CALLDATA_SECRETS_FILE         YAML with engine_api_root_password and smoke_sip_password, mode 0600
  CALLDATA_VAULT_PASSWORD_FILE  for vaults in ansible/inventories/<stack>, mode 0600; or CALLDATA_VAULT_SECRET, the name of a
                                secret in AWS Secrets Manager, or CALLDATA_VAULT_PASSWORD itself (see ` + "`calldata vault`" + `)
  CALLDATA_SSH_KEY              private key, mode 0600 (default: ssh's agent and defaults)
  CALLDATA_KNOWN_HOSTS          host keys to insist on (default: trust a new host's first key, and insist on it later)
  CALLDATA_TUNNEL               "direct" inside the machines' network (default: machines without an open port are reached
                                through AWS Systems Manager, with the AWS CLI and its session-manager-plugin)
  CALLDATA_WAZO_ANSIBLE         a directory with Wazo's roles, used instead of fetching them
  CALLDATA_ANSIBLE_PLAYBOOK     ansible-playbook (default: the one on PATH)

The full log is .calldata/<stack>/logs/configure-<time>.log, without the secrets.`,
		Example: `  pulumi stack output inventory -s dev | calldata configure --stack dev
  calldata configure --stack dev --inventory hosts.yml --check
  calldata configure --stack dev --inventory hosts.yml --limit dev-uc-1 --tags smoke_line
  calldata inventory stage | calldata configure --stack stage --playbook c4-router --check
  calldata inventory stage | calldata configure --stack stage --playbook restore --limit stage-uc-1 --vars restore.yml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Stack, "stack", "dev", "stack whose inventory directory and state directory are used")
	f.StringVar(&o.Inventory, "inventory", "-", "inventory file, - for standard input")
	f.StringVar(&o.Playbook, "playbook", defaultPlaybook, "playbook of ansible/playbooks, without .yml")
	f.DurationVar(&o.Timeout, "timeout", DefaultTimeout, "limit for the whole run")
	f.StringVar(&o.Limit, "limit", "", "hosts or groups, separated by commas (default: all)")
	f.StringSliceVar(&o.Tags, "tags", nil, "run only tasks with these tags")
	f.StringVar(&o.Vars, "vars", "", "YAML file, mode 0600, of variables that the playbook takes; they win over all others")
	f.BoolVar(&o.Check, "check", false, "change nothing, show what would change")
	f.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

// run answers an error that cli.Code turns into the exit code.
func run(ctx context.Context, o *Options) error {
	outcome, err := Run(ctx, o)
	if outcome != nil {
		err = errors.Join(err, o.IO.Print(o.JSON, outcome, outcome.WriteText))
	}
	return err
}

// Run runs the playbook and prints no result, for commands that have a playbook of their own. Its error has an exit code of
// package cli. The outcome is nil where no playbook was run.
func Run(ctx context.Context, o *Options) (*Outcome, error) {
	root, err := repo.Find(o.Dir)
	if err != nil {
		return nil, err
	}
	report, done := o.reporter, func() {}
	if report == nil {
		report, done = o.IO.Reporter()
	}
	defer done()
	return configure(ctx, o, root, report)
}

// Outcome is what is printed at the end.
type Outcome struct {
	// Stack and Playbook are what was asked for, and Check whether nothing was to be changed.
	Stack    string `json:"stack"`
	Playbook string `json:"playbook"`
	Check    bool   `json:"check"`
	// Log is the full log, relative to the repository.
	Log string `json:"log"`
	// Result is what Ansible did.
	Result ansible.Result `json:"result"`
}

func configure(ctx context.Context, o *Options, root string, report progress.Reporter) (*Outcome, error) {
	step := report.Step("Check settings")
	s, err := validate(ctx, o, root, step)
	step.Done(err)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("the limit of %s (--timeout) is over", o.Timeout))
	defer cancel()

	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	// What ssh and Ansible are given lives as long as the run.
	dir, err := os.MkdirTemp(s.state, runPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a directory for the run: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := s.writeSSHConfig(dir); err != nil {
		return nil, err
	}
	if err := waitForMachines(ctx, s, report); err != nil {
		return nil, err
	}
	roles := &roles{}
	if !o.Own {
		if roles, err = fetchRoles(ctx, s, report); err != nil {
			return nil, err
		}
	}
	return play(ctx, s, roles, dir, report)
}

// play runs the playbooks.
func play(ctx context.Context, s *settings, roles *roles, dir string, report progress.Reporter) (*Outcome, error) {
	p, err := s.prepare(ctx, roles, dir)
	if err != nil {
		return nil, err
	}
	log, err := s.openLog()
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()

	step := report.Step("Ansible")
	p.Log, p.Reporter = log, step
	result, err := p.Run(ctx)
	step.Done(err)
	rel, relErr := filepath.Rel(s.root, log.Name())
	if relErr != nil {
		rel = log.Name()
	}
	return &Outcome{Stack: s.stack, Playbook: s.play, Check: s.check, Log: rel, Result: result}, coded(ctx, result, err)
}

// prepare is a run of the playbook. The inventory and the variables that are not secret go into dir.
func (s *settings) prepare(ctx context.Context, roles *roles, dir string) (ansible.Playbook, error) {
	inventory, err := s.inventory.YAML()
	if err != nil {
		return ansible.Playbook{}, err
	}
	known := map[string]any{}
	if roles.id != "" {
		known["uc_engine_upstream"] = roles.id
	}
	maps.Copy(known, s.set)
	vars, err := json.Marshal(known)
	if err != nil {
		return ansible.Playbook{}, err
	}
	inventoryFile, varsFile := filepath.Join(dir, "hosts.yml"), filepath.Join(dir, "vars.json")
	if err := errors.Join(os.WriteFile(inventoryFile, inventory, 0o600), os.WriteFile(varsFile, vars, 0o600)); err != nil {
		return ansible.Playbook{}, fmt.Errorf("write the run's files: %w", err)
	}
	vaultPassword, err := s.openVaults(ctx, dir)
	if err != nil {
		return ansible.Playbook{}, err
	}
	extra := []string{varsFile}
	for _, file := range []string{s.secretsFile, s.varsFile} {
		if file != "" {
			extra = append(extra, file)
		}
	}
	return ansible.Playbook{
		Binary: s.playbook, Dir: s.content, Name: "playbooks/" + s.play + playbookEnding,
		// Where both have a variable for a host, the later one wins: what we know of the stack is not overridden by hand.
		Inventories:    []string{s.static, inventoryFile},
		ExtraVarsFiles: extra, VaultPasswordFile: vaultPassword,
		PrivateKeyFile: s.ssh.key, SSHOptions: s.ssh.options(), SSHConfigFile: s.ssh.config, Pass: s.ssh.variables(), RolesPath: roles.path,
		Limit: s.limit, Tags: s.tags, Check: s.check, Diff: s.check, Masker: s.masker,
	}, nil
}

// coded gives err the exit code that says what kind of failure it is. A cancelled or timed-out run has its own already.
func coded(ctx context.Context, result ansible.Result, err error) error {
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case result.Exit.UnreachableHosts() && !result.Exit.FailedHosts():
		return cli.WithCode(cli.ExitUnreachable, err)
	case result.Exit.BadInput():
		return cli.WithCode(cli.ExitUsage, err)
	}
	return cli.WithCode(cli.ExitError, err)
}
