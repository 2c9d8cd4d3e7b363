// Package afresh makes a stack afresh from the backups of another one: in the second region, where a failover goes (`calldata dr
// failover`), or beside it, where a drill tries whether that works (`calldata dr drill`).
package afresh

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
)

// Kind is what the new stack is for.
type Kind string

const (
	// Failover goes to the region of the copies, for good.
	Failover Kind = "failover"
	// Drill stands beside the old stack and goes again.
	Drill Kind = "drill"
)

// Options is what both verbs work with.
type Options struct {
	// IO is where results and progress go, and where a person is asked.
	IO *cli.IO
	// Source says which stack is made afresh, and where its outputs come from.
	Source outputs.Source
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Name is the new stack's. Default: the old one's with the region or "drill" behind it.
	Name string
	// SecretsProvider is the URL of another key for the new stack's secrets. Default: the old stack's.
	SecretsProvider string
	// Identity is a file with the private key of age that backups are encrypted for. Empty where the bucket's key alone does it.
	Identity string
	// PlanOnly shows what would be done and ends. Yes asks nobody. Keep leaves a drill's stack.
	PlanOnly, Yes, Keep bool
	// Calls is a plan of `calldata calls`, which is played in the place of one call.
	Calls string
	// Skip names steps of the deployment to leave out: preflight.
	Skip []string
	// Set are settings of the new stack in the place of the old one's, each "NAME=VALUE". None may be one that the command decides itself.
	Set []string
	// Wait is how long the new stack may take to be well, default 5 minutes.
	Wait time.Duration
	// JSON prints the report as JSON.
	JSON bool

	kind  Kind
	tools tools
}

// steps says in the help of both verbs how a stack is made.
const steps = `
  settings     Pulumi.NAME.yaml, from the old stack's, and the directory of its inventory in ansible/inventories
  stack        the new stack in Pulumi's backend; with the same key, so that its secrets stay what they are
  deploy       as calldata deploy; its database begins with the snapshot
  restore      each engine, from the newest whole backup of its namesake
  configure    each engine, since backups do not know its address
  addresses    routing.yml, where it is in the repository, gets the new engines' addresses
  routing      the Routers learn them, as by calldata routing apply
  setup        the engines learn the new Routers' addresses, as by calldata setup, where tenant.yml is in the repository
  health       as calldata health
  call         with --calls FILE what calldata calls does with that plan, at the new machines' addresses; else a phone registers and calls,
               as by calldata smoke, where CALLDATA_SECRETS_FILE has its password: a warning, where routing does not know it`

// remembered says in the help of both verbs what a second run does.
const remembered = `

What was chosen and what is done is kept in .calldata/NAME/afresh.json: after a failure mend the cause and run the same command
again, it goes on where it stopped, with the same snapshot and the same backups. calldata destroy NAME takes the file away.

The new stack has the old one's settings but for what the command decides itself, and for what --set says: an instance type that there is,
a network that collides with no other, as in --set vpcCidr=10.50.0.0/16. The plan names them. A run that goes on takes Pulumi.NAME.yaml as it is.`

// NewCmdFailover makes `calldata dr failover`.
func NewCmdFailover(streams *cli.IO) *cobra.Command {
	return newCmdFailover(&Options{IO: streams, tools: system()})
}

func newCmdFailover(base *Options) *cobra.Command {
	o := *base
	o.kind = Failover
	cmd := &cobra.Command{
		Use:   "failover STACK",
		Short: "Make a stack afresh in the region of its copies",
		Long: `Make a stack afresh in the region that keeps copies of its backups (the setting copyRegion), when its own region is lost. First the
plan: what comes back, how old that is, in which zones, with which settings. Then the new stack's name has to be typed, unless --yes is
given; --plan ends before. Nothing of the old stack is touched, and nothing in its region is needed but what --outputs and
--secrets-provider stand for.

The steps:
` + steps + remembered + `

The new stack has a domain of its own, REGION.DOMAIN, since the old one's records are still there. At the end the command prints what
people change: names, carriers, and how the new stack takes the old domain over.

Where Pulumi's state or the key of its secrets was in the lost region, log in to another backend (calldata bootstrap makes one), name its key
with --secrets-provider, and the old outputs with --outputs. Secret settings are then left out, and named.

Exit codes: 0 done, 1 a step failed, 2 wrong input, 3 there is nothing that comes back or the new stack is not well, 4 AWS or a machine does
not answer, 5 out of time, 6 a tool is missing, 8 declined, 130 interrupted.`,
		Example: `  calldata dr failover prod --plan
  calldata dr failover prod --identity backup.key --set sbcInstanceType=c6i.large
  calldata dr failover prod --outputs prod.json --secrets-provider 'awskms://alias/calldata-foundation-secrets?region=us-west-2'
  calldata dr failover stage --name stage-west --yes --json | jq '.steps[] | {name, status, seconds}'`,
		Args:              o.args,
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addFlags(cmd.Flags(), "STACK-REGION")
	cmd.Flags().StringVar(&o.SecretsProvider, "secrets-provider", "", "`URL` of another key for the new stack's secrets, where the old one's is lost (default: the old stack's)")
	return cmd
}

func (o *Options) args(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cli.UsageErrorf("want one stack, for example `calldata dr %s prod`, got %d arguments", o.kind, len(args))
	}
	o.Source.Stack = args[0]
	return nil
}

func (o *Options) addFlags(flags *pflag.FlagSet, name string) {
	o.Source.AddFileFlag(flags)
	flags.StringVar(&o.Name, "name", "", "name of the new stack, at most 24 characters (default: "+name+")")
	flags.StringVar(&o.Identity, "identity", "", "file with the private key of backups that are encrypted with age, mode 0600")
	flags.BoolVar(&o.PlanOnly, "plan", false, "show what would be done, and end")
	flags.StringVar(&o.Calls, "calls", "", "`FILE` with a plan of calldata calls for the old stack, to be played at the new one")
	flags.StringSliceVar(&o.Skip, "skip", nil, "`STEPS` of the deployment to leave out: preflight")
	flags.StringArrayVar(&o.Set, "set", nil, "setting of the new stack in the place of the old one's, as `NAME=VALUE`; a list is JSON (may be repeated)")
	flags.DurationVar(&o.Wait, "wait", deploy.DefaultWait, "how long the new stack may take to be well")
	flags.BoolVarP(&o.Yes, "yes", "y", false, "do not ask for the new stack's name")
	flags.BoolVar(&o.JSON, "json", false, "print the report as JSON")
}

func (o *Options) run(ctx context.Context) error {
	report, err := o.make(ctx)
	if report == nil {
		return err
	}
	return errors.Join(o.IO.Print(o.JSON, report, report.write), err)
}
