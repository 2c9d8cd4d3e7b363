package stackfile

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Derivation says how another stack's file is made of one.
type Derivation struct {
	// Stack is the other stack's name, Head the comment at the beginning of its file.
	Stack, Head string
	// Settings are the values that differ, by full name or by one of this project; nil takes a setting away, so that its default holds.
	Settings map[string]any
	// SecretsProvider is the URL of another key for the secrets of the stack. Those of the first cannot be carried over to it, and are
	// taken away. Empty keeps the key, or the passphrase's salt, and what is encrypted with it.
	SecretsProvider string
}

// Derive makes the file of another stack of what this stack's own file says, and answers it with its text. Nothing is written.
// Secrets stay encrypted as they are.
func (f *File) Derive(d Derivation) (*File, []byte, error) {
	var document yaml.Node
	if err := readYAML(f.Path, &document); err != nil {
		return nil, nil, err
	}
	if len(document.Content) == 0 {
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	simplify(&document)
	root := document.Content[0]
	config := field(root, "config")
	if config == nil || config.Kind != yaml.MappingNode {
		config = &yaml.Node{Kind: yaml.MappingNode}
		set(root, "config", config)
	}
	if d.SecretsProvider != "" {
		unset(root, "encryptedkey")
		unset(root, "encryptionsalt")
		set(root, "secretsprovider", &yaml.Node{Kind: yaml.ScalarNode, Value: d.SecretsProvider})
		for _, key := range f.secrets {
			unsetSetting(config, key)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Settings)) {
		key, value := fullKey(name), d.Settings[name]
		unsetSetting(config, key)
		if value == nil {
			continue
		}
		node := &yaml.Node{}
		if err := node.Encode(value); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", key, err)
		}
		set(config, key, node)
	}
	document.HeadComment = d.Head
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, nil, fmt.Errorf("write the settings of stack %s: %w", d.Stack, err)
	}
	dir := filepath.Dir(f.Path)
	made, err := read(dir, d.Stack, func(into any) error { return yaml.Unmarshal(text.Bytes(), into) })
	return made, text.Bytes(), err
}

// unsetSetting takes a setting away, which may stand under its short name.
func unsetSetting(config *yaml.Node, key string) {
	for i := 0; i+1 < len(config.Content); {
		if fullKey(config.Content[i].Value) == key {
			config.Content = slices.Delete(config.Content, i, i+2)
			continue
		}
		i += 2
	}
}

func unset(mapping *yaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
}

func set(mapping *yaml.Node, key string, value *yaml.Node) {
	unset(mapping, key)
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
}

// simplify takes away the comments, which are about the first stack, and the aliases, whose anchors may go.
func simplify(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment, node.Anchor = "", "", "", ""
	for i, child := range node.Content {
		plain := *resolve(child)
		plain.Content = slices.Clone(plain.Content)
		node.Content[i] = &plain
		simplify(&plain)
	}
}
