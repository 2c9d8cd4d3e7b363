package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// stopTimeout bounds how long Stop waits for a running rehearsal to tidy up after itself.
const stopTimeout = 90 * time.Second

// lockFile keeps two rehearsals of one stack apart and names the process that conducts. The kernel drops the lock when
// the process dies, however it dies.
type lockFile struct{ f *os.File }

func lockPath(stack string) string { return filepath.Join(os.TempDir(), id(stack)+".lock") }

// acquire takes the lock or says who has it.
func acquire(stack string) (*lockFile, error) {
	for {
		f, err := os.OpenFile(lockPath(stack), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			return nil, cli.UsageErrorf("a rehearsal of %s is running already: wait for it, or end it with `calldata rehearse %s --stop`", stack, stack)
		}
		// The last holder may have removed the file between our opening and our locking it.
		if onDisk, err := os.Stat(lockPath(stack)); err == nil {
			if mine, err := f.Stat(); err == nil && os.SameFile(mine, onDisk) {
				_, err = f.WriteString(strconv.Itoa(os.Getpid()))
				return &lockFile{f}, err
			}
		}
		_ = f.Close()
	}
}

func (l *lockFile) release() {
	_ = os.Remove(l.f.Name())
	_ = l.f.Close()
}

// Stop ends a stack's rehearsal, running or crashed, and removes all that it made. It answers what is left.
func Stop(ctx context.Context, stack string) ([]string, error) {
	deadline, asked := time.Now().Add(stopTimeout), 0
	for {
		lock, err := acquire(stack)
		if err == nil {
			defer lock.release()
			return Remove(ctx, stack)
		}
		if data, readErr := os.ReadFile(lockPath(stack)); readErr == nil {
			// Once: a second signal would end the conductor in the middle of its tidying.
			if pid, convErr := strconv.Atoi(strings.TrimSpace(string(data))); convErr == nil && pid != asked {
				asked = pid
				_ = syscall.Kill(pid, syscall.SIGTERM)
			}
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("the running rehearsal did not end within %s", stopTimeout), err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
