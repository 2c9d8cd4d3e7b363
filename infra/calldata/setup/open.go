package setup

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	webPort = 443
	// requestTimeout bounds one request. The first setup takes longest; nginx of an engine cuts it at 180 s.
	requestTimeout = 200 * time.Second
	// idle is shorter than nginx's keep-alive of 75 s, so that no request meets a connection that has just been closed.
	idle = 30 * time.Second
)

// open connects to the engine: at the address that was given, or on the machine's own loopback address, over SSH. There, the
// machine has shown its host key, and Wazo's first certificate, which is self-signed, needs no trust.
func open(ctx context.Context, o *Options, stack stacks.Outputs) (*wazo.Client, func(), error) {
	if o.URL != "" {
		u, err := url.Parse(o.URL)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, nil, cli.UsageErrorf("--url is %q, want https://HOST[:PORT]", o.URL)
		}
		return wazo.New(o.URL, &http.Client{Timeout: requestTimeout}), func() {}, nil
	}
	node, err := engine(stack, o.Node)
	if err != nil {
		return nil, nil, cli.WithCode(cli.ExitUsage, err)
	}
	access, err := login.New(ctx, stack, o.IO.Getenv)
	if err != nil {
		return nil, nil, err
	}
	client, err := access.Dial(ctx, node)
	if err != nil {
		_ = access.Close()
		return nil, nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("%s (%s): %w", node.Name, access.Where(node), err))
	}
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return login.DialLocal(ctx, client, webPort) },
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // within SSH, see above
		IdleConnTimeout: idle,
	}
	closeAll := func() {
		transport.CloseIdleConnections()
		_, _ = client.Close(), access.Close()
	}
	return wazo.New("https://localhost", &http.Client{Transport: transport, Timeout: requestTimeout}), closeAll, nil
}

// engine chooses the node.
func engine(stack stacks.Outputs, name string) (stacks.Node, error) {
	for _, n := range stack.Nodes {
		if slices.Contains(n.Roles, stacks.RoleUCEngine) && (name == "" || n.Name == name) {
			return n, nil
		}
	}
	if name == "" {
		return stacks.Node{}, fmt.Errorf("stack %s has no node with the role %s", stack.Stack, stacks.RoleUCEngine)
	}
	return stacks.Node{}, fmt.Errorf("--node is %q: stack %s has no engine of this name", name, stack.Stack)
}
