package afresh

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
)

// record is what is remembered of a stack that is made afresh, so that the same command goes on.
type record struct {
	// Kind and From are what it is for and of which stack, Region where it is.
	Kind   Kind   `json:"kind"`
	From   string `json:"from"`
	Region string `json:"region"`
	// Zones, Snapshot and Backups are what was chosen, backups by the engine's name in the new stack.
	Zones    []string          `json:"zones,omitempty"`
	Snapshot Snapshot          `json:"snapshot"`
	Backups  map[string]string `json:"backups"`
	// Set are the settings that somebody has chosen.
	Set []string `json:"set,omitempty"`
	// Done are the steps that are not to be done again.
	Done []string `json:"done,omitempty"`

	path string
}

// readRecord reads what is remembered. It answers nil where nothing is.
func readRecord(path string) (*record, error) {
	data, err := os.ReadFile(path) //nolint:gosec // below the repository's .calldata
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{path: path}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, cli.UsageErrorf("%s is not what this command wrote: %w; take it away, or give the new stack another --name", path, err)
	}
	return r, nil
}

func (r *record) write() error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.path), 0o750); err != nil {
		return err
	}
	return beside.ReplaceFile(r.path, append(data, '\n'))
}

func (r *record) has(step string) bool { return slices.Contains(r.Done, step) }

func (r *record) did(step string) error {
	r.Done = append(r.Done, step)
	return r.write()
}

// fits refuses to go on with something else. Settings that are not named again are those of the first run.
func (r *record) fits(kind Kind, from, region string, set []string) error {
	if r.Kind == kind && r.From == from && r.Region == region {
		if len(set) > 0 && !slices.Equal(set, r.Set) {
			return cli.UsageErrorf("--set is %s, but an earlier run began with %s: leave the flag out, and change Pulumi.*.yaml of the new stack",
				strings.Join(set, ", "), cmp.Or(strings.Join(r.Set, ", "), "none"))
		}
		return nil
	}
	return cli.UsageErrorf("%s says that this stack is a %s of %s in %s, not a %s of %s in %s: give another --name", r.path, r.Kind, r.From, r.Region, kind, from, region)
}
