// Package netns opens sockets inside a named network namespace while the rest of the process stays outside.
package netns

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// dir is where `ip netns` keeps names.
const dir = "/run/netns"

// Path is the file that stands for the namespace called name. A path stands for itself: /proc/123/ns/net is the one that a
// process is in.
func Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// Do runs f on a thread that is inside the namespace. Sockets made by f stay in the namespace for life; goroutines that
// f starts are outside it.
func Do(name string, f func() error) error {
	result := make(chan error, 1)
	go func() {
		// A thread that cannot come back must not run anything else: without an unlock the runtime ends it with this
		// goroutine.
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		defer func() { _ = home.Close() }()
		target, err := os.Open(Path(name))
		if err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("network namespace %s: %w", name, err)
			return
		}
		defer func() { _ = target.Close() }()
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil { //nolint:gosec // a descriptor fits an int
			runtime.UnlockOSThread()
			result <- fmt.Errorf("enter network namespace %s: %w", name, err)
			return
		}
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil { //nolint:gosec // as above
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// Listen listens inside the namespace; the connections that it accepts are inside, too.
func Listen(name, network, address string) (listener net.Listener, err error) {
	err = Do(name, func() (err error) {
		listener, err = net.Listen(network, address) //nolint:noctx // an address needs no look-up
		return err
	})
	return listener, err
}

// ListenPacket listens for packets inside the namespace.
func ListenPacket(name, network, address string) (conn net.PacketConn, err error) {
	err = Do(name, func() (err error) {
		conn, err = net.ListenPacket(network, address) //nolint:noctx // an address needs no look-up
		return err
	})
	return conn, err
}

// DialContext connects from inside the namespace. Address is an IP address and a port: there is nobody to ask for names.
func DialContext(ctx context.Context, name, network, address string) (conn net.Conn, err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		return nil, fmt.Errorf("dial %s in network namespace %s: want an IP address", address, name)
	}
	err = Do(name, func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
