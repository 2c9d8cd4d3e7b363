// Package routing is `calldata routing`: who calls whom by which way, from a document into the Routers' database.
package routing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/compile"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/database"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/document"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/plan"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/reach"
)

// The environment. The variables hold names of files, never secrets.
const (
	databaseVariable = "CALLDATA_ROUTING_DATABASE_FILE"
	secretsVariable  = "CALLDATA_SECRETS_FILE"
)

const (
	defaultTimeout = time.Minute
	pollInterval   = time.Second
)

// Options are the arguments and flags of plan, apply and test.
type Options struct {
	IO *cli.IO
	// Stack is the stack's name, File its document; default: ansible/inventories/STACK/routing.yml.
	Stack, File string
	// Outputs is a file with the stack's outputs, which tell where the Routers' database is; default: ask Pulumi.
	Outputs string
	// DatabaseFile is a file of mode 0600 with the URL of the Routers' database, in the place of the way through the stack.
	DatabaseFile string
	// Timeout bounds how long Apply waits for the Routers, default 1 minute.
	Timeout time.Duration
	JSON    bool
	// From and To are the call that Test is asked for; without them it runs the document's own tests.
	From, To string

	poll    time.Duration
	sshPort int
}

// NewCmdRouting makes the command.
func NewCmdRouting(io *cli.IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routing",
		Short: "Tenants, numbers, carriers and routes of a stack",
		Long: `Tenants, numbers, carriers and routes of a stack: a document, ansible/inventories/STACK/routing.yml, that is checked as
a whole, compared with what the Routers work with, and applied in one transaction. Routers take it over without dropping
calls.`,
	}
	cmd.AddCommand(newCmdPlan(io), newCmdApply(io), newCmdTest(io))
	return cmd
}

func (o *Options) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.File, "file", "f", "", "the document (default: ansible/inventories/STACK/routing.yml)")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
}

func (o *Options) databaseFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.Outputs, "outputs", "", "read the stack's outputs from this file, or from standard input with - (default: ask `pulumi stack output --json`)")
	cmd.Flags().StringVar(&o.DatabaseFile, "database-url-file", o.IO.Getenv(databaseVariable),
		"file of mode 0600 with the URL of the Routers' database, to connect to it straight (default: $"+databaseVariable+")")
}

func newCmdPlan(io *cli.IO) *cobra.Command {
	o := &Options{IO: io}
	cmd := &cobra.Command{
		Use:   "plan <stack>",
		Short: "Show what the document would change",
		Example: `  calldata routing plan stage
  calldata routing plan stage --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Stack = args[0]
			return o.runPlan(cmd.Context())
		},
	}
	o.flags(cmd)
	o.databaseFlags(cmd)
	return cmd
}

func newCmdApply(io *cli.IO) *cobra.Command {
	o := &Options{IO: io, poll: pollInterval}
	cmd := &cobra.Command{
		Use:   "apply <stack>",
		Short: "Put the document into the Routers' database, and wait until they work with it",
		Long: `Puts the document into the Routers' database in one transaction and waits until every Router that gave a sign of
life within the last minute has loaded it. Applying what is applied already changes nothing. Passwords come from the
secrets file that ` + secretsVariable + ` names.

The way to the database leads over SSH through a Router, as calldata health logs in: with the key that ` + login.KeyVariable + `
names or the agent's, through AWS Systems Manager where no port leads to the Router. AWS credentials are needed for the
password of RDS, and to find a Router of a fleet.

Exit codes: 0 done, 2 the document or an input is wrong and nothing was touched, 5 a Router did not load it in time.`,
		Example: `  calldata routing apply stage`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Stack = args[0]
			return o.runApply(cmd.Context())
		},
	}
	o.flags(cmd)
	o.databaseFlags(cmd)
	cmd.Flags().DurationVar(&o.Timeout, "timeout", defaultTimeout, "how long to wait for the Routers")
	return cmd
}

func newCmdTest(io *cli.IO) *cobra.Command {
	o := &Options{IO: io}
	cmd := &cobra.Command{
		Use:   "test <stack>",
		Short: "Tell where a call goes, or run the document's own tests",
		Example: `  calldata routing test stage
  calldata routing test stage --from trunk:telco-1 --to +14155550100`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Stack = args[0]
			return o.runTest()
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.From, "from", "", "who calls: trunk:NAME or ipbx:NAME")
	cmd.Flags().StringVar(&o.To, "to", "", "the number that is dialled")
	cmd.MarkFlagsRequiredTogether("from", "to")
	return cmd
}

// document reads the file.
func (o *Options) document() (*document.Document, error) {
	path := o.File
	if path == "" {
		root, err := repo.Find(".")
		if err != nil {
			return nil, err
		}
		if !filepath.IsLocal(o.Stack) || strings.ContainsAny(o.Stack, `/\`) {
			return nil, cli.UsageErrorf("%q is no name of a stack: want one like stage", o.Stack)
		}
		path = filepath.Join(root, "ansible", "inventories", o.Stack, "routing.yml")
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, cli.UsageErrorf("the routing document: %w: write it, docs/examples/routing.yml shows how", err)
	}
	d, err := document.Parse(data)
	if err != nil {
		return nil, cli.UsageErrorf("%s:\n%w", path, err)
	}
	return d, nil
}

// secrets are the values of the secrets file; none without a file.
func (o *Options) secrets() (map[string]string, error) {
	path := o.IO.Getenv(secretsVariable)
	if path == "" {
		return map[string]string{}, nil
	}
	data, err := private.Read(secretsVariable, path)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	vars, err := private.Variables(secretsVariable, path, data)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	out := map[string]string{}
	for name, value := range vars {
		if text, ok := value.(string); ok {
			out[name] = text
		}
	}
	return out, nil
}

// open connects to the database: by a URL where one is given, or else through a Router of the stack.
func (o *Options) open(ctx context.Context) (*database.DB, func(), error) {
	if o.DatabaseFile != "" {
		url, err := private.Read("--database-url-file", o.DatabaseFile)
		if err != nil {
			return nil, nil, cli.WithCode(cli.ExitUsage, err)
		}
		db, err := database.Open(ctx, strings.TrimSpace(string(url)))
		return db, func() {}, cli.WithCode(cli.ExitUnreachable, err)
	}
	stack, err := outputs.Source{File: o.Outputs, Stack: o.Stack}.Load(ctx, o.IO.In)
	if err != nil {
		return nil, nil, err
	}
	config, closed, err := reach.Way{Stack: stack, Getenv: o.IO.Getenv, Port: o.sshPort}.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := database.Connect(ctx, config)
	if err != nil {
		closed()
		return nil, nil, cli.WithCode(cli.ExitUnreachable, err)
	}
	return db, closed, nil
}

// work is a document, what it becomes, and what is there.
type work struct {
	document *document.Document
	secrets  map[string]string
	db       *database.DB
	closed   func()
	plan     *plan.Plan
}

func (w *work) close() {
	w.db.Close()
	w.closed()
}

// prepare checks everything that can be checked before the first side effect.
func (o *Options) prepare(ctx context.Context) (*work, error) {
	d, err1 := o.document()
	secrets, err2 := o.secrets()
	if err := errors.Join(err1, err2); err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	if _, err := compile.Compile(d, compile.Numbers{}, secrets); err != nil {
		return nil, cli.UsageErrorf("%w: set %s to a file that has them", err, secretsVariable)
	}
	db, closed, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	w := &work{document: d, secrets: secrets, db: db, closed: closed}
	state, err := db.Load(ctx)
	if err == nil {
		w.plan, err = w.compare(state)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// compare makes the plan.
func (w *work) compare(state *database.State) (*plan.Plan, error) {
	p := &plan.Plan{Revision: state.Revision}
	var applied *document.Document
	if state.Revision > 0 {
		var err error
		// A document of an earlier version of this program may break a rule of today: it still tells what is there.
		if applied, err = document.Parse([]byte(state.Document)); applied == nil {
			return nil, fmt.Errorf("revision %d in the database cannot be read: %w", state.Revision, err)
		}
	}
	p.Changes = plan.Diff(applied, w.document)
	if applied == nil {
		applied = &document.Document{}
	}
	// With today's secrets: a password that was changed shows up as a change of its table.
	tables, err := compile.Compile(applied, state.Numbers.Clone(), w.secrets)
	if err == nil {
		p.Foreign = plan.Foreign(tables, state.Tables)
	}
	return p, nil
}

func (o *Options) runPlan(ctx context.Context) error {
	w, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	return o.IO.Print(o.JSON, w.plan, w.plan.Write)
}

// Applied is the result of apply.
type Applied struct {
	Plan     *plan.Plan        `json:"plan"`
	Revision int               `json:"revision"`
	Routers  []database.Router `json:"routers"`
}

func (a *Applied) write(w io.Writer) error {
	if err := a.Plan.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "revision %d, loaded by %d Routers\n", a.Revision, len(a.Routers))
	return err
}

func (o *Options) runApply(ctx context.Context) error {
	w, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	result := &Applied{Plan: w.plan, Revision: w.plan.Revision}
	report, done := o.IO.Reporter()
	if !w.plan.Empty() || w.plan.Revision == 0 {
		step := report.Step("apply")
		result.Revision, err = w.db.Apply(ctx, w.plan.Revision, w.document, w.secrets, author())
		step.Done(err)
	}
	if err == nil {
		step := report.Step("Routers")
		result.Routers, err = o.wait(ctx, w.db, result.Revision, step.Progress)
		step.Done(err)
	}
	done()
	if err != nil {
		return err
	}
	return o.IO.Print(o.JSON, result, result.write)
}

// wait waits until every living Router works with the revision.
func (o *Options) wait(ctx context.Context, db *database.DB, revision int, progress func(done, total int64, what string)) ([]database.Router, error) {
	deadline := time.Now().Add(o.Timeout)
	for {
		routers, err := db.Routers(ctx)
		if err != nil {
			return nil, err
		}
		var behind []string
		for _, r := range routers {
			if r.Revision < revision {
				behind = append(behind, fmt.Sprintf("%s (revision %d)", r.Name, r.Revision))
			}
		}
		if len(behind) == 0 {
			return routers, nil
		}
		if time.Now().After(deadline) {
			return nil, cli.WithCode(cli.ExitTimeout, fmt.Errorf("revision %d is applied, but after %s these Routers have not loaded it: %s: look at their journal",
				revision, o.Timeout, strings.Join(behind, ", ")))
		}
		progress(int64(len(routers)-len(behind)), int64(len(routers)), "waiting for "+strings.Join(behind, ", "))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(o.poll):
		}
	}
}

// author is who applies, for the revision's record.
func author() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// Tested is the result of the document's own tests.
type Tested struct {
	Tests []document.Outcome `json:"tests"`
}

func (t *Tested) write(w io.Writer) error {
	for _, o := range t.Tests {
		mark := "ok  "
		if !o.OK {
			mark = "FAIL"
		}
		if _, err := fmt.Fprintf(w, "%s  %s dials %s: %s, want %s %s\n", mark, o.From, o.To, o.Got, o.Expect, o.Number); err != nil {
			return err
		}
	}
	return nil
}

func writePath(path document.Path) func(io.Writer) error {
	return func(w io.Writer) error {
		if path.Refused != "" {
			_, err := fmt.Fprintf(w, "refused: %s\n", path.Refused)
			return err
		}
		text := fmt.Sprintf("+%s of %s, by %s\n", path.Number, path.Tenant, path.By)
		for _, c := range path.Choices {
			text += fmt.Sprintf("  priority %d, %3.0f %%  %s  as %s\n", c.Priority, c.Share*100, c.To, c.Number)
		}
		_, err := io.WriteString(w, text)
		return err
	}
}

func (o *Options) runTest() error {
	d, err := o.document()
	if err != nil {
		return err
	}
	if o.From != "" {
		from, err := d.Source(o.From)
		if err != nil {
			return cli.UsageErrorf("--from is %q: %w", o.From, err)
		}
		path := d.Walk(from, o.To)
		return o.IO.Print(o.JSON, path, writePath(path))
	}
	result := &Tested{Tests: d.Check()}
	if err := o.IO.Print(o.JSON, result, result.write); err != nil {
		return err
	}
	failed := 0
	for _, t := range result.Tests {
		if !t.OK {
			failed++
		}
	}
	if failed > 0 {
		return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%d of %d tests of the routing failed", failed, len(result.Tests)))
	}
	return nil
}
