package afresh

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/promise"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/stacks"
)

// How it ended.
const (
	// Planned: nothing was done, as asked.
	Planned = "planned"
	// Made: the new stack is there. Drilled: it was there, worked, and is gone unless it was to be kept.
	Made    = "made"
	Drilled = "drilled"
	// Failed: a step failed.
	Failed = "failed"
)

// Report is what came of it.
type Report struct {
	Plan
	// Result is one of the constants above.
	Result string `json:"result"`
	// Done are the steps in their order.
	Done []verdict.Step `json:"steps"`
	// RPO is how old the oldest thing is that came back, RTO how long the steps took, in seconds. Promised are those of the promise. There is
	// no RTO of a run that goes on with an earlier one: what that took, and how long nobody ran it, is not known.
	RPO      float64  `json:"rpoSeconds,omitempty"`
	RTO      float64  `json:"rtoSeconds,omitempty"`
	Promised Promised `json:"promised"`
	// Next is what people do now.
	Next []string `json:"next,omitempty"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
}

// Promised is what docs/dr.md promises for the region, in seconds.
type Promised struct {
	RPO float64 `json:"rpoSeconds"`
	RTO float64 `json:"rtoSeconds"`
}

// measure takes down what it has cost.
func (r *Report) measure(took time.Duration) {
	for _, back := range r.Returns {
		r.RPO = max(r.RPO, back.Age)
	}
	if !r.Resumes {
		r.RTO = took.Seconds()
	}
	p := promise.Of(promise.Region)
	r.Promised = Promised{p.RPO.Seconds(), p.RTO.Seconds()}
}

// kept is an error where the promise is not.
func (r *Report) kept() error {
	var errs []error
	for _, m := range []struct {
		what          string
		was, promised float64
	}{{"the data is %s old, promised are %s", r.RPO, r.Promised.RPO}, {"it took %s, promised are %s", r.RTO, r.Promised.RTO}} {
		if m.was > m.promised {
			errs = append(errs, fmt.Errorf(m.what, span(m.was), span(m.promised)))
		}
	}
	return cli.WithCode(cli.ExitUnhealthy, errors.Join(errs...))
}

func span(seconds float64) string {
	return progress.Short(time.Duration(seconds * float64(time.Second)))
}

func (r *Report) judge(err error) {
	r.Result = map[Kind]string{Failover: Made, Drill: Drilled}[r.Kind]
	if err != nil {
		r.Result, r.Error = Failed, err.Error()
	}
}

func (r *Report) write(w io.Writer) error {
	if r.Result == Planned {
		return r.Plan.write(w)
	}
	errs := []error{verdict.WriteSteps(w, r.Done)}
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	line("%s: %s", r.Stack, r.Result)
	if r.Promised.RTO > 0 { // it was measured
		well := fmt.Sprintf("well again after %s, %s promised", span(r.RTO), span(r.Promised.RTO))
		if r.Resumes {
			well = "resumed: RTO not measured"
		}
		line("  data %s old, %s promised; %s", span(r.RPO), span(r.Promised.RPO), well)
	}
	for i, text := range r.Next {
		line("  %d. %s", i+1, text)
	}
	if r.Result == Failed && r.Kind == Failover {
		line("mend the cause and run the same command again: it goes on where it stopped")
	}
	return errors.Join(errs...)
}

// next is what people do after a failover: names, carriers, the repository, and what was left behind.
func (t *task) next() []string {
	name, domain, now := t.home.name, t.old.config.Web.Domain, t.topology.Web.Domain
	all := []string{
		fmt.Sprintf("Commit Pulumi.%s.yaml and %s/%s, %s.sh.", name, beside.Inventories, name, name),
		fmt.Sprintf("Call: docs/runbook.md, Failover to the second region, says how before anybody is sent there. People and phones find the stack at %s.", now),
	}
	if t.stack.Endpoints.Carriers != "" {
		all = append(all, "Carriers send calls to "+strings.TrimPrefix(t.stack.Endpoints.Carriers, "sip:")+" from now on.")
	}
	if edges := publicEdges(t.stack); len(edges) > 0 {
		all = append(all, "Carriers and firewalls let in calls from "+strings.Join(edges, ", ")+".")
	}
	all = append(all,
		fmt.Sprintf("Have the stack take the name %s over. In the zone %s of Route 53 delete the records of %s and of _sip._udp, _sip._tcp and sip in it that stack %s made, then:",
			domain, t.old.config.Web.HostedZone, domain, t.old.file.Stack),
		fmt.Sprintf("pulumi config set %s:domain %s -s %s && calldata deploy %s", stacks.Project, domain, name, name),
		fmt.Sprintf("Give it copies of its own: pulumi config set %s:copyRegion REGION -s %s && calldata deploy %s", stacks.Project, name, name),
	)
	for _, key := range t.plan.Left {
		all = append(all, fmt.Sprintf("pulumi config set --secret %s -s %s", key, name))
	}
	return append(all, fmt.Sprintf("When %s is back, nobody may reach stack %s: two platforms would answer. What it has since its last backup is in no other place; then calldata destroy %s.",
		t.old.outputs.Region, t.old.file.Stack, t.old.file.Stack))
}

// publicEdges are the addresses of fixed SBCs.
func publicEdges(stack stacks.Outputs) []string {
	var all []string
	for _, n := range stack.Nodes {
		if n.PublicIP != "" && slices.Contains(n.Roles, stacks.RoleC4SBC) {
			all = append(all, n.PublicIP)
		}
	}
	return all
}
