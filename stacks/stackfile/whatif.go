package stackfile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/stacks"
)

// example is a value for a setting that has no default, because none suits everybody.
type example struct {
	name, value string
	// kinds are the stacks that ask for it.
	kinds []stacks.Kind
}

// examples are in alphabetical order. The addresses are those that RFC 5737 keeps for examples, the domain is RFC 2606's, and
// nobody holds the private half of the key.
var examples = []example{
	{"adminCidrs", `["203.0.113.0/24"]`, []stacks.Kind{stacks.KindDev}},
	{"alertEmails", `["ops@example.com"]`, []stacks.Kind{stacks.KindAccount}},
	{"carrierCidrs", `["198.51.100.0/24"]`, []stacks.Kind{stacks.KindStage, stacks.KindProd}},
	{"domain", "voice.example.com", []stacks.Kind{stacks.KindStage, stacks.KindProd}},
	{"githubRepository", "example/calldata-foundation", []stacks.Kind{stacks.KindAccount}},
	{"sshPublicKey", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV",
		[]stacks.Kind{stacks.KindDev, stacks.KindStage, stacks.KindProd}},
}

// Override gives a setting another value than the files say, in the form "name=value"; a list is JSON. A name without a
// namespace is this project's. The files stay as they are.
func (f *File) Override(assignment string) error {
	name, value, err := split(assignment)
	if err == nil {
		f.values[fullKey(name)] = value
	}
	return err
}

func split(assignment string) (name, value string, err error) {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok || name == "" {
		return "", "", fmt.Errorf("%q is no setting: want NAME=VALUE, for example instanceType=t3.large", assignment)
	}
	return name, value, nil
}

// Assignment reads "name=value" for Derivation.Settings. Name has no namespace where it is this project's. Value is a text, or what a list or
// an object in JSON says; nil where nothing is behind the equals sign.
func Assignment(text string) (name string, value any, err error) {
	name, said, err := split(text)
	if err != nil {
		return "", nil, err
	}
	name = strings.TrimPrefix(name, stacks.Project+":")
	switch {
	case said == "":
		return name, nil, nil
	case strings.HasPrefix(said, "[") || strings.HasPrefix(said, "{"):
		if err := json.Unmarshal([]byte(said), &value); err != nil {
			return "", nil, fmt.Errorf("%s is %q, which is no JSON: %w", name, said, err)
		}
		return name, value, nil
	}
	return name, said, nil
}

// FillExamples gives example values to the settings without a default that a stack of this kind needs and leaves out, so
// that it can be priced and drawn before it is decided about. It answers their names in alphabetical order.
func (f *File) FillExamples() []string {
	topology, _ := f.Get(fullKey("topology"))
	kind := stacks.Kind(cmp.Or(topology, f.Stack))
	var filled []string
	for _, e := range examples {
		if has, _ := f.Get(fullKey(e.name)); (has == "" || has == "[]") && slices.Contains(e.kinds, kind) {
			f.values[fullKey(e.name)] = e.value
			filled = append(filled, e.name)
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
