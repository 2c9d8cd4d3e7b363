package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// The checks, in the order of the report.
const (
	CheckSettings      = "settings"
	CheckSSHKey        = "ssh-key"
	CheckAlarms        = "alarms"
	CheckPulumi        = "pulumi"
	CheckAnsible       = "ansible"
	CheckSession       = "session-manager"
	CheckCredentials   = "credentials"
	CheckRegion        = "region"
	CheckZones         = "zones"
	CheckInstanceTypes = "instance-types"
	CheckVPCs          = "quota-vpcs"
	CheckAddresses     = "quota-addresses"
	CheckNATGateways   = "quota-nat-gateways"
	CheckVCPUs         = "quota-vcpus"
	CheckRules         = "quota-firewall-rules"
	CheckServiceRole   = "service-role"
	CheckProvider      = "identity-provider"
	CheckMonitor       = "anomaly-monitor"
	CheckCostTags      = "cost-tags"
	CheckImage         = "image"
	CheckNATAddresses  = "nat-addresses"
	CheckHostedZone    = "hosted-zone"
	CheckState         = "state"
	CheckLock          = "lock"
	CheckSecretsKey    = "secrets-key"
)

var order = []string{
	CheckSettings, CheckSSHKey, CheckAlarms, CheckPulumi, CheckAnsible, CheckSession, CheckCredentials, CheckRegion, CheckZones, CheckInstanceTypes,
	CheckVPCs, CheckAddresses, CheckNATGateways, CheckVCPUs, CheckRules, CheckServiceRole, CheckProvider, CheckMonitor, CheckCostTags, CheckImage, CheckNATAddresses,
	CheckHostedZone, CheckState, CheckLock, CheckSecretsKey,
}

// found is how a check ended.
type found struct {
	status verdict.Status
	detail string
}

func ok(format string, args ...any) found   { return found{verdict.OK, fmt.Sprintf(format, args...)} }
func warn(format string, args ...any) found { return found{verdict.Warn, fmt.Sprintf(format, args...)} }
func fail(format string, args ...any) found { return found{verdict.Fail, fmt.Sprintf(format, args...)} }
func skip(format string, args ...any) found { return found{verdict.Skip, fmt.Sprintf(format, args...)} }

// unknown is the outcome of a check that AWS did not answer.
func unknown(err error) found { return warn("could not be checked: %s", awsapi.Message(err)) }

// inspector runs the checks of one stack, side by side.
type inspector struct {
	*Options
	file     *stackfile.File
	region   string
	topology *stacks.Topology // nil where the settings are wrong
	missing  []string         // settings that have examples in topology
	clients  *clients
	id       awsapi.Identity
	work     progress.Step

	mu     sync.Mutex
	report Report
}

func inspect(ctx context.Context, o *Options, file *stackfile.File, work progress.Step) *Report {
	i := &inspector{Options: o, file: file, work: work}
	i.region, _ = file.Get("aws:region")
	i.report.Stack, i.report.Region = file.Stack, i.region
	i.check(ctx, CheckSettings, i.settings)

	var all sync.WaitGroup
	for name, run := range map[string]func(context.Context) found{
		CheckSSHKey: i.sshKey, CheckAlarms: i.alarms, CheckPulumi: i.pulumi, CheckAnsible: i.ansible, CheckSession: i.session,
	} {
		all.Go(func() { i.check(ctx, name, run) })
	}
	all.Go(func() { i.aws(ctx) })
	all.Wait()
	i.report.sort(order)
	return &i.report
}

// aws runs what needs credentials, once they are there.
func (i *inspector) aws(ctx context.Context) {
	checks := map[string]func(context.Context) found{
		CheckRegion: i.regionEnabled, CheckZones: i.zones, CheckInstanceTypes: i.instanceTypes, CheckVPCs: i.vpcs, CheckAddresses: i.addresses,
		CheckNATGateways: i.natGateways, CheckVCPUs: i.vcpus, CheckRules: i.rules, CheckServiceRole: i.serviceRole, CheckImage: i.image, CheckNATAddresses: i.natAddresses,
		CheckHostedZone: i.hostedZone, CheckSecretsKey: i.secretsKey, CheckProvider: i.identityProvider, CheckMonitor: i.anomalyMonitor, CheckCostTags: i.costTags,
	}
	if f := i.check(ctx, CheckCredentials, i.credentials); f.status != verdict.OK {
		for name := range checks {
			i.record(name, skip("no credentials"), 0)
		}
		i.record(CheckState, skip("no credentials"), 0)
		i.record(CheckLock, skip("no credentials"), 0)
		return
	}
	var all sync.WaitGroup
	for name, run := range checks {
		all.Go(func() { i.check(ctx, name, run) })
	}
	all.Go(func() { i.state(ctx) })
	all.Wait()
}

// check runs one check within its time limit and records what it found.
func (i *inspector) check(ctx context.Context, name string, run func(context.Context) found) found {
	ctx, cancel := context.WithTimeout(ctx, i.Timeout)
	defer cancel()
	begin := time.Now()
	f := run(ctx)
	if ctx.Err() != nil && (f.status == verdict.Fail || f.status == verdict.Warn) && !strings.Contains(f.detail, ctx.Err().Error()) {
		f.detail += " (" + ctx.Err().Error() + ")"
	}
	i.record(name, f, time.Since(begin))
	return f
}

func (i *inspector) record(name string, f found, took time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.report.Checks = append(i.report.Checks, Result{name, verdict.Outcome{Status: f.status, Detail: f.detail, Seconds: took.Seconds()}})
	i.work.Progress(int64(len(i.report.Checks)), int64(len(order)), name)
}

// settings reads the stack's settings. The other checks go on with what they know without them, or, where some are only
// missing, with examples of those.
func (i *inspector) settings(context.Context) found {
	t, err := stackarg.Topology(i.file)
	if err != nil {
		i.missing = i.file.FillExamples()
		if t, again := stackarg.Topology(i.file); again == nil {
			i.topology = &t
		}
		return fail("%s", err)
	}
	i.topology = &t
	detail := fmt.Sprintf("a %s stack", t.Kind)
	if t.Network != nil {
		detail += fmt.Sprintf(" in %s, machines in %s", t.Region, strings.Join(t.Network.Zones, ", "))
	}
	if secrets := i.file.Secrets(); len(secrets) > 0 {
		detail += fmt.Sprintf("; %d encrypted", len(secrets))
	}
	return ok("%s", detail)
}

// given reports whether the stack itself says what setting is to be.
func (i *inspector) given(setting string) bool { return !slices.Contains(i.missing, setting) }

// with runs a check that needs the topology, or more exactly a part of it.
func (i *inspector) with(needed func(*stacks.Topology) bool, run func(*stacks.Topology) found) found {
	switch {
	case i.topology == nil:
		return skip("the settings are wrong")
	case !needed(i.topology):
		return skip("the stack needs none")
	}
	return run(i.topology)
}

func hasNetwork(t *stacks.Topology) bool { return t.Network != nil }

func hasMachines(t *stacks.Topology) bool { return len(t.Nodes)+len(t.Fleets) > 0 }

// credentials connects; every other check of AWS waits for it.
func (i *inspector) credentials(ctx context.Context) found {
	if err := awsapi.CheckRegion(i.region); err != nil {
		return fail("aws:region: %s", err)
	}
	var err error
	if i.clients, err = i.connect(ctx, i.region, i.Profile); err != nil {
		return fail("%s", err)
	}
	if i.id, err = awsapi.WhoAmI(ctx, i.clients.sts); err != nil {
		return fail("%s", err)
	}
	i.report.Account = i.id.Account
	return ok("%s, account %s", i.id.ARN, i.id.Account)
}
