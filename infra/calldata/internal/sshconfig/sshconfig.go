// Package sshconfig writes configurations of ssh for the machines of a stack.
package sshconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
)

const sshPort = 22

// Machines is what a configuration is written for.
type Machines struct {
	// Stack is the stack's name.
	Stack string
	// Hosts are its machines.
	Hosts []ansible.Host
	// Dir is a directory of the repository, for host keys that `calldata configure` has learnt. Outside of a repository there
	// are none.
	Dir string
	// Port is that of the machines' SSH servers, 0 is 22.
	Port int
	// Getenv reads the environment: login.KeyVariable, login.KnownHostsVariable, tunnel.Variable.
	Getenv func(string) string
}

// config is a configuration of ssh, line by line.
type config []string

func (c *config) add(format string, values ...any) { *c = append(*c, fmt.Sprintf(format, values...)) }

// Text is what ssh needs to know of the machines: where they are, who logs in, with which key, to which host keys, and
// through which tunnel. Ansible names them by address, people by name. Everything that is wrong with the settings is in the
// error.
func (m Machines) Text() (string, error) {
	var c config
	binary, err := os.Executable()
	errs := []error{err}
	via, err := tunnel.WayOf(m.Getenv)
	errs = append(errs, err)
	c.add("# The machines of stack %s, by `calldata inventory %s --ssh-config`.", m.Stack, m.Stack)
	keys, err := m.keys()
	errs = append(errs, err)
	pinned := m.Getenv(login.KnownHostsVariable)
	known, err := knownhosts.New(slices.DeleteFunc([]string{pinned}, func(file string) bool { return file == "" })...)
	if err != nil {
		return "", errors.Join(append(errs, fmt.Errorf("%s: %w", login.KnownHostsVariable, err))...)
	}
	port := m.Port
	if port == 0 {
		port = sshPort
	}
	for _, h := range m.Hosts {
		c.add("Host %s %s", h.Name, h.Address)
		c.add("  HostName %s", h.Address)
		c.add("  User %s", h.User)
		if port != sshPort {
			c.add("  Port %d", port)
		}
		c = append(c, keys...)
		if !h.Managed() || via == "" {
			continue
		}
		target := tunnel.Target{Instance: h.InstanceID, Region: h.Region, Host: h.PrivateIP, Port: port}
		// A private address passes to another machine when one is replaced: what is learnt is filed under instance ids. A file
		// of the operator's may have either.
		if name, _ := target.KeyName(known); pinned == "" || name == h.InstanceID {
			c.add("  HostKeyAlias %s", h.InstanceID)
		}
		proxy, err := tunnel.ProxyCommand(binary, via, target)
		if err != nil {
			errs = append(errs, fmt.Errorf("machine %s: %w", h.Name, err))
		}
		c.add("  ProxyCommand %s", proxy)
	}
	return strings.Join(c, "\n") + "\n", errors.Join(errs...)
}

// keys are the lines about keys: those of every machine.
func (m Machines) keys() (config, error) {
	var c config
	var errs []error
	file := func(keyword, path string) {
		abs, err := filepath.Abs(path)
		if err == nil && strings.ContainsAny(abs, "\"\n\r\x00") {
			err = fmt.Errorf("%q cannot be named in a configuration of ssh: give it a plainer name", abs)
		}
		errs = append(errs, err)
		c.add(`  %s "%s"`, keyword, strings.ReplaceAll(abs, "%", "%%"))
	}
	if key := m.Getenv(login.KeyVariable); key != "" {
		file("IdentityFile", key)
		c.add("  IdentitiesOnly yes")
	}
	if known := m.Getenv(login.KnownHostsVariable); known != "" {
		file("UserKnownHostsFile", known)
	} else if root, err := repo.Find(m.Dir); err == nil {
		learnt := filepath.Join(root, ".calldata", m.Stack, "known_hosts")
		if _, err := os.Stat(learnt); err == nil {
			file("UserKnownHostsFile", learnt)
		}
	}
	return c, errors.Join(errs...)
}
