package login

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

// Learn keeps the host key of a fleet's machine that was never seen before, as `calldata configure` does for fixed ones: in
// .calldata/STACK/known_hosts, under its instance id, which is never given again. With pinned host keys, and for fixed machines,
// it does nothing. Port is that of the machine's SSH server, 0 is 22.
func Learn(ctx context.Context, stack stacks.Outputs, node stacks.Node, getenv func(string) string, port int) error {
	if !fleet.IsMember(node) || getenv(KnownHostsVariable) != "" {
		return nil
	}
	path := filepath.Join(".calldata", stack.Stack, "known_hosts")
	if hosts, err := knownhosts.New(path); err == nil && len(tunnel.KnownKeys(hosts, node.InstanceID, sshPort)) > 0 {
		return nil
	}
	way, err := tunnel.WayOf(getenv)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	if port == 0 {
		port = sshPort
	}
	conn, err := tunnel.Dial(ctx, way, tunnel.Target{Instance: node.InstanceID, Region: stack.Region, Host: node.PrivateIP, Port: port})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var shown ssh.PublicKey
	enough := errors.New("that is all")
	_, _, _, err = ssh.NewClientConn(conn, node.InstanceID, &ssh.ClientConfig{User: node.User, HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
		shown = key
		return enough
	}})
	if shown == nil {
		return fmt.Errorf("ask for the host key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // below the .calldata of the working directory
	if err != nil {
		return err
	}
	_, err = file.WriteString(knownhosts.Line([]string{node.InstanceID}, shown) + "\n")
	return errors.Join(err, file.Close())
}

// To logs in to one machine of a stack, a fixed one or one of a fleet, and answers the connection and what closes it. Port is
// that of its SSH server, 0 is 22. What is wrong with the settings is a usage error, a missing tool cli.ExitPreflight; what
// the machine says has no code.
func To(ctx context.Context, stack stacks.Outputs, node stacks.Node, getenv func(string) string, port int) (*ssh.Client, func(), error) {
	stack.Nodes = []stacks.Node{node}
	if err := Learn(ctx, stack, node, getenv, port); err != nil {
		return nil, nil, err
	}
	access, err := New(ctx, stack, getenv)
	if err != nil {
		return nil, nil, err
	}
	if port != 0 {
		access.Port = port
	}
	client, err := access.Dial(ctx, node)
	if err != nil {
		_ = access.Close()
		return nil, nil, fmt.Errorf("%s: %w", access.Where(node), err)
	}
	return client, func() { _, _ = client.Close(), access.Close() }, nil
}
