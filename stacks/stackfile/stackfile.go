package stackfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/stacks"
)

// projectFile is the file that makes a directory a Pulumi project.
const projectFile = "Pulumi.yaml"

// File is what the files say about one stack. It serves as the stack's stacks.Settings.
type File struct {
	// Stack is the stack's name.
	Stack string
	// Path is the stack's own file.
	Path string
	// SecretsProvider is the URL of the key that its secrets are encrypted with, for example
	// "awskms://alias/name?region=us-east-1"; empty where a passphrase does it, or nothing is encrypted yet.
	SecretsProvider string
	// Keyed tells whether the file holds what secrets of the stack are encrypted with: the data key that the provider's key encrypts, or the
	// passphrase's salt. Whoever makes the stack in a backend writes it.
	Keyed bool
	// Backend is the state's URL in Pulumi.yaml (backend.url), usually empty.
	Backend string

	values  stacks.MapSettings
	secrets []string
}

// Get answers the value of key, and whether it is set: in the stack's file, or by the project's default. An encrypted
// value is stacks.Secret; one inside a list or an object is that in its place.
func (f *File) Get(key string) (string, bool) { return f.values.Get(key) }

// Keys lists every key that is set, in alphabetical order.
func (f *File) Keys() []string { return f.values.Keys() }

// Secrets lists the keys whose values are encrypted, wholly or in part, in alphabetical order.
func (f *File) Secrets() []string { return slices.Clone(f.secrets) }

// Read reads the files of stack in the project directory dir. What is wrong with their form is reported all at once,
// each with its file; what the settings say is judged by stacks.ReadConfig.
func Read(dir, stack string) (*File, error) {
	if !filepath.IsLocal(stack) || strings.ContainsAny(stack, `/\`) {
		return nil, fmt.Errorf("%q is no name of a stack: want one like dev", stack)
	}
	path := Path(dir, stack)
	return read(dir, stack, func(into any) error { return readYAML(path, into) })
}

// Path is the file of a stack in the project directory dir.
func Path(dir, stack string) string { return filepath.Join(dir, "Pulumi."+stack+".yaml") }

// read is Read with the stack's own file from elsewhere.
func read(dir, stack string, own func(into any) error) (*File, error) {
	f := &File{Stack: stack, Path: Path(dir, stack), values: stacks.MapSettings{}}
	err := errors.Join(f.project(filepath.Join(dir, projectFile)), f.stack(dir, own))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Stacks lists the stacks that have a file in dir, in alphabetical order.
func Stacks(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "Pulumi.*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list the stacks of %s: %w", dir, err)
	}
	names := make([]string, 0, len(paths))
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "Pulumi."), ".yaml"))
	}
	return names, nil // Glob sorts
}

// project takes the defaults that Pulumi.yaml gives to every stack.
// Source: pulumi.com/docs/iac/concepts/config, "Project-level configuration".
func (f *File) project(path string) error {
	var project struct {
		Name    string
		Config  map[string]yaml.Node
		Backend struct{ URL string }
	}
	if err := readYAML(path, &project); err != nil {
		return err
	}
	f.Backend = project.Backend.URL
	if project.Name != stacks.Project {
		return fmt.Errorf("%s is of the project %q, want %s: name the directory of this project", path, project.Name, stacks.Project)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(project.Config)) {
		node := project.Config[name]
		value := resolve(&node)
		if value.Kind == yaml.MappingNode { // a declaration; a bare value stands for itself
			value = cmp.Or(field(value, "value"), field(value, "default"))
		}
		if value != nil {
			errs = append(errs, f.put(path, name, value))
		}
	}
	return errors.Join(errs...)
}

// stack takes the stack's own values, which override the project's.
func (f *File) stack(dir string, own func(into any) error) error {
	var stack struct {
		SecretsProvider, EncryptedKey, EncryptionSalt string
		Config                                        map[string]yaml.Node
	}
	if err := own(&stack); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		known, listErr := Stacks(dir)
		return errors.Join(fmt.Errorf("no stack is called %s: %s does not exist, this project has files for %s", f.Stack, f.Path,
			strings.Join(known, ", ")), listErr)
	}
	f.SecretsProvider, f.Keyed = stack.SecretsProvider, stack.EncryptedKey+stack.EncryptionSalt != ""
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(stack.Config)) {
		node := stack.Config[name]
		errs = append(errs, f.put(f.Path, name, resolve(&node)))
	}
	return errors.Join(errs...)
}

// put keeps one value in the form in which Pulumi hands it to programs: scalars as their text, all else as JSON.
func (f *File) put(path, name string, node *yaml.Node) error {
	key := fullKey(name)
	f.secrets = slices.DeleteFunc(f.secrets, func(known string) bool { return known == key })
	value, secret, err := plain(node)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", path, name, err)
	}
	if secret {
		f.secrets = append(f.secrets, key)
		slices.Sort(f.secrets)
	}
	if node.Kind == yaml.ScalarNode {
		f.values[key] = node.Value
		return nil
	}
	if text, ok := value.(string); ok { // the whole value is encrypted
		f.values[key] = text
		return nil
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("%s: %s: %w", path, name, err)
	}
	f.values[key] = strings.TrimSpace(text.String())
	return nil
}

// plain is the value of a node with stacks.Secret for everything encrypted, and whether there was such a thing.
func plain(node *yaml.Node) (value any, secret bool, err error) {
	switch node = resolve(node); node.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			v, s, err := plain(item)
			if err != nil {
				return nil, false, err
			}
			list[i], secret = v, secret || s
		}
		return list, secret, nil
	case yaml.MappingNode:
		if len(node.Content) == 2 && node.Content[0].Value == "secure" {
			return stacks.Secret, true, nil
		}
		object := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			v, s, err := plain(node.Content[i+1])
			if err != nil {
				return nil, false, err
			}
			object[node.Content[i].Value], secret = v, secret || s
		}
		return object, secret, nil
	}
	err = node.Decode(&value)
	return value, false, err
}

// resolve follows a YAML alias.
func resolve(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// field is the value of a mapping's key, or nil.
func field(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return resolve(mapping.Content[i+1])
		}
	}
	return nil
}

// readYAML reads one file; an empty one holds nothing.
func readYAML(path string, into any) error {
	data, err := os.ReadFile(path) //nolint:gosec // a file of the project
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
