package reach

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
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

// learn keeps the host key of a fleet's machine that was never seen before, as `calldata configure` does for fixed ones: in
// .calldata/STACK/known_hosts, under its instance id, which is never given again. With pinned host keys it learns nothing.
func (w Way) learn(ctx context.Context, router stacks.Node) error {
	if router.Name != router.InstanceID || w.Getenv(login.KnownHostsVariable) != "" {
		return nil
	}
	path := filepath.Join(".calldata", w.Stack.Stack, "known_hosts")
	if hosts, err := knownhosts.New(path); err == nil && len(tunnel.KnownKeys(hosts, router.InstanceID, 22)) > 0 {
		return nil
	}
	way, err := tunnel.WayOf(w.Getenv)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	port := w.Port
	if port == 0 {
		port = 22
	}
	conn, err := tunnel.Dial(ctx, way, tunnel.Target{Instance: router.InstanceID, Region: w.Stack.Region, Host: router.PrivateIP, Port: port})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var shown ssh.PublicKey
	enough := errors.New("that is all")
	_, _, _, err = ssh.NewClientConn(conn, router.InstanceID, &ssh.ClientConfig{User: router.User, HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
		shown = key
		return enough
	}})
	if shown == nil {
		return fmt.Errorf("ask for the host key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the repository's own file
	if err != nil {
		return err
	}
	_, err = file.WriteString(knownhosts.Line([]string{router.InstanceID}, shown) + "\n")
	return errors.Join(err, file.Close())
}
