package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

// The environment that says how to log in. The variables hold names of files, never secrets.
const (
	keyVariable        = "CALLDATA_SSH_KEY"
	knownHostsVariable = "CALLDATA_KNOWN_HOSTS"
	agentVariable      = "SSH_AUTH_SOCK"
)

const sshPort = 22

// maxOutput bounds what a remote command may print, in bytes.
const maxOutput = 1 << 20

// login is how to reach machines over SSH.
type login struct {
	auth  ssh.AuthMethod
	hosts ssh.HostKeyCallback
	port  int
	free  func() error // an agent's socket

	// via is the way to machines that no port leads to, in region.
	via    tunnel.Way
	region string
}

// newLogin reads the key and the known hosts. A host that is not known is never trusted: `calldata configure` learns
// hosts, a check does not.
func newLogin(ctx context.Context, stack stacks.Outputs, getenv func(string) string) (*login, error) {
	l := &login{port: sshPort, region: stack.Region, free: func() error { return nil }}
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

// authenticate reads the key that the environment names, or asks the agent.
func (l *login) authenticate(ctx context.Context, getenv func(string) string) error {
	if path := getenv(keyVariable); path != "" {
		data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return fmt.Errorf("%s: %w", keyVariable, err)
		}
		signer, err := ssh.ParsePrivateKey(data)
		var locked *ssh.PassphraseMissingError
		if errors.As(err, &locked) {
			return fmt.Errorf("%s: %s has a passphrase: add it to the SSH agent and unset %s", keyVariable, path, keyVariable)
		}
		if err != nil {
			return fmt.Errorf("%s: %s is not a private key: %w", keyVariable, path, err)
		}
		l.auth = ssh.PublicKeys(signer)
		return nil
	}
	socket := getenv(agentVariable)
	if socket == "" {
		return fmt.Errorf("neither %s nor an SSH agent (%s) is set", keyVariable, agentVariable)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("SSH agent: %w", err)
	}
	l.auth, l.free = ssh.PublicKeysCallback(agent.NewClient(conn).Signers), conn.Close
	return nil
}

// prepareTunnels answers everything that is wrong with the way to the nodes that need a tunnel.
func (l *login) prepareTunnels(managed []stacks.Node, getenv func(string) string) error {
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

func (l *login) target(n stacks.Node) tunnel.Target {
	return tunnel.Target{Instance: n.InstanceID, Region: l.region, Host: n.PrivateIP, Port: l.port}
}

// where names the node for a person: by what finds it.
func (l *login) where(n stacks.Node) string {
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
	if pinned := getenv(knownHostsVariable); pinned != "" {
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
		return nil, fmt.Errorf("known hosts (%s): %w", knownHostsVariable, err)
	}
	return check, nil
}

// host is an open SSH connection.
type host struct {
	client *ssh.Client
}

// dial connects and logs in.
func (l *login) dial(ctx context.Context, n stacks.Node) (*host, error) {
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
	return &host{client: ssh.NewClient(secure, channels, requests)}, nil
}

// connect opens the way to the node's SSH server, and answers the name and port that its host key is filed under.
func (l *login) connect(ctx context.Context, n stacks.Node) (conn net.Conn, name string, port int, err error) {
	if n.Access == stacks.AccessSSM {
		name, port = l.target(n).KeyName(l.hosts)
		conn, err = tunnel.Dial(ctx, l.via, l.target(n))
		return conn, name, port, err
	}
	conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(n.Address(), strconv.Itoa(l.port)))
	return conn, n.Address(), l.port, err
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
		return fmt.Errorf("the host key of %s is not known: name a file that has it in %s, or run `calldata configure` first", address, knownHostsVariable)
	}
	return fmt.Errorf("the host key of %s is not the known one (%s): the machine was replaced, or somebody is in between", address, known.Want[0].Filename)
}

func (h *host) Close() error { return h.client.Close() }

// run runs a shell command and answers what it printed. A non-zero exit is an error that carries its message.
func (h *host) run(ctx context.Context, command string) (string, error) {
	session, err := h.client.NewSession()
	if err != nil {
		return "", fmt.Errorf("open an SSH session: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	stdout, stderr := &limited{}, &limited{}
	session.Stdout, session.Stderr = stdout, stderr
	err = session.Run(command)
	_ = session.Close() // Run has ended it; a second close says so
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return stdout.String(), fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// limited keeps the first maxOutput bytes and drops the rest, so that a runaway command does not fill the memory.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		_, _ = l.Buffer.Write(p[:min(room, len(p))]) // never fails, see bytes.Buffer
	}
	return len(p), nil
}
