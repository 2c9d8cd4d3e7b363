package afresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	rehearsal "github.com/calldata/calldata-foundation/infra/rehearsal/calls"
)

// destroyTime is how long the stack of a drill may take to go: AWS takes a quarter of an hour for a database, and longer for gateways.
const destroyTime = 2 * time.Hour

// NewCmdDrill makes `calldata dr drill`.
func NewCmdDrill(streams *cli.IO) *cobra.Command {
	return newCmdDrill(&Options{IO: streams, tools: system()})
}

func newCmdDrill(base *Options) *cobra.Command {
	o := *base
	o.kind = Drill
	cmd := &cobra.Command{
		Use:   "drill STACK",
		Short: "Make a stack afresh beside the live one, try it, and take it down again",
		Long: `Make a stack afresh from the newest backups of a live one, beside it in the same region, try it, and take it down again. It is a
failover without the other region: the same steps by the same code, which are measured. Nothing of the live stack is touched, and
nobody is paged.

The steps:
` + steps + `
  compare      every table of the Routers' database, by digest, with the live one
  destroy      all of it goes, also after a failure or Ctrl-C; --keep leaves it` + remembered + `

Engines compare each part of a backup with its manifest when they restore it. The report has the age of the data (RPO) and the time until
the stack was well again (RTO) beside what docs/dr.md promises for the region; a run that goes on with an earlier one has no RTO. The
stack costs what the live one costs, for a few hours.

Exit codes: 0 done and as promised, 1 a step failed, 2 wrong input, 3 something did not come back, does not work or is later than promised, 4 AWS
or a machine does not answer, 5 out of time, 6 a tool is missing, 8 declined, 130 interrupted.`,
		Example: `  calldata dr drill stage
  calldata dr drill prod --identity backup.key --keep
  calldata dr drill stage --yes --json | jq '{rpoSeconds, rtoSeconds}'`,
		Args:              o.args,
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addFlags(cmd.Flags(), "STACK-drill")
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "leave the stack, and say how it is taken down")
	return cmd
}

// compare compares the database that came back with the live one.
func (t *task) compare(ctx context.Context) (string, error) {
	if err := t.configured(); err != nil {
		return "", err
	}
	was, err := t.tools.tables(ctx, t.IO, t.old.outputs)
	if err != nil {
		return "", err
	}
	is, err := t.tools.tables(ctx, t.IO, t.stack)
	if err != nil {
		return "", err
	}
	return compared(was, is)
}

// secretsVariable names the file with the SIP password of the call.
const secretsVariable = "CALLDATA_SECRETS_FILE"

// call plays the plan of calls, or else places the one call of smoke. That one fails where the stack's routing does not know its phone,
// which is no fault of the stack.
func (t *task) call(ctx context.Context) (string, error) {
	if err := t.configured(); err != nil {
		return "", err
	}
	if t.Calls != "" {
		return "", t.play(ctx)
	}
	if t.IO.Getenv(secretsVariable) == "" {
		return "", skip("%s is not set, so that no phone's password is known here", secretsVariable)
	}
	if err := t.tools.smoke(ctx, t); err != nil && ctx.Err() == nil {
		return "", warning{fmt.Errorf("%w: where phones come by routing, give --calls", err)}
	}
	return "", ctx.Err()
}

// play plays the plan, which is for the old stack's machines, with the new ones'. What leads into the old stack is left out.
func (t *task) play(ctx context.Context) error {
	plan, err := rehearsal.ReadPlan(t.Calls)
	if err != nil {
		return cli.UsageErrorf("--calls: %w", err)
	}
	plan.Database, plan.DatabaseURLFile, plan.SSH = nil, "", nil
	data, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	text, _ := readdress(string(data), t.moved())
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		return err
	}
	dir := filepath.Dir(t.record.path)
	if plan.CertificatesFile != "" {
		known, err := t.tools.certificates(ctx, plan)
		if err != nil {
			return err
		}
		plan.CertificatesFile = filepath.Join(dir, "sbc-certificates.pem")
		if err := beside.ReplaceFile(plan.CertificatesFile, known); err != nil {
			return err
		}
		defer func() { _ = os.Remove(plan.CertificatesFile) }() // nothing depends on it
	}
	if data, err = json.MarshalIndent(plan, "", "  "); err != nil {
		return err
	}
	file := filepath.Join(dir, "calls.json")
	if err := beside.ReplaceFile(file, data); err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }() // nor on this
	return t.tools.calls(ctx, t, file)
}

// takeDown destroys the stack of a drill and everything that was made for it. It does so also when ctx has ended.
func (t *task) takeDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), destroyTime)
	defer cancel()
	begin := time.Now()
	err := errors.Join(t.unmake(), t.tools.destroy(ctx, t)) // also where files stay: the stack costs money
	if err == nil {
		err = t.beside().Remove()
	}
	t.report.Done = append(t.report.Done, verdict.Step{Name: "destroy", Outcome: verdict.Of(begin, "", err)})
	if err != nil {
		err = fmt.Errorf("destroy: %w\nstack %s is left, and costs money; this takes it down: %s", err, t.home.name, t.leftovers())
	}
	return err
}

// leftovers are the commands that take a drill's stack down by hand, and all that was made for it.
func (t *task) leftovers() string {
	name := t.home.name
	return fmt.Sprintf("calldata destroy %s && pulumi stack rm %s && rm -rf %s/%s %s/%s.sh .calldata/%s", name, name, beside.Inventories, name, beside.Inventories, name, name)
}

// unmake forgets which steps are done, before machines go: a drill that goes on after half of them are gone does everything again, with
// a new copy of the inventory.
func (t *task) unmake() error {
	t.record.Done = nil
	return errors.Join(t.record.write(), t.beside().RemoveInventory())
}
