package configure

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// defaultPlaybook is for everything that a stack's machines are.
	defaultPlaybook = "site"
	// fleetPlaybook is what machines of fleets run on themselves. Here, it would be for the machine that runs this program.
	fleetPlaybook  = "fleet"
	playbookEnding = ".yml"
)

// playbooks are the names of those in content that are for a stack's machines, in alphabetical order.
func playbooks(content string) []string {
	files, _ := filepath.Glob(filepath.Join(content, "playbooks", "*"+playbookEnding)) // the pattern is well formed
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), playbookEnding); name != fleetPlaybook {
			names = append(names, name)
		}
	}
	return names
}

// checkPlaybook fails unless name is one of playbooks.
func checkPlaybook(content, name string) error {
	known := playbooks(content)
	if slices.Contains(known, name) {
		return nil
	}
	return fmt.Errorf("--playbook is %q, want one of ansible/playbooks: %s", name, strings.Join(known, ", "))
}
