// Package yamldoc reads the documents that people write.
package yamldoc

import (
	"bytes"
	"errors"

	"go.yaml.in/yaml/v3"
)

// Decode reads a document of YAML into a value. A field that the value has not is a mistake; every mistake of a type or a field is an
// error of its own, joined. An empty document is io.EOF.
func Decode(data []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	err := decoder.Decode(into)
	var list *yaml.TypeError
	if !errors.As(err, &list) {
		return err
	}
	var errs []error
	for _, text := range list.Errors {
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}
