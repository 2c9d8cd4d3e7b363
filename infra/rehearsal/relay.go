package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"

	"github.com/calldata/calldata-foundation/infra/rehearsal/machines/netns"
)

// eventPrefix is how the Automation API names the server on this process's loopback that receives the engine's events.
const eventPrefix = "tcp://localhost:"

// insider is a Pulumi command that runs inside the rehearsal's network, where this process's loopback is out of reach:
// a relay on the same port of the namespace's loopback carries the events out.
type insider struct {
	auto.PulumiCommand
	netns string
}

// Run runs the command with its relay.
func (p insider) Run(ctx context.Context, workdir string, stdin io.Reader, out, errOut []io.Writer, env []string, args ...string) (string, string, int, error) {
	if at := slices.Index(args, "--event-log"); at >= 0 && at+1 < len(args) {
		if port, ok := strings.CutPrefix(args[at+1], eventPrefix); ok {
			stop, err := relay(p.netns, net.JoinHostPort("127.0.0.1", port))
			if err != nil {
				return "", "", -1, fmt.Errorf("relay the engine's events: %w", err)
			}
			defer stop()
		}
	}
	return p.PulumiCommand.Run(ctx, workdir, stdin, out, errOut, env, args...)
}

// relay listens on address inside the namespace and connects what comes to the same address outside.
func relay(namespace, address string) (stop func(), err error) {
	var listener net.Listener
	if err := netns.Do(namespace, func() (err error) {
		listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
		return err
	}); err != nil {
		return nil, err
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			inner, err := listener.Accept()
			if err != nil {
				return
			}
			outer, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
			if err != nil {
				_ = inner.Close()
				continue
			}
			work.Go(func() { pass(inner, outer) })
			work.Go(func() { pass(outer, inner) })
		}
	})
	return func() {
		_ = listener.Close()
		work.Wait()
	}, nil
}

// pass copies until from ends, and tells to that nothing more comes.
func pass(from, to net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(*net.TCPConn)
	if err != nil && !errors.Is(err, io.EOF) || !ok {
		_ = to.Close()
		return
	}
	_ = half.CloseWrite()
}
