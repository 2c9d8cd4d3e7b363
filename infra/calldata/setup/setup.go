// Package setup is `calldata setup`: day one of an engine, from a document to tenants, people, phones, trunks and routes.
package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/calldata/setup/reconcile"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
	"github.com/calldata/calldata-foundation/stacks"
)

// secretsVariable names the secrets file; rootPassword is the entry with the password of Wazo's user root.
const (
	secretsVariable = "CALLDATA_SECRETS_FILE"
	rootPassword    = "engine_api_root_password" //nolint:gosec // a name, not a password
)

// minPassword is the fewest characters of a password in a document.
const minPassword = 8

// Options are the arguments and flags of `calldata setup`.
type Options struct {
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// File is the document; default: ansible/inventories/STACK/tenant.yml.
	File string
	// Node is the engine to set up; default: the stack's only one, or the first.
	Node string
	// URL, where given, is the engine's address, whose certificate is checked. Default: through SSH to Node.
	URL string
	// PlanOnly shows what would change. Yes asks nothing. Prune removes what the document does not name.
	PlanOnly, Yes, Prune, JSON bool

	// open connects to an engine.
	open func(ctx context.Context, o *Options, stack stacks.Outputs) (*wazo.Client, func(), error)
}

// NewCmdSetup makes the command.
func NewCmdSetup(io *cli.IO) *cobra.Command {
	o := &Options{IO: io, open: open}
	cmd := &cobra.Command{
		Use:   "setup <stack>",
		Short: "Set up tenants, people, phones, trunks and routes of an engine",
		Long: `Sets up an engine as a document says: tenants with their administrator, contexts, users with line, number and SIP
account, trunks to the C4 Routers, inbound and outbound routes. It reads what the engine has, shows what would change, asks,
and changes it through Wazo's APIs. What is as the document says stays untouched; what the document does not name stays, too,
unless --prune is given. A new engine passes Wazo's first setup before.

The document is ansible/inventories/STACK/tenant.yml; docs/examples/tenant.yml shows all of it. Passwords come from the
secrets file that ` + secretsVariable + ` names, with ` + rootPassword + ` among them. The engine is reached over
SSH, as by ` + "`calldata health`" + ` (` + login.KeyVariable + `, ` + login.KnownHostsVariable + `, ` + tunnel.Variable + `), or at --url.

Exit codes: 0 done or nothing to do, 1 the engine refused something, 2 the document or an input is wrong, 4 the engine does not
answer, 8 declined.`,
		Example: `  calldata setup stage --plan
  calldata setup stage --yes
  calldata setup dev --file tenant.yml --url https://uc.example.com --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Source.Stack = args[0]
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Source.File, "outputs", "", "read the stack's outputs from this file, or from standard input with - (default: ask `pulumi stack output --json`)")
	f.StringVarP(&o.File, "file", "f", "", "the document (default: ansible/inventories/STACK/tenant.yml)")
	f.StringVar(&o.Node, "node", "", "the engine to set up (default: the stack's first)")
	f.StringVar(&o.URL, "url", "", "address of the engine, with a certificate that is valid for it (default: through SSH)")
	f.BoolVar(&o.PlanOnly, "plan", false, "show what would change, and change nothing")
	f.BoolVarP(&o.Yes, "yes", "y", false, "change it without asking")
	f.BoolVar(&o.Prune, "prune", false, "remove what the document's tenants have and the document does not name")
	f.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

// Result is what the command prints.
type Result struct {
	Stack string          `json:"stack"`
	Plan  *reconcile.Plan `json:"plan"`
	// Applied tells whether the plan was carried out.
	Applied bool `json:"applied"`
}

func (o *Options) run(ctx context.Context) error {
	if !o.PlanOnly {
		if err := confirm.Possible(o.IO, o.Yes); err != nil {
			return err
		}
	}
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return err
	}
	d, err1 := o.document(stack)
	secrets, err2 := o.secrets(d)
	if err := errors.Join(err1, err2); err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	engine, closeEngine, err := o.open(ctx, o, stack)
	if err != nil {
		return err
	}
	defer closeEngine()
	defer func() { _ = engine.Logout(context.WithoutCancel(ctx)) }()
	input := reconcile.Input{Engine: engine, Document: d, RootPassword: secrets[rootPassword], Secrets: secrets, Prune: o.Prune}
	plan, err := reconcile.Compare(ctx, input)
	if err != nil {
		return coded(err)
	}
	result := &Result{Stack: stack.Stack, Plan: plan}
	if o.PlanOnly || len(plan.Changes) == 0 {
		return o.IO.Print(o.JSON, result, plan.Write)
	}
	if err := o.confirm(ctx, plan); err != nil {
		return err
	}
	if err := o.apply(ctx, input, plan); err != nil {
		return coded(err)
	}
	result.Applied = true
	return o.IO.Print(o.JSON, result, plan.Write)
}

// coded gives an error of the way to the engine its exit code; the engine's own answers have none.
func coded(err error) error {
	var answer *wazo.Error
	if errors.As(err, &answer) {
		return err
	}
	return cli.WithCode(cli.ExitUnreachable, err)
}

// apply carries the plan out, and looks whether the engine is then as the document says.
func (o *Options) apply(ctx context.Context, input reconcile.Input, plan *reconcile.Plan) error {
	report, done := o.IO.Reporter()
	defer done()
	step := report.Step("set up")
	err := plan.Apply(ctx, func(done, total int, what string) { step.Progress(int64(done), int64(total), what) })
	if err == nil {
		var left *reconcile.Plan
		left, err = reconcile.Compare(ctx, input)
		if err == nil && len(left.Changes) > 0 {
			c := left.Changes[0]
			err = fmt.Errorf("the engine took everything, but %d things are still not as the document says, first %s %s: look at the engine's logs", len(left.Changes), c.Kind, c.Name)
		}
	}
	step.Done(err)
	return err
}

// confirm shows the plan and asks.
func (o *Options) confirm(ctx context.Context, plan *reconcile.Plan) error {
	if o.Yes {
		return nil
	}
	if err := plan.Write(o.IO.Err); err != nil {
		return err
	}
	return confirm.Ask(ctx, o.IO, "Change this?")
}

// document reads the file. Trunks without hosts lead to the stack's Routers.
func (o *Options) document(stack stacks.Outputs) (*document.Document, error) {
	path := o.File
	if path == "" {
		root, err := repo.Find(".")
		if err != nil {
			return nil, err
		}
		if !filepath.IsLocal(stack.Stack) || strings.ContainsAny(stack.Stack, `/\`) {
			return nil, fmt.Errorf("%q is no name of a stack: want one like stage", stack.Stack)
		}
		path = filepath.Join(root, "ansible", "inventories", stack.Stack, "tenant.yml")
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("the document: %w: write it, docs/examples/tenant.yml shows how", err)
	}
	var routers []string
	for _, n := range stack.Nodes {
		if slices.Contains(n.Roles, stacks.RoleC4Router) {
			routers = append(routers, n.PrivateIP)
		}
	}
	d, err := document.Parse(data, routers)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", path, err)
	}
	return d, nil
}

// secrets are the texts of the secrets file. Each that is needed has to be there.
func (o *Options) secrets(d *document.Document) (map[string]string, error) {
	path := o.IO.Getenv(secretsVariable)
	if path == "" {
		return nil, fmt.Errorf("%s is not set: name the YAML file, mode 0600, that holds %s and the passwords of the document", secretsVariable, rootPassword)
	}
	data, err := private.Read(secretsVariable, path)
	if err != nil {
		return nil, err
	}
	vars, err := private.Variables(secretsVariable, path, data)
	if err != nil {
		return nil, err
	}
	needed := []string{rootPassword}
	if d != nil {
		needed = append(needed, d.Secrets()...)
	}
	out := map[string]string{}
	var errs []error
	for _, name := range needed {
		text, isText := vars[name].(string)
		switch {
		case !isText || text == "":
			errs = append(errs, fmt.Errorf("%s: %s has no text under %s: add it, in quotes", secretsVariable, path, name))
		case name != rootPassword && (len(text) < minPassword || strings.ContainsAny(text, " \t\r\n")):
			errs = append(errs, fmt.Errorf("%s: %s: %s has fewer than %d characters, or a blank: choose another", secretsVariable, path, name, minPassword))
		}
		out[name] = text
	}
	return out, errors.Join(errs...)
}
