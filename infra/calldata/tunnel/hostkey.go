package tunnel

import (
	"errors"
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// KnownKeys are the host keys that hosts, made by package knownhosts, has for a name or an address and a port.
func KnownKeys(hosts ssh.HostKeyCallback, name string, port int) []knownhosts.KnownKey {
	var known *knownhosts.KeyError
	if errors.As(hosts(net.JoinHostPort(name, strconv.Itoa(port)), &net.TCPAddr{Port: port}, noKey{}), &known) {
		return known.Want
	}
	return nil
}

// sshPort is the port that known_hosts means where it names none. Names that stand for a host, such as instance ids, have
// none, whatever port the server listens on.
const sshPort = 22

// KeyName is the name and the port under which hosts has the key of t: the instance id, or else the private address. A
// private address passes to another machine when one is replaced; an id never does. Where neither is known it is the
// address.
func (t Target) KeyName(hosts ssh.HostKeyCallback) (name string, port int) {
	if len(KnownKeys(hosts, t.Instance, sshPort)) > 0 {
		return t.Instance, sshPort
	}
	return t.Host, t.Port
}

// noKey is a key that no host has: asking for it makes package knownhosts list the ones that the host has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("not a key") }
