package configure

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
)

// sshClient starts ssh as Ansible does, so that waiting for a machine tests what Ansible will need.
type sshClient struct {
	// key is the private key, or empty for ssh's agent and defaults.
	key string
	// knownHosts is the file of host keys. With trustFirst the key of a host that is not in it is accepted and noted.
	knownHosts string
	trustFirst bool
	// port is 22 if zero.
	port int
	// patience is how long a machine may take to answer, sshLimit if zero.
	patience time.Duration

	// via is the way to machines behind Systems Manager, config the run's configuration of ssh, which has their tunnels, and
	// byID has the instance ids under which host keys are filed. All are empty where there are no such machines.
	via    tunnel.Way
	config string
	byID   map[string]bool
}

// validate answers what is wrong with the files.
func (c sshClient) validate() []error {
	var errs []error
	if c.key != "" {
		data, err := private.Read("CALLDATA_SSH_KEY", c.key)
		if err != nil {
			errs = append(errs, err)
		} else if _, err := ssh.ParseRawPrivateKey(data); err != nil {
			var locked *ssh.PassphraseMissingError
			if errors.As(err, &locked) {
				err = errors.New("it has a passphrase, which nobody will be asked for: load it with ssh-add and unset CALLDATA_SSH_KEY")
			}
			errs = append(errs, fmt.Errorf("CALLDATA_SSH_KEY %s: %w", c.key, err))
		}
	}
	if c.knownHosts != "" {
		info, err := os.Stat(c.knownHosts)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("CALLDATA_KNOWN_HOSTS: %w", err))
		case !info.Mode().IsRegular():
			errs = append(errs, fmt.Errorf("CALLDATA_KNOWN_HOSTS %s is not a regular file", c.knownHosts))
		case info.Mode().Perm()&0o022 != 0:
			errs = append(errs, fmt.Errorf("CALLDATA_KNOWN_HOSTS %s may be written by others: run `chmod go-w %s`", c.knownHosts, c.knownHosts))
		}
	}
	return errs
}

// options are the values of ssh's -o.
func (c sshClient) options() []string {
	policy := "yes"
	if c.trustFirst {
		policy = "accept-new"
	}
	options := []string{
		`UserKnownHostsFile="` + c.knownHosts + `"`, "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=" + policy,
		// The file names addresses, whatever the operator's own ssh configuration prefers.
		"HashKnownHosts=no", "ConnectTimeout=10",
	}
	if c.key != "" {
		options = append(options, "IdentitiesOnly=yes")
	}
	return options
}

func (c sshClient) portNumber() int { return cmp.Or(c.port, 22) }

// command runs a command of the remote shell. It answers its output, and what ssh said if that failed.
func (c sshClient) command(ctx context.Context, h ansible.Host, script string) (string, error) {
	args := []string{"-o", "BatchMode=yes", "-o", "ControlPath=none", "-o", "ServerAliveInterval=15", "-p", strconv.Itoa(c.portNumber())}
	if c.config != "" {
		args = append(args, "-F", c.config)
	}
	if h.Managed() {
		// The AWS CLI needs seconds to open a session. ssh takes the first value.
		args = append(args, "-o", "ConnectTimeout=30")
	}
	for _, option := range c.options() {
		args = append(args, "-o", option)
	}
	if c.key != "" {
		args = append(args, "-i", c.key)
	}
	cmd := exec.CommandContext(ctx, "ssh", append(args, "-l", h.User, "--", h.Address, script)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A session of its own, so that ssh and its proxy commands end together and cannot ask on a terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if err != nil {
		err = &sshError{said: strings.TrimSpace(stderr.String()), err: err}
	}
	return stdout.String(), err
}

// sshError is a failed ssh, with what it said.
type sshError struct {
	said string
	err  error
}

func (e *sshError) Error() string {
	if e.said == "" {
		return "ssh: " + e.err.Error()
	}
	lines := strings.Split(e.said, "\n")
	said := lines[len(lines)-1]
	for _, line := range slices.Backward(lines) {
		// That the connection is gone says less than why.
		if line != "" && !strings.HasPrefix(line, "kex_exchange_identification:") && !strings.HasPrefix(line, "Connection closed by") {
			said = line
			break
		}
	}
	return "ssh: " + strings.TrimRight(said, " .\r")
}

func (e *sshError) Unwrap() error { return e.err }

// code is the exit code of the remote command, 255 if ssh itself failed, -1 if it did not run.
func (e *sshError) code() int {
	var exit *exec.ExitError
	if errors.As(e.err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// changedKey tells that the host has another key than the one on file.
func (e *sshError) changedKey() bool { return e.says("REMOTE HOST IDENTIFICATION HAS CHANGED") }

// says tells whether one of texts is in what ssh said.
func (e *sshError) says(texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(e.said, text) })
}

// banner answers once the host's SSH server has said its version, which a server does that can take connections.
func (c sshClient) banner(ctx context.Context, h ansible.Host) error {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(h.Address, strconv.Itoa(c.portNumber())))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	// RFC 4253, section 4.2: at most 255 characters, and other lines may come before.
	reader := bufio.NewReader(conn)
	for range 20 {
		line, err := reader.ReadString('\n')
		if strings.HasPrefix(line, "SSH-") {
			return nil
		}
		if err != nil {
			return fmt.Errorf("no SSH banner: %w", err)
		}
	}
	return errors.New("no SSH banner: is it an SSH server?")
}
