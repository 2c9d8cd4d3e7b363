package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

func TestDefault(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	for _, test := range []struct{ cache, xdg, want string }{
		{"", "", "/h/.cache/calldata-foundation"},
		{"", "/x", "/x/calldata-foundation"},
		{"/c", "/x", "/c"},
		{"c", "/x", filepath.Join(here, "c")},
	} {
		t.Setenv("HOME", "/h")
		t.Setenv("XDG_CACHE_HOME", test.xdg)
		t.Setenv("CALLDATA_CACHE", test.cache)
		got, err := Default()
		require.NoError(t, err)
		assert.Equal(t, test.want, got)
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("CALLDATA_CACHE", "")
	_, err = Default()
	require.ErrorContains(t, err, "set CALLDATA_CACHE or HOME")
}

func TestKeyDependsOnEveryInputAndItsPlace(t *testing.T) {
	t.Parallel()
	assert.Equal(t, Key("a", "b"), Key("a", "b"))
	assert.NotEqual(t, Key("a", "b"), Key("b", "a"))
	assert.NotEqual(t, Key("ab", "c"), Key("a", "bc"))
	assert.Len(t, Key(), 20)
}

func TestEntryIsBuiltOnceForConcurrentCallers(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var builds atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := Entry(t.Context(), root, "k", progress.Discard, func(_ context.Context, dir string) error {
				builds.Add(1)
				time.Sleep(50 * time.Millisecond)
				return os.WriteFile(filepath.Join(dir, "content"), []byte("x"), 0o600)
			})
			assert.NoError(t, err)
			assert.FileExists(t, filepath.Join(dir, "content"))
		})
	}
	wg.Wait()
	assert.Equal(t, int32(1), builds.Load())
}

func TestEntryThatFailedIsBuiltAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	boom := errors.New("boom")
	_, err := Entry(t.Context(), root, "k", progress.Discard, func(_ context.Context, dir string) error {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "half"), nil, 0o600))
		return boom
	})
	require.ErrorIs(t, err, boom)
	assert.False(t, Complete(filepath.Join(root, "k")))

	dir, err := Entry(t.Context(), root, "k", progress.Discard, func(_ context.Context, dir string) error {
		assert.FileExists(t, filepath.Join(dir, "half"), "a build may go on from what an earlier one left")
		return Clear(dir)
	})
	require.NoError(t, err)
	assert.True(t, Complete(dir))
	assert.NoFileExists(t, filepath.Join(dir, "half"))
}

func TestEntryStopsWaitingWhenCancelled(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	unlock, err := lock(t.Context(), filepath.Join(root, "k.lock"), progress.Discard)
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = Entry(ctx, root, "k", progress.Discard, func(context.Context, string) error {
		t.Error("built although another process holds the lock")
		return nil
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
