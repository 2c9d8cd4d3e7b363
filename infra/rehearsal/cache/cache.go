// Package cache keeps what is expensive to make and the same for every clone: Python environments, machine images,
// package repositories. An entry is a directory whose name is the hash of everything that went into it, so that it is
// either right or absent, and never needs to be brought up to date.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// marker is the file that makes a directory an entry. It is written last.
const marker = ".complete"

// lockPoll is how often a waiting process looks whether another one has finished.
const lockPoll = 200 * time.Millisecond

// Default is the directory of all entries, an absolute one: $CALLDATA_CACHE, or calldata-foundation in the user's cache directory.
func Default() (string, error) {
	if dir := os.Getenv("CALLDATA_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory: set CALLDATA_CACHE or HOME: %w", err)
	}
	return filepath.Join(dir, "calldata-foundation"), nil
}

// Key is a short hash (80 bits, hexadecimal) of everything that an entry's content depends on.
func Key(inputs ...string) string {
	h := sha256.New()
	for _, in := range inputs {
		// The length keeps ("ab", "c") apart from ("a", "bc").
		_, _ = fmt.Fprintf(h, "%d:%s", len(in), in)
	}
	return hex.EncodeToString(h.Sum(nil))[:20]
}

// Complete reports whether dir is a finished entry.
func Complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, marker))
	return err == nil
}

// Entry answers the directory of the entry key under root, and builds it first when it is missing. It is built in its
// final place, because what a build writes may contain its own path; a marker written last tells a finished entry
// from the remains of a build that was killed. Processes that want the same entry wait for the one that builds it.
//
// Build gets the directory, which exists and may hold what an earlier, unfinished build left. It must cope with that,
// or clear it. When it fails the remains stay for the next try.
func Entry(ctx context.Context, root, key string, p progress.Reporter, build func(ctx context.Context, dir string) error) (string, error) {
	dir := filepath.Join(root, key)
	if Complete(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nothing secret, and other users may share it
		return "", fmt.Errorf("make cache directory: %w: set CALLDATA_CACHE to a directory that can be written", err)
	}
	unlock, err := lock(ctx, dir+".lock", p)
	if err != nil {
		return "", err
	}
	defer unlock()
	if Complete(dir) {
		return dir, nil
	}
	if err := build(ctx, dir); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, marker), nil, 0o644); err != nil { //nolint:gosec // as above
		return "", fmt.Errorf("mark %s as complete: %w", dir, err)
	}
	return dir, nil
}

// lock takes the file lock at path. The kernel releases it when the process ends, however it ends; the file stays,
// because removing it would let two processes hold "the" lock on two files.
func lock(ctx context.Context, path string, p progress.Reporter) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644) //nolint:gosec // an empty file in the cache
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	told := false
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a descriptor fits an int
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !told {
			told = true
			p.Logf("another process builds %s: waiting for it", strings.TrimSuffix(filepath.Base(path), ".lock"))
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for %s: %w", path, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

// Clear empties dir, for builds that cannot go on from what an earlier one left.
func Clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
