package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/calldata/calldata-foundation/components/wazofleet"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/infra/rehearsal/database"
	"github.com/calldata/calldata-foundation/stacks"
)

// How much calling a rehearsal does.
const (
	CallsNone  = "none"
	CallsQuick = "quick"
	CallsFull  = "full"
)

// How many calls are up when machines are drained.
const (
	quickDrain = 100
	fullDrain  = 1000
)

// checkCalls is the name of the call tester's check.
const checkCalls = "calls"

// callsTime is how long all scenarios may take.
const callsTime = 40 * time.Minute

// calling is what the call tester does: groups of scenarios, and how many calls are up when machines are drained.
type calling struct {
	groups []string
	drain  int
}

// chosenCalls is what a rehearsal's options ask for.
func chosenCalls(o Options) calling {
	switch {
	case o.Calls == CallsFull:
		return calling{calls.Groups(), fullDrain}
	case o.kind == stacks.KindProd:
		return calling{append(calls.Quick(), calls.GroupDrain), quickDrain}
	}
	return calling{calls.Quick(), quickDrain}
}

// calls applies the scene's routing and tenant and runs the call tester, each as a check.
func (w *world) calls(ctx context.Context, o Options, d *deployment, what calling, step progress.Step) []Check {
	s := step.Step("calls")
	plan, err := w.callPlan(ctx, d.outputs)
	if err != nil {
		s.Done(err)
		return []Check{{Name: checkCalls, Detail: err.Error()}}
	}
	var checks []Check
	for _, next := range []func() Check{
		func() Check { return w.applyRouting(ctx, o, plan, s) },
		func() Check { return w.applyTenant(ctx, o, plan, d.file, s) },
		func() Check { return w.runCalls(ctx, o, plan, what, s) },
	} {
		c := next()
		checks = append(checks, c)
		if !c.OK {
			break
		}
	}
	s.Done(failures(checks))
	return checks
}

// runCalls is the call tester itself, in a process inside the network.
func (w *world) runCalls(ctx context.Context, o Options, plan calls.Plan, what calling, s progress.Step) Check {
	c := Check{Name: checkCalls}
	file := callPlanFile(w.dir)
	if err := writePlan(file, plan); err != nil {
		c.Detail = err.Error()
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, callsTime)
	defer cancel()
	out, err := w.told(ctx, o, progressLines{s}, nil, "calls", "--plan", file, "--groups", strings.Join(what.groups, ","),
		"--drain-calls", strconv.Itoa(what.drain), "--json")
	var result calls.Result
	if jsonErr := json.Unmarshal(out, &result); jsonErr == nil {
		c.Raw = out
		c.Detail = callsSummary(result)
	}
	c.OK = err == nil
	if err != nil && len(result.Failures()) == 0 {
		c.Detail = joinNonEmpty(c.Detail, err.Error())
	}
	return c
}

// writePlan writes a plan for the call tester.
func writePlan(file string, plan calls.Plan) error {
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// callPlanFile is where a rehearsal whose files are in dir keeps the plan of its calls.
func callPlanFile(dir string) string { return filepath.Join(dir, "calls.json") }

// outcomes are the scenarios in the call tester's own output.
func outcomes(checks []Check) []calls.Outcome {
	for _, c := range checks {
		var result calls.Result
		if c.Name == checkCalls && json.Unmarshal(c.Raw, &result) == nil {
			return result.Scenarios
		}
	}
	return nil
}

// callsSummary is one line: counts, and what failed.
func callsSummary(r calls.Result) string {
	count := r.Counts()
	text := fmt.Sprintf("%d scenarios ok, %d skipped, %d failed, in %s", count["ok"], count["skip"], count["fail"],
		progress.Short(time.Duration(r.Seconds*float64(time.Second))))
	for _, f := range r.Failures() {
		text += "; " + f
	}
	return text
}

// applyRouting puts the scene's routing into the Routers' database.
func (w *world) applyRouting(ctx context.Context, o Options, plan calls.Plan, s progress.Step) Check {
	c := Check{Name: "routing applied"}
	step := s.Step("routing")
	file := filepath.Join(w.dir, "routing.yml")
	err := os.WriteFile(file, []byte(sceneRouting(plan)), 0o600)
	if err == nil {
		_, err = w.calldata(ctx, o, nil, "routing", "apply", o.Stack, "--file", file, "--database-url-file", plan.DatabaseURLFile, "--json")
	}
	step.Done(err)
	c.OK = err == nil
	c.Detail = fmt.Sprintf("2 tenants, %d carriers", len(plan.Carriers)+1)
	if err != nil {
		c.Detail = err.Error()
	}
	return c
}

// callPlan describes the stack to the call tester.
func (w *world) callPlan(ctx context.Context, outputs stacks.Outputs) (calls.Plan, error) {
	roles, err := w.machinesByRole(ctx)
	if err != nil {
		return calls.Plan{}, err
	}
	plan := scenePlan(outputs.Stack, roles)
	ssh := w.ssh()
	plan.SSH = &ssh
	plan.CertificatesFile = filepath.Join(w.dir, "sbc-certificates.pem")
	if err := w.certificates(ctx, plan); err != nil {
		return calls.Plan{}, err
	}
	address, err := w.databaseURL(ctx, plan.DatabaseURLFile)
	if err != nil {
		return calls.Plan{}, err
	}
	plan.Database = &calls.Machine{Name: "database", Private: address}
	return plan, plan.Validate()
}

// certificates keeps the certificates that the SBCs have made for themselves.
func (w *world) certificates(ctx context.Context, plan calls.Plan) error {
	var all []byte
	for _, sbc := range plan.SBCs {
		out, err := w.asRoot(ctx, sbc, "cat /etc/kamailio/self-signed.pem")
		if err != nil {
			return fmt.Errorf("read the certificate of SBC %s: %w", sbc.Name, err)
		}
		all = append(all, out...)
	}
	return os.WriteFile(plan.CertificatesFile, all, 0o600)
}

// machinesByRole are the running machines that calls come to, by the tag Role.
func (w *world) machinesByRole(ctx context.Context) (map[string][]calls.Machine, error) {
	client := ec2.NewFromConfig(w.emulator.AWSConfig())
	elastic := map[string]netip.Addr{}
	addresses, err := client.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	if err != nil {
		return nil, fmt.Errorf("ask for Elastic IPs: %w", err)
	}
	for _, a := range addresses.Addresses {
		if ip, err := netip.ParseAddr(aws.ToString(a.PublicIp)); err == nil && a.InstanceId != nil {
			elastic[*a.InstanceId] = ip
		}
	}
	out := map[string][]calls.Machine{}
	pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"running"}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask for machines: %w", err)
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				m := calls.Machine{Name: aws.ToString(i.InstanceId), Address: elastic[aws.ToString(i.InstanceId)]}
				if m.Private, err = netip.ParseAddr(aws.ToString(i.PrivateIpAddress)); err != nil {
					return nil, fmt.Errorf("machine %s: %w", m.Name, err)
				}
				role, service := "", ""
				for _, t := range i.Tags {
					switch aws.ToString(t.Key) {
					case "Role":
						role = aws.ToString(t.Value)
					case wazofleet.ServiceKey:
						service = aws.ToString(t.Value)
					case "aws:autoscaling:groupName": // whose machines nobody logs in to but by Systems Manager
						if m.Leader, err = w.watcher.Machines.Leader(m.Name); err != nil {
							return nil, err
						}
					}
				}
				if role != "" && service != wazofleet.ServiceAside {
					out[role] = append(out[role], m)
				}
			}
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b calls.Machine) int { return a.Private.Compare(b.Private) })
	}
	return out, nil
}

// databaseURL writes the URL of the Routers' database into a file of mode 0600 and answers the machine's address: nobody
// outside of the VPC resolves the endpoint's name.
func (w *world) databaseURL(ctx context.Context, file string) (netip.Addr, error) {
	config := w.emulator.AWSConfig()
	out, err := rds.NewFromConfig(config).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("ask for the database: %w", err)
	}
	if len(out.DBInstances) == 0 || out.DBInstances[0].MasterUserSecret == nil {
		return netip.Addr{}, errors.New("the stack has no database with a secret")
	}
	db := out.DBInstances[0]
	address, ok := w.watcher.Machines.Address(database.Machine(aws.ToString(db.DBInstanceIdentifier)))
	if !ok {
		return netip.Addr{}, fmt.Errorf("no machine plays the database %s", aws.ToString(db.DBInstanceIdentifier))
	}
	value, err := secretsmanager.NewFromConfig(config).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: db.MasterUserSecret.SecretArn})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("read the database's secret: %w", err)
	}
	var login struct{ Username, Password string }
	if err := json.Unmarshal([]byte(aws.ToString(value.SecretString)), &login); err != nil {
		return netip.Addr{}, errors.New("the database's secret is not the JSON that RDS writes")
	}
	at := url.URL{
		Scheme: "postgres", User: url.UserPassword(login.Username, login.Password), Host: fmt.Sprintf("%s:%d", address, aws.ToInt32(db.Endpoint.Port)),
		Path: "/c4", RawQuery: "sslmode=require",
	}
	return address, os.WriteFile(file, []byte(at.String()), 0o600)
}

// progressLines are what a command says on the way, for a step of this process.
type progressLines struct{ step progress.Step }

func (p progressLines) Write(data []byte) (int, error) {
	for line := range bytes.Lines(data) {
		if text := strings.TrimSpace(string(line)); text != "" {
			p.step.Progress(0, 0, text)
		}
	}
	return len(data), nil
}

// tenantFile writes the scene's tenant for calldata setup.
func (w *world) tenantFile(o Options, plan calls.Plan) (string, error) {
	topology, err := w.topology(o)
	if err != nil {
		return "", err
	}
	file := filepath.Join(w.dir, "tenant.yml")
	return file, os.WriteFile(file, []byte(sceneTenant(plan, routerNetworks(*topology.Network, plan.Routers))), 0o600)
}

// routerNetworks are the networks that Routers are in, and those of the same tier, in which Auto Scaling may put others.
func routerNetworks(network stacks.Network, routers []calls.Machine) []netip.Prefix {
	var tiers []string
	for _, s := range network.Subnets {
		if slices.ContainsFunc(routers, func(r calls.Machine) bool { return s.CIDR.Contains(r.Private) }) {
			tiers = append(tiers, s.Tier)
		}
	}
	var found []netip.Prefix
	for _, s := range network.Subnets {
		if slices.Contains(tiers, s.Tier) {
			found = append(found, s.CIDR)
		}
	}
	return found
}

// applyTenant makes the scene's tenant on the first engine.
func (w *world) applyTenant(ctx context.Context, o Options, plan calls.Plan, outputs string, s progress.Step) Check {
	c := Check{Name: "tenant applied"}
	step := s.Step("tenant")
	file, err := w.tenantFile(o, plan)
	if err == nil {
		c.Raw, err = w.calldata(ctx, o, nil, "setup", o.Stack, "--file", file, "--outputs", outputs, "--yes", "--json")
	}
	step.Done(err)
	c.OK, c.Detail = err == nil, fmt.Sprintf("%d phones, a trunk to %d Routers", len(plan.Phones), len(plan.Routers))
	if err != nil {
		c.Detail, c.Raw = err.Error(), nil
	}
	return c
}
