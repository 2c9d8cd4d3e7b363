// Package login reaches the machines of a stack over SSH: with the operator's key, to hosts that are known, and through a
// tunnel where no port leads to them.
package login

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

// The environment that says how to log in. The variables hold names of files, never secrets.
const (
	KeyVariable        = "CALLDATA_SSH_KEY"
	KnownHostsVariable = "CALLDATA_KNOWN_HOSTS"
	agentVariable      = "SSH_AUTH_SOCK"
)

const sshPort = 22

// Login is how to reach the machines of a stack.
type Login struct {
	auth  ssh.AuthMethod
	hosts ssh.HostKeyCallback
	// Port is that of the machines' SSH servers, 22.
	Port int
	free func() error // an agent's socket

	// via is the way to machines that no port leads to, in region.
	via    tunnel.Way
	region string
}

// New reads the key and the known hosts. Close what it answers. A host that is not known is never trusted: `calldata configure` learns
// hosts, a check does not.
func New(ctx context.Context, stack stacks.Outputs, getenv func(string) string) (*Login, error) {
	l := &Login{Port: sshPort, region: stack.Region, free: func() error { return nil }}
	managed := slices.DeleteFunc(slices.Clone(stack.Nodes), func(n stacks.Node) bool { return n.Access != stacks.AccessSSM })
	var errs [3]error
	errs[0] = l.prepareTunnels(managed, getenv)
	l.hosts, errs[1] = knownHosts(stack.Stack, getenv)
	errs[2] = l.authenticate(ctx, getenv)
	err := cli.WithCode(cli.ExitUsage, errors.Join(errs[:]...))
	if err == nil && len(managed) > 0 {
		err = cli.WithCode(cli.ExitPreflight, l.via.Check())
	}
	if err != nil {
		_ = l.free()
		return nil, err
	}
	return l, nil
}

// Close lets the agent go.
func (l *Login) Close() error { return l.free() }

// authenticate reads the key that the environment names, or asks the agent.
func (l *Login) authenticate(ctx context.Context, getenv func(string) string) error {
	if path := getenv(KeyVariable); path != "" {
		data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return fmt.Errorf("%s: %w", KeyVariable, err)
		}
		signer, err := ssh.ParsePrivateKey(data)
		var locked *ssh.PassphraseMissingError
		if errors.As(err, &locked) {
			return fmt.Errorf("%s: %s has a passphrase: add it to the SSH agent and unset %s", KeyVariable, path, KeyVariable)
		}
		if err != nil {
			return fmt.Errorf("%s: %s is not a private key: %w", KeyVariable, path, err)
		}
		l.auth = ssh.PublicKeys(signer)
		return nil
	}
	socket := getenv(agentVariable)
	if socket == "" {
		return fmt.Errorf("neither %s nor an SSH agent (%s) is set", KeyVariable, agentVariable)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("SSH agent: %w", err)
	}
	l.auth, l.free = ssh.PublicKeysCallback(agent.NewClient(conn).Signers), conn.Close
	return nil
}

// prepareTunnels answers everything that is wrong with the way to the nodes that need a tunnel.
func (l *Login) prepareTunnels(managed []stacks.Node, getenv func(string) string) error {
	if len(managed) == 0 {
		return nil
	}
	via, err := tunnel.WayOf(getenv)
	l.via = via
	errs := []error{err}
	for _, n := range managed {
		if err := l.target(n).Validate(); err != nil {
			errs = append(errs, fmt.Errorf("stack output nodes: %s: %w", n.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (l *Login) target(n stacks.Node) tunnel.Target {
	return tunnel.Target{Instance: n.InstanceID, Region: l.region, Host: n.PrivateIP, Port: l.Port}
}

// Where names the node for a person: by what finds it.
func (l *Login) Where(n stacks.Node) string {
	switch {
	case n.Access != stacks.AccessSSM:
		return n.Address()
	case l.via == tunnel.Direct:
		return n.PrivateIP
	}
	return n.InstanceID
}

// knownHosts takes the pinned keys, or else those that `calldata configure` has learnt, and the user's own.
func knownHosts(stack string, getenv func(string) string) (ssh.HostKeyCallback, error) {
	var files []string
	if pinned := getenv(KnownHostsVariable); pinned != "" {
		files = []string{pinned}
	} else {
		for _, path := range []string{
			filepath.Join(".calldata", stack, "known_hosts"), filepath.Join(getenv("HOME"), ".ssh", "known_hosts"),
		} {
			if _, err := os.Stat(path); err == nil {
				files = append(files, path)
			}
		}
	}
	check, err := knownhosts.New(files...)
	if err != nil {
		return nil, fmt.Errorf("known hosts (%s): %w", KnownHostsVariable, err)
	}
	return check, nil
}

// Dial connects and logs in. The context is for that alone.
func (l *Login) Dial(ctx context.Context, n stacks.Node) (*ssh.Client, error) {
	conn, name, port, err := l.connect(ctx, n)
	if err != nil {
		return nil, err
	}
	// The handshake knows no context: closing the connection ends it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	secure, channels, requests, err := ssh.NewClientConn(conn, net.JoinHostPort(name, strconv.Itoa(port)), &ssh.ClientConfig{
		User: n.User, Auth: []ssh.AuthMethod{l.auth}, HostKeyCallback: l.hosts, HostKeyAlgorithms: algorithms(tunnel.KnownKeys(l.hosts, name, port)),
	})
	if err != nil {
		_ = conn.Close() // the handshake's error is the one to show
		return nil, errors.Join(explain(err, name), ctx.Err())
	}
	return ssh.NewClient(secure, channels, requests), nil
}

// connect opens the way to the node's SSH server, and answers the name and port that its host key is filed under.
func (l *Login) connect(ctx context.Context, n stacks.Node) (conn net.Conn, name string, port int, err error) {
	if n.Access == stacks.AccessSSM {
		name, port = l.target(n).KeyName(l.hosts)
		conn, err = tunnel.Dial(ctx, l.via, l.target(n))
		return conn, name, port, err
	}
	conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(n.Address(), strconv.Itoa(l.Port)))
	return conn, n.Address(), l.Port, err
}

// algorithms answers those of the host's known keys. Without it the server might show another of its keys, which would
// look like a forgery. Nil when the host is unknown.
func algorithms(known []knownhosts.KnownKey) []string {
	var names []string
	for _, key := range known {
		name := key.Key.Type()
		if name == ssh.KeyAlgoRSA {
			names = append(names, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// explain says what to do about host keys.
func explain(err error, address string) error {
	var known *knownhosts.KeyError
	switch {
	case !errors.As(err, &known):
		return err
	case len(known.Want) == 0:
		return fmt.Errorf("the host key of %s is not known: name a file that has it in %s, or run `calldata configure` first", address, KnownHostsVariable)
	}
	return fmt.Errorf("the host key of %s is not the known one (%s): the machine was replaced, or somebody is in between", address, known.Want[0].Filename)
}
