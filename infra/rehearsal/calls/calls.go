package calls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

const defaultDrainCalls = 100

// Options say what to try.
type Options struct {
	Plan Plan
	// SecretsFile is a YAML file of mode 0600 with the phones' passwords.
	SecretsFile string
	// Groups are the groups of scenarios; Only, where given, is a part of the names of those that run.
	Groups []string
	Only   string
	// DrainCalls is how many calls are up when machines are drained, default 100.
	DrainCalls int
	Progress   progress.Reporter
}

// Groups are all groups, in the order in which they run.
func Groups() []string {
	return []string{GroupCalls, GroupFailover, GroupRecords, GroupAttacks, GroupShortLoad, GroupLoad, GroupLoss, GroupDrain, GroupRelease}
}

// Quick are those that break nothing, take little time, and whose answer does not depend on how fast this machine is.
func Quick() []string {
	return []string{GroupCalls, GroupFailover, GroupRecords, GroupAttacks}
}

// Run tries the scenarios. The error is about this tester; what the platform did is in the result.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.DrainCalls == 0 {
		o.DrainCalls = defaultDrainCalls
	}
	if err := o.validate(); err != nil {
		return Result{}, cli.WithCode(cli.ExitUsage, err)
	}
	b, err := open(ctx, o.Plan, o.SecretsFile)
	if err != nil {
		return Result{}, err
	}
	r := run(ctx, b, o.scenarios(), o.Progress)
	return r, b.close()
}

func (o Options) validate() error {
	errs := []error{o.Plan.Validate()}
	for _, g := range o.Groups {
		if !slices.Contains(Groups(), g) {
			errs = append(errs, fmt.Errorf("group %q is unknown: choose of %s", g, strings.Join(Groups(), ", ")))
		}
	}
	if len(o.scenarios()) == 0 {
		errs = append(errs, fmt.Errorf("no scenario of %s has %q in its name", strings.Join(o.Groups, ", "), o.Only))
	}
	return errors.Join(errs...)
}

// scenarios are those asked for, in their order.
func (o Options) scenarios() []Scenario {
	all := slices.Concat(callScenarios(), []Scenario{recordsScenario()}, routerScenarios(), attackScenarios(), []Scenario{shortLoad()}, loadScenarios(), lossScenarios(),
		[]Scenario{drainScenario(o.DrainCalls), releaseScenario()})
	return slices.DeleteFunc(all, func(s Scenario) bool {
		return !slices.Contains(o.Groups, s.Group) || !strings.Contains(s.Name, o.Only)
	})
}
