package ansible

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// stats is the event that a run ends with.
const stats = `{"event":"stats","hosts":{"dev-uc-1":{"ok":3,"changed":1,"unreachable":0,"failed":0,"skipped":2,"rescued":0,"ignored":0}}}`

// fake answers a Playbook whose ansible-playbook is a shell script. The script's $here is a directory of the test.
func fake(t *testing.T, script string) (Playbook, string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), mode))
		return file
	}
	write("content/ansible.cfg", "[defaults]\n", 0o644)
	write("content/site.yml", "[]\n", 0o644)
	return Playbook{
		Binary:      write("bin/ansible-playbook", fmt.Sprintf("#!/bin/sh\nhere=%s\n%s\n", dir, script), 0o755),
		Dir:         filepath.Join(dir, "content"),
		Name:        "site.yml",
		Inventories: []string{write("hosts.yml", "all: {}\n", 0o600)},
		Environ:     []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir},
		Grace:       time.Second,
	}, dir
}

// say is a line of shell that sends an event.
func say(event string) string { return "printf '%s\\n' '" + event + "' >&3\n" }

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

// listener is a reporter that remembers what it was told.
type listener struct {
	mu    sync.Mutex
	lines []string
	// hook is called with every line.
	hook func(string)
}

func (l *listener) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := fmt.Sprintf(format, args...)
	l.lines = append(l.lines, line)
	if l.hook != nil {
		l.hook(line)
	}
}

func (l *listener) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func (l *listener) Step(name string) progress.Step {
	l.add("step %s", name)
	return &step{listener: l, name: name}
}

func (l *listener) Logf(format string, args ...any) { l.add(format, args...) }

type step struct {
	*listener
	name string
}

func (s *step) Progress(done, _ int64, what string) { s.add("%s: %d %s", s.name, done, what) }
func (s *step) Done(err error)                      { s.add("done %s: %v", s.name, err) }
func (s *step) Elapsed() time.Duration              { return 0 }
