package inventory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
)

// The environment that says how to log in, as for the other commands. The variables hold names of files, never secrets.
const (
	keyVariable        = "CALLDATA_SSH_KEY"
	knownHostsVariable = "CALLDATA_KNOWN_HOSTS"
)

const sshPort = 22

// config is a configuration of ssh, line by line.
type config []string

func (c *config) add(format string, values ...any) { *c = append(*c, fmt.Sprintf(format, values...)) }

func (c config) write(out io.Writer) error {
	_, err := io.WriteString(out, strings.Join(c, "\n")+"\n")
	return err
}

// sshConfig is what ssh needs to know of the machines. Ansible names them by address, people by name.
func (o *Options) sshConfig(stack string, inv ansible.Inventory) (config, error) {
	var c config
	binary, err := os.Executable()
	errs := []error{err}
	via, err := tunnel.WayOf(o.IO.Getenv)
	errs = append(errs, err)
	c.add("# The machines of stack %s, by `calldata inventory %s --ssh-config`.", stack, stack)
	login, err := o.login(stack)
	errs = append(errs, err)
	pinned := o.IO.Getenv(knownHostsVariable)
	known, err := knownhosts.New(slices.DeleteFunc([]string{pinned}, func(file string) bool { return file == "" })...)
	if err != nil {
		return nil, errors.Join(append(errs, fmt.Errorf("%s: %w", knownHostsVariable, err))...)
	}
	for _, h := range inv.Hosts {
		c.add("Host %s %s", h.Name, h.Address)
		c.add("  HostName %s", h.Address)
		c.add("  User %s", h.User)
		c = append(c, login...)
		if !h.Managed() || via == "" {
			continue
		}
		target := tunnel.Target{Instance: h.InstanceID, Region: h.Region, Host: h.PrivateIP, Port: sshPort}
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
	return c, errors.Join(errs...)
}

// login are the lines about keys: those of every machine.
func (o *Options) login(stack string) (config, error) {
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
	if key := o.IO.Getenv(keyVariable); key != "" {
		file("IdentityFile", key)
		c.add("  IdentitiesOnly yes")
	}
	if known := o.IO.Getenv(knownHostsVariable); known != "" {
		file("UserKnownHostsFile", known)
	} else if root, err := repo.Find(o.Dir); err == nil {
		learnt := filepath.Join(root, ".calldata", stack, "known_hosts")
		if _, err := os.Stat(learnt); err == nil {
			file("UserKnownHostsFile", learnt)
		}
	}
	return c, errors.Join(errs...)
}
