// Package beside is for stacks that are made from another one's settings and stand beside it, for a while: those of drills and failovers
// (`calldata dr`), and those of pull requests (`calldata pr`). What they have in the repository is not committed.
package beside

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// Inventories is the directory of the inventories' directories, relative to the repository.
const Inventories = "ansible/inventories"

// unfinished is behind the name of a directory that is being copied.
const unfinished = ".new"

// Stack is a stack that is made from another one.
type Stack struct {
	// Root is the repository, From the other stack, Name this one.
	Root, From, Name string
}

// Apart are the settings in which two stacks of one account have to differ, by name, as stackfile.Derivation takes them: label begins the
// domain of the new one.
func Apart(c stacks.Config, label string) map[string]any {
	apart := map[string]any{
		"topology": string(c.Topology), // whose default is the stack's name
		// A certificate's ARN is of a name; addresses are in use.
		"certificateArn": nil, "natAllocationIds": nil,
		// AWS connects a channel once in an account; calls from outside are placed to the old stack; no release is under way in a new one.
		"slackChannel": nil, "syntheticCalls": nil, "blueFleets": nil, "greenFleets": nil, "releaseBegan": nil,
	}
	if c.Web.Domain != "" {
		apart["domain"], apart["hostedZone"] = label+"."+c.Web.Domain, c.Web.HostedZone
	}
	return apart
}

// Settings is the stack's file.
func (s Stack) Settings() string { return stackfile.Path(s.Root, s.Name) }

func (s Stack) inventory() string { return filepath.Join(s.Root, Inventories, s.Name) }

// program lists the stack's machines for Ansible.
func (s Stack) program() string { return s.inventory() + ".sh" }

// Taken lists what the repository has already under the stack's name, relative to it.
func (s Stack) Taken() ([]string, error) {
	var there []string
	for _, path := range []string{s.Settings(), s.inventory(), s.program()} {
		switch _, err := os.Lstat(path); {
		case err == nil:
			name, err := filepath.Rel(s.Root, path)
			if err != nil {
				return nil, err
			}
			there = append(there, name)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return there, nil
}

// Write writes what the stack has in the repository, and answers what of it was not there: its settings, which are text, and a copy of
// the other stack's inventory.
func (s Stack) Write(text []byte) ([]string, error) {
	var made []string
	if _, err := os.Stat(s.Settings()); errors.Is(err, fs.ErrNotExist) {
		if err := ReplaceFile(s.Settings(), text); err != nil {
			return nil, err
		}
		made = append(made, filepath.Base(s.Settings()))
	}
	dir, err := s.copyInventory()
	if err != nil {
		return nil, fmt.Errorf("copy the inventory of stack %s: %w", s.From, err)
	}
	if dir != "" {
		made = append(made, dir)
	}
	return made, nil
}

// copyInventory copies the directory of the other stack's inventory: group variables, vaults, documents. It answers its name where it made it.
func (s Stack) copyInventory() (made string, err error) {
	to := s.inventory()
	if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
		next := to + unfinished
		if err := os.RemoveAll(next); err != nil { // of a run that was cut off
			return "", err
		}
		if err := os.CopyFS(next, os.DirFS(filepath.Join(s.Root, Inventories, s.From))); err != nil {
			return "", err
		}
		if err := os.Rename(next, to); err != nil {
			return "", err
		}
		made = filepath.Join(Inventories, s.Name)
	}
	if err := os.Symlink("shared/inventory.sh", s.program()); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return made, nil
}

// RemoveInventory takes the inventory's directory away.
func (s Stack) RemoveInventory() error {
	return errors.Join(os.RemoveAll(s.inventory()), os.RemoveAll(s.inventory()+unfinished))
}

// Remove takes away all that the stack has in the repository. What is remembered of one that was made afresh goes last, when nothing else
// is left: by it the command that made the stack knows what is its own.
func (s Stack) Remove() error {
	if err := errors.Join(s.RemoveInventory(), remove(s.Settings()), remove(s.program())); err != nil {
		return err
	}
	return remove(repo.Afresh(s.Root, s.Name))
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ReplaceFile writes a file of mode 0600 that is there whole or as it was.
func ReplaceFile(path string, data []byte) error {
	next := path + ".new"
	if err := os.WriteFile(next, data, 0o600); err != nil { //nolint:gosec // in the repository
		return err
	}
	return os.Rename(next, path)
}
