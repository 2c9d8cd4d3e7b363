// Package doubles holds what plays Wazo in a rehearsal: a directory laid out like a checkout of wazo-ansible, whose roles
// have upstream's names and install stand-ins that speak the same protocols on the same ports. Wazo's own packages come
// from servers that a rehearsal does not reach.
package doubles

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// all: Ansible's linter settings begin with a dot.
//
//go:embed all:wazo-ansible doubles.json
var content embed.FS

// Root is the name of the directory that Extract makes.
const Root = "wazo-ansible"

// Double is one stand-in, for the rehearsal's report: nobody shall take a rehearsed engine for a real one.
type Double struct {
	// Name is the role's, which is also upstream's.
	Name string `json:"name"`
	// StandsFor says what it plays.
	StandsFor string `json:"standsFor"`
	// Differs says what is not like the original.
	Differs string `json:"differs"`
}

// List answers every double in the order of the playbook.
func List() []Double {
	data, err := content.ReadFile("doubles.json")
	if err == nil {
		var list []Double
		if err = json.Unmarshal(data, &list); err == nil {
			return list
		}
	}
	panic(fmt.Sprintf("doubles.json is compiled into this program and a test reads it: %v", err))
}

// Extract writes the doubles into dir, which is made when it is not there, and answers the path to give to `calldata
// configure` as CALLDATA_WAZO_ANSIBLE. Files of an earlier Extract are replaced.
func Extract(dir string) (string, error) {
	root := filepath.Join(dir, Root)
	if err := os.RemoveAll(root); err != nil {
		return "", fmt.Errorf("remove earlier doubles: %w", err)
	}
	err := fs.WalkDir(content, Root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(path))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o750)
		}
		data, err := content.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
	if err != nil {
		return "", fmt.Errorf("write the Wazo doubles to %s: %w", dir, err)
	}
	return root, nil
}
