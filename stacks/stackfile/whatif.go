package stackfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/stacks"
)

// examples are values for the settings that have no default, because none suits everybody. The addresses are those that
// RFC 5737 keeps for examples, the domain is RFC 2606's, and nobody holds the private half of the key.
var examples = map[string]string{
	"adminCidrs":       `["203.0.113.0/24"]`,
	"alertEmails":      `["ops@example.com"]`,
	"carrierCidrs":     `["198.51.100.0/24"]`,
	"domain":           "voice.example.com",
	"githubRepository": "example/calldata-foundation",
	"sshPublicKey":     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV",
}

// Override gives a setting another value than the files say, in the form "name=value"; a list is JSON. A name without a
// namespace is this project's. The files stay as they are.
func (f *File) Override(assignment string) error {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is no setting: want NAME=VALUE, for example instanceType=t3.large", assignment)
	}
	f.values[fullKey(name)] = value
	return nil
}

// FillExamples gives example values to the settings without a default that the stack leaves out, so that a stack can be
// priced and drawn before it is decided about. It answers their names in alphabetical order.
func (f *File) FillExamples() []string {
	var filled []string
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		if has, _ := f.Get(fullKey(name)); has == "" || has == "[]" {
			f.values[fullKey(name)] = examples[name]
			filled = append(filled, name)
		}
	}
	return filled
}

func fullKey(name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	return stacks.Project + ":" + name
}
