// Package change is how a plan tells what happens to objects that a document declares.
package change

import "fmt"

// Op is what happens to an object.
type Op string

// The operations, with the signs that `pulumi preview` has for them.
const (
	Create Op = "+"
	Delete Op = "-"
	Update Op = "~"
)

// Change is one object that is made, changed or removed.
type Change struct {
	Op   Op     `json:"op"`
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Fields are those that differ, of an Update. A password shows no value.
	Fields []Field `json:"fields,omitempty"`
}

func (c Change) String() string { return fmt.Sprintf("%s %s %s", c.Op, c.Kind, c.Name) }

// Field is a field with its value before and after; empty is none.
type Field struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func (f Field) String() string {
	return fmt.Sprintf("%s: %s => %s", f.Name, orNone(f.Before), orNone(f.After))
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
