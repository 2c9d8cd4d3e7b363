package machines

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Message of linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h: delete connections; without attributes, all of them.
const (
	conntrackSubsystem = 1
	conntrackDelete    = 2
)

// forgetFlows empties the connection table of the namespace that the calling thread is in. TCP connections survive: the
// kernel picks them up again in the middle, under the rules in force then.
func forgetFlows() error {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open netfilter socket: %w", err)
	}
	defer func() { _ = unix.Close(socket) }()
	const size = unix.SizeofNlMsghdr + 4 // the header and struct nfgenmsg: family, version, resource id
	message := make([]byte, size)
	binary.NativeEndian.PutUint32(message[0:], size)
	binary.NativeEndian.PutUint16(message[4:], conntrackSubsystem<<8|conntrackDelete)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	message[unix.SizeofNlMsghdr] = unix.AF_INET
	if err := unix.Sendto(socket, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask to forget connections: %w", err)
	}
	reply := make([]byte, 256)
	n, _, err := unix.Recvfrom(socket, reply, 0)
	if err != nil {
		return fmt.Errorf("forget connections: %w", err)
	}
	if n < unix.SizeofNlMsghdr+4 {
		return fmt.Errorf("forget connections: the kernel answered %d bytes", n)
	}
	if code := int32(binary.NativeEndian.Uint32(reply[unix.SizeofNlMsghdr:])); code < 0 { //nolint:gosec // a signed error number
		return fmt.Errorf("forget connections: %w", unix.Errno(-code))
	}
	return nil
}
