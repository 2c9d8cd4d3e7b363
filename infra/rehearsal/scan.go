package rehearsal

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// processPeriod is how often the process list is searched: short enough to catch a child that lives for a second.
const processPeriod = 250 * time.Millisecond

// Scan is the result of searching for the secrets that a rehearsal used.
type Scan struct {
	// Secrets is how many were searched for; Places how many files, objects and process snapshots were searched.
	Secrets int `json:"secrets"`
	Places  int `json:"places"`
	// Findings names place and secret of each leak. The secret's value is never in it.
	Findings []string `json:"findings"`
}

// scanner collects findings from several goroutines.
type scanner struct {
	secrets *secrets
	mu      sync.Mutex
	places  int
	found   map[string]bool
}

func newScanner(s *secrets) *scanner { return &scanner{secrets: s, found: map[string]bool{}} }

// look searches data and remembers where it was.
func (s *scanner) look(place string, data []byte) {
	names := s.secrets.find(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places++
	for _, name := range names {
		s.found[fmt.Sprintf("%s in %s", name, place)] = true
	}
}

// tree searches every regular file under dir but those under skip. A directory that is not there holds nothing.
func (s *scanner) tree(dir string, skip ...string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err):
			return nil
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(skip, path):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path) //nolint:gosec // the paths are the rehearsal's own
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		s.look(path, data)
		return nil
	})
}

// processes searches argument lists and environments of every process until ctx ends.
func (s *scanner) processes(ctx context.Context) {
	for {
		s.snapshot()
		select {
		case <-ctx.Done():
			return
		case <-time.After(processPeriod):
		}
	}
}

func (s *scanner) snapshot() {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		for _, file := range []string{"cmdline", "environ"} {
			// A process may end between the listing and the reading.
			data, err := os.ReadFile(filepath.Join("/proc", e.Name(), file)) //nolint:gosec // /proc
			if err != nil || len(data) == 0 {
				continue
			}
			s.look(file+" of process "+comm(e.Name()), data)
		}
	}
}

func (s *scanner) result() Scan {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Scan{Secrets: len(s.secrets.values), Places: s.places, Findings: []string{}}
	for f := range s.found {
		r.Findings = append(r.Findings, f)
	}
	slices.Sort(r.Findings)
	return r
}

// comm is the name of a process; its argument list may hold what the report must not show.
func comm(pid string) string {
	name, err := os.ReadFile(filepath.Join("/proc", pid, "comm")) //nolint:gosec // /proc
	if err != nil {
		return "that has ended"
	}
	return string(bytes.TrimSpace(name))
}
