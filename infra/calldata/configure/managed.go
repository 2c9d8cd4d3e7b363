package configure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
)

// This file is about machines that no port leads to. ssh reaches them through `calldata tunnel`, which the configuration of
// the run says: it is written from fields that were checked, and the inventory has no part in it.

// prepareTunnels makes the text of the run's ssh configuration, where there are machines that need it. It answers what is
// wrong with the inventory or the settings, and apart from that what this machine lacks.
func (s *settings) prepareTunnels(getenv func(string) string) (usage, machine []error) {
	if !slices.ContainsFunc(s.inventory.Hosts, ansible.Host.Managed) {
		return nil, nil
	}
	var err error
	if s.ssh.via, err = tunnel.WayOf(getenv); err != nil {
		return []error{err}, nil
	}
	if slices.ContainsFunc(s.hosts, ansible.Host.Managed) {
		machine = append(machine, s.ssh.via.Check())
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, append(machine, fmt.Errorf("find this program, for ssh to start: %w", err))
	}
	if s.ssh.byID, err = s.ssh.keysByID(s.inventory.Hosts); err != nil {
		usage = append(usage, err)
	}
	var text strings.Builder
	text.WriteString("# Written by `calldata configure` for one run.\n")
	for _, h := range s.inventory.Hosts {
		if !h.Managed() {
			continue
		}
		proxy, err := tunnel.ProxyCommand(binary, s.ssh.via, s.ssh.target(h))
		if err != nil {
			usage = append(usage, fmt.Errorf("inventory host %q: %w", h.Name, err))
			continue
		}
		_, _ = fmt.Fprintf(&text, "Host %s\n", h.Address)
		if s.ssh.byID[h.InstanceID] {
			_, _ = fmt.Fprintf(&text, "  HostKeyAlias %s\n", h.InstanceID)
		}
		_, _ = fmt.Fprintf(&text, "  ProxyCommand %s\n", proxy)
	}
	// ssh takes the first value that it finds. What is not said above is the operator's to say, as it is without this file.
	text.WriteString("Host *\n  Include ~/.ssh/config\n  Include /etc/ssh/ssh_config\n")
	s.sshConfig = text.String()
	return usage, machine
}

// writeSSHConfig puts the configuration into the run's directory.
func (s *settings) writeSSHConfig(dir string) error {
	if s.sshConfig == "" {
		return nil
	}
	s.ssh.config = filepath.Join(dir, "ssh_config")
	if err := os.WriteFile(s.ssh.config, []byte(s.sshConfig), 0o600); err != nil {
		return fmt.Errorf("write the run's ssh configuration: %w", err)
	}
	return nil
}

// describeTunnels says how many machines are reached how, or nothing where SSH reaches all.
func (s *settings) describeTunnels() string {
	managed := 0
	for _, h := range s.hosts {
		if h.Managed() {
			managed++
		}
	}
	if managed == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d machines are reached %s", managed, len(s.hosts), s.ssh.via.Describe())
}

// keysByID tells which machines' host keys are filed under their instance ids: all those that are learnt here, because a
// private address passes to another machine when one is replaced. A file of the operator's may have either.
func (c sshClient) keysByID(hosts []ansible.Host) (map[string]bool, error) {
	filed := func(ansible.Host) bool { return true }
	if !c.trustFirst {
		known, err := knownhosts.New(c.knownHosts)
		if err != nil {
			return nil, fmt.Errorf("CALLDATA_KNOWN_HOSTS: %w", err)
		}
		filed = func(h ansible.Host) bool {
			name, _ := c.target(h).KeyName(known)
			return name == h.InstanceID
		}
	}
	byID := map[string]bool{}
	for _, h := range hosts {
		if h.Managed() && filed(h) {
			byID[h.InstanceID] = true
		}
	}
	return byID, nil
}

// variables are those of the environment that the tunnels need under Ansible, which gets few.
func (c sshClient) variables() []string {
	if c.via == tunnel.SSM {
		return []string{"AWS_*"}
	}
	return nil
}

func (c sshClient) target(h ansible.Host) tunnel.Target {
	return tunnel.Target{Instance: h.InstanceID, Region: h.Region, Host: h.Address, Port: c.portNumber()}
}

// where names the host for a person: by what finds it.
func (c sshClient) where(h ansible.Host) string {
	if h.Managed() && c.via == tunnel.SSM {
		return h.InstanceID
	}
	return h.Address
}

// hint is what to look at when no tunnel leads to a machine.
func (c sshClient) hint() string {
	if c.via == tunnel.Direct {
		return "is it running, and does a route lead from here to its private address? Without " + tunnel.Variable + " it is reached through AWS Systems Manager"
	}
	return "is it running, does `aws ssm describe-instance-information` list it as Online, and may these credentials start a session with it?"
}

// keyName is the name of h in the file of host keys.
func (c sshClient) keyName(h ansible.Host) string {
	if c.byID[h.InstanceID] {
		return h.InstanceID
	}
	return h.Address
}

// denials are what the AWS CLI says when trying again will not help.
// Source: botocore's exceptions, and "Common errors" in the AWS Systems Manager API Reference.
var denials = []string{
	"AccessDenied", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidSignatureException",
	"Unable to locate credentials", "The config profile", "Error loading SSO Token", "SSO session associated with this profile has expired",
}

// answers fails unless the SSH server of a machine behind a tunnel can be reached, whatever it says then. Only ssh knows: there
// is no banner to look at without the tunnel. An error is final if trying again will not help.
func (c sshClient) answers(ctx context.Context, h ansible.Host) (final bool, err error) {
	_, err = c.command(ctx, h, "true")
	var failed *sshError
	switch {
	case !errors.As(err, &failed):
		return false, err
	case failed.says("Permission denied", "Host key verification failed"):
		return false, nil
	}
	return failed.says(denials...), err
}
