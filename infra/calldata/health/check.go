package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// The checks.
const (
	CheckFleet       = "fleet"
	CheckInstance    = "instance"
	CheckSSH         = "ssh"
	CheckCloudInit   = "cloud-init"
	CheckUnits       = "units"
	CheckPostgreSQL  = "postgresql"
	CheckSIP         = "sip"
	CheckDisk        = "disk"
	CheckTime        = "time"
	CheckAPI         = "api"
	CheckWizard      = "wizard"
	CheckCertificate = "certificate"
)

// checkOrder is the order of the report.
var checkOrder = []string{
	CheckFleet, CheckInstance, CheckSSH, CheckCloudInit, CheckUnits, CheckPostgreSQL, CheckSIP, CheckDisk, CheckTime, CheckAPI, CheckWizard, CheckCertificate,
}

// checker runs every check of a stack, all nodes side by side.
type checker struct {
	stack   stacks.Outputs
	web     *web
	login   *login.Login
	getenv  func(string) string
	timeout time.Duration // of one check
	aws     func(context.Context, stacks.Outputs) map[string]found
	groups  func(context.Context, stacks.Outputs) map[string]fleetState

	mu      sync.Mutex
	results []Result
}

// round runs every check once.
func (c *checker) round(ctx context.Context) Report {
	c.results = nil
	var all sync.WaitGroup
	all.Go(func() {
		stack := c.stack
		stack.Nodes = slices.Concat(stack.Nodes, c.fleets(ctx))
		all.Go(func() { c.instances(ctx, stack) })
		for _, node := range stack.Nodes {
			all.Go(func() { c.node(ctx, node) })
		}
	})
	all.Go(func() { c.check(ctx, CheckAPI, "", c.web.status) })
	all.Go(func() { c.check(ctx, CheckWizard, "", c.web.wizard) })
	all.Go(func() { c.check(ctx, CheckCertificate, "", c.web.certificate) })
	all.Wait()
	return newReport(c.stack.Stack, c.results)
}

// check runs one check within its time limit and records what it found.
func (c *checker) check(ctx context.Context, name, node string, run func(context.Context) found) found {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	begin := time.Now()
	f := run(ctx)
	if f.status == verdict.Fail && ctx.Err() != nil {
		f.detail = fmt.Sprintf("%s (%v)", f.detail, ctx.Err())
	}
	c.record(name, node, f, time.Since(begin))
	return f
}

func (c *checker) record(name, node string, f found, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.results = append(c.results, Result{
		Name: name, Node: node, unreachable: f.unreachable, coming: f.coming,
		Outcome: verdict.Outcome{Status: f.status, Detail: f.detail, Seconds: took.Seconds()},
	})
}

// instances asks EC2 once for all nodes.
func (c *checker) instances(ctx context.Context, stack stacks.Outputs) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	begin := time.Now()
	for node, f := range c.aws(ctx, stack) {
		c.record(CheckInstance, node, f, time.Since(begin))
	}
}

// node logs in to one machine and looks around.
func (c *checker) node(ctx context.Context, node stacks.Node) {
	type remote struct {
		name string
		run  func(context.Context, *host) found
	}
	inside := []remote{
		{CheckCloudInit, cloudInit},
		{CheckUnits, func(ctx context.Context, h *host) found { return systemdUnits(ctx, h, node.Roles) }},
		{CheckDisk, disk},
		{CheckTime, clock},
	}
	if slices.Contains(node.Roles, stacks.RoleUCEngine) {
		inside = append(inside, remote{CheckPostgreSQL, postgres})
	}
	if slices.Contains(node.Roles, stacks.RoleC4SBC) {
		inside = append(inside, remote{CheckSIP, func(ctx context.Context, h *host) found { return sbc(ctx, h, node.PrivateIP) }})
	}
	var connected *host
	closed := func() {}
	c.check(ctx, CheckSSH, node.Name, func(ctx context.Context) found {
		client, end, err := c.dial(ctx, node)
		where := c.login.Where(node) + ": "
		if err != nil {
			return found{status: verdict.Fail, detail: where + strings.TrimPrefix(whyNot(err), where), unreachable: true}
		}
		connected, closed = &host{client: client}, end
		return ok("%s@%s", node.User, c.login.Where(node))
	})
	defer closed()
	if connected == nil {
		for _, r := range inside {
			c.record(r.name, node.Name, skip("no SSH"), 0)
		}
		return
	}
	var all sync.WaitGroup
	for _, r := range inside {
		all.Go(func() {
			c.check(ctx, r.name, node.Name, func(ctx context.Context) found { return r.run(ctx, connected) })
		})
	}
	all.Wait() // every session has ended
}

// dial logs in. A machine of a fleet comes and goes, so that its host key is learnt, as by calldata ssh.
func (c *checker) dial(ctx context.Context, node stacks.Node) (*ssh.Client, func(), error) {
	if fleet.IsMember(node) {
		return login.To(ctx, c.stack, node, c.getenv, c.login.Port)
	}
	client, err := c.login.Dial(ctx, node)
	if err != nil {
		return nil, nil, err
	}
	return client, func() { _ = client.Close() }, nil
}
