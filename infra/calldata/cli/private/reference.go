package private

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Reference is the name of an entry of the secrets file, which documents write as `!secret name`. The value is never in a document.
type Reference string

const referenceTag = "!secret"

// UnmarshalYAML takes nothing but a tagged name.
func (r *Reference) UnmarshalYAML(node *yaml.Node) error {
	if node.Tag != referenceTag || node.Value == "" {
		return fmt.Errorf("line %d: a password is written as `!secret name`, with the name of an entry of the secrets file, never in the clear", node.Line)
	}
	*r = Reference(node.Value)
	return nil
}

// MarshalYAML writes the tag back.
func (r Reference) MarshalYAML() (any, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: referenceTag, Value: string(r)}, nil
}
