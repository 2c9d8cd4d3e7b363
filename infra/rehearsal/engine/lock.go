package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// lockPoll is how often a taken lock is tried again.
const lockPoll = 200 * time.Millisecond

// lock takes the file's lock, waiting for its holder, and answers how to give it back. The kernel gives it back when
// the process dies, however it dies.
func lock(ctx context.Context, file string, report progress.Reporter) (func(), error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // a file of the cache
	if err != nil {
		return nil, fmt.Errorf("open the cache's lock: %w", err)
	}
	said := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor fits
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		if !said {
			report.Logf("another run is building into %s: waiting for it", file)
			said = true
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
}
