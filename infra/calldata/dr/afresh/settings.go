package afresh

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// maxName is the longest name of a stack whose buckets have names that S3 allows: 63 characters, less "-access-logs" and the 27 that
// make it unique. Source: Amazon S3 User Guide, "General purpose bucket naming rules".
const maxName = 24

// nameForm is what a name has to be before a path is made of it; stacks.ReadConfig judges the rest.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// checkName reports what keeps name from being a new stack's.
func checkName(name string) error {
	switch {
	case !nameForm.MatchString(name):
		return cli.UsageErrorf("--name is %q, want lower case letters, digits and hyphens, beginning with a letter", name)
	case len(name) > maxName:
		return cli.UsageErrorf("--name is %q, of %d characters: buckets are named after it and allow %d, give a shorter one", name, len(name), maxName)
	}
	return nil
}

// old is the stack that the new one is made from.
type old struct {
	file     *stackfile.File
	config   stacks.Config
	topology stacks.Topology
	outputs  stacks.Outputs
}

// readOld reads what the repository says of the stack.
func readOld(root, stack string) (old, error) {
	file, err := stackfile.Read(root, stack)
	if err != nil {
		return old{}, cli.WithCode(cli.ExitUsage, err)
	}
	o := old{file: file}
	if o.config, err = stacks.ReadConfig(stack, file); err != nil {
		return old{}, cli.WithCode(cli.ExitUsage, err)
	}
	if o.topology, err = stacks.New(stack, o.config); err != nil {
		return old{}, cli.WithCode(cli.ExitUsage, err)
	}
	if o.topology.Backup == nil {
		return old{}, cli.UsageErrorf("stack %s is of the topology %s, which keeps no backups that a stack could be made from: want one of stage or prod", stack, o.config.Topology)
	}
	return o, nil
}

// home is where the new stack goes.
type home struct {
	// name is its own, region and zones where it is. No zones means those of the old one.
	name, region string
	zones        []string
	// snapshot is what its database begins with.
	snapshot string
	// secretsProvider is the key of its secrets, where it is another.
	secretsProvider string
	// set are the settings that somebody has chosen.
	set []string
}

// drillReason is why a drill breaks rules of prod.
const drillReason = "a drill, which is destroyed when it ends"

// drillExceptions are the rules of prod that are about a stack that lasts.
var drillExceptions = []string{"CD-25", "CD-32", "CD-46", "CD-50"}

// settings are the values in which the new stack's file differs from the old one's.
func (o old) settings(kind Kind, h home) map[string]any {
	label := string(Drill)
	if kind == Failover {
		label = h.region
	}
	changed := beside.Apart(o.config, label) // the old stack's own name has records that are still there
	changed["databaseSnapshot"], changed["copyRegion"] = h.snapshot, nil
	if kind == Failover {
		changed["aws:region"], changed["zones"], changed["amiId"] = h.region, h.zones, nil
		return changed
	}
	for _, name := range []string{"alertEmails", "pagerUrl", "businessHours", "dashboards"} {
		changed[name] = nil
	}
	changed["alarms"], changed["protect"], changed["lockBackups"] = "none", false, false
	// Carriers would send the live stack's calls to whoever has registered last.
	changed["carrierRegistrations"] = false
	if o.config.Topology == stacks.KindProd {
		exceptions := slices.Clone(o.config.PolicyExceptions)
		for _, rule := range drillExceptions {
			exceptions = append(exceptions, rule+" "+drillReason)
		}
		changed["policyExceptions"] = exceptions
	}
	return changed
}

// chosen reports what of --set is no setting, or one that the command itself gives a value. What it only takes away, since it belongs to the
// old stack, may be given anew. Names and values are judged with the rest.
func (t *task) chosen() error {
	decided := t.old.settings(t.kind, t.home)
	var errs []error
	for _, assignment := range t.Set {
		name, _, err := stackfile.Assignment(assignment)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("--set: %w", err))
		case decided[name] != nil:
			errs = append(errs, fmt.Errorf("--set has %s, which this command decides itself", name))
		case slices.Contains(t.old.file.Secrets(), stacks.Project+":"+name):
			errs = append(errs, fmt.Errorf("--set has %s, which is encrypted in stack %s and would be in the clear: leave it out", name, t.old.file.Stack))
		}
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

// derive makes the new stack's file. Whatever is wrong with what it says is an error.
func (o old) derive(kind Kind, h home) (*stackfile.File, stacks.Topology, []byte, error) {
	head := fmt.Sprintf("# Made by `calldata dr %s %s`: the stack %s afresh, from its backups.", kind, o.file.Stack, o.file.Stack)
	settings := o.settings(kind, h)
	for _, assignment := range h.set {
		name, value, err := stackfile.Assignment(assignment)
		if err != nil {
			return nil, stacks.Topology{}, nil, cli.WithCode(cli.ExitUsage, err)
		}
		settings[name] = value
	}
	file, text, err := o.file.Derive(stackfile.Derivation{Stack: h.name, Head: head, Settings: settings, SecretsProvider: h.secretsProvider})
	if err != nil {
		return nil, stacks.Topology{}, nil, err
	}
	topology, err := stackarg.Topology(file)
	return file, topology, text, err
}

// counterpart is the name that a machine of the old stack has in the new one.
func counterpart(machine, from, to string) string {
	return to + strings.TrimPrefix(machine, from)
}
