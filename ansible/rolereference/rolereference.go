package rolereference

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// heading begins the generated part, which goes on to the end of the file.
const heading = "## Variables\n"

// Role is one role of Ansible, as its files describe it.
type Role struct {
	// Name is the role's directory.
	Name string

	dir      string
	specs    specs
	defaults yaml.Node
}

// specs has the form of meta/argument_specs.yml. Nodes keep the order of the file.
// Source: Ansible Community Documentation, "Roles", Role argument validation.
type specs struct {
	EntryPoints yaml.Node `yaml:"argument_specs"`
}

type entryPoint struct {
	Summary     string    `yaml:"short_description"`
	Description texts     `yaml:"description"`
	Options     yaml.Node `yaml:"options"`
}

type option struct {
	Description texts     `yaml:"description"`
	Type        string    `yaml:"type"`
	Elements    string    `yaml:"elements"`
	Required    bool      `yaml:"required"`
	Secret      bool      `yaml:"no_log"`
	Choices     []string  `yaml:"choices"`
	Default     yaml.Node `yaml:"default"`
	Options     yaml.Node `yaml:"options"`
}

// texts is one paragraph or a list of them.
type texts []string

// UnmarshalYAML reads either form.
func (t *texts) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*t = texts{n.Value}
		return nil
	}
	return n.Decode((*[]string)(t))
}

// Roles reads the roles below dir in alphabetical order. A role without an argument specification is an error.
func Roles(dir string) ([]Role, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []Role
	var errs []error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		r := Role{Name: e.Name(), dir: filepath.Join(dir, e.Name())}
		if err := r.read(); err != nil {
			errs = append(errs, fmt.Errorf("role %s: %w", r.Name, err))
		}
		all = append(all, r)
	}
	return all, errors.Join(errs...)
}

func (r *Role) read() error {
	data, err := os.ReadFile(filepath.Join(r.dir, "meta", "argument_specs.yml"))
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(data, &r.specs); err != nil {
		return fmt.Errorf("meta/argument_specs.yml: %w", err)
	}
	data, err = os.ReadFile(filepath.Join(r.dir, "defaults", "main.yml"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	return yaml.Unmarshal(data, &r.defaults)
}

// Prose is what stands in the README above the variables.
func (r Role) Prose() (string, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, "README.md"))
	if err != nil {
		return "", err
	}
	prose, _, _ := strings.Cut(string(data), heading)
	return strings.TrimSpace(prose) + "\n", nil
}

// Readme is what the README has to be.
func (r Role) Readme() (string, error) {
	prose, err := r.Prose()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(prose + "\n" + heading + "\n<!-- Generated from meta/argument_specs.yml and defaults/main.yml by `make golden`; do not edit below. -->\n")
	points := pairs(r.specs.EntryPoints)
	for _, p := range points {
		var point entryPoint
		if err := p.value.Decode(&point); err != nil {
			return "", fmt.Errorf("role %s, entry point %s: %w", r.Name, p.name, err)
		}
		if len(points) > 1 || p.name != "main" {
			fmt.Fprintf(&b, "\n### Entry point `%s`\n\n%s.\n", p.name, strings.TrimSuffix(point.Summary, "."))
		}
		options := pairs(point.Options)
		if len(options) == 0 {
			continue
		}
		b.WriteString("\n| variable | type | default | meaning |\n|---|---|---|---|\n")
		if err := r.rows(&b, "", options); err != nil {
			return "", fmt.Errorf("role %s, entry point %s: %w", r.Name, p.name, err)
		}
	}
	return b.String(), nil
}

// rows writes a line for each option, and those of the dictionaries within it.
func (r Role) rows(b *strings.Builder, prefix string, options []pair) error {
	for _, p := range options {
		var o option
		if err := p.value.Decode(&o); err != nil {
			return fmt.Errorf("option %s: %w", p.name, err)
		}
		meaning := strings.Join(o.Description, " ")
		if len(o.Choices) > 0 {
			meaning += " One of `" + strings.Join(o.Choices, "`, `") + "`."
		}
		if o.Secret {
			meaning += " Secret."
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, p.name, o.kind(), r.defaultOf(prefix+p.name, o), cell(meaning))
		within := prefix + p.name + "."
		if o.Type == "list" {
			within = prefix + p.name + "[]."
		}
		if err := r.rows(b, within, pairs(o.Options)); err != nil {
			return err
		}
	}
	return nil
}

func (o option) kind() string {
	switch {
	case o.Type == "":
		return "str"
	case o.Elements != "":
		return o.Type + " of " + o.Elements
	}
	return o.Type
}

// defaultOf is the default in a cell: long ones are left to the file.
func (r Role) defaultOf(name string, o option) string {
	if o.Required {
		return "required"
	}
	node := o.Default
	for _, d := range pairs(r.defaults) {
		if d.name == name {
			node = *d.value
		}
	}
	if node.Kind == 0 {
		return ""
	}
	node.Style, node.HeadComment, node.LineComment, node.FootComment = yaml.FlowStyle, "", "", ""
	text, err := yaml.Marshal(&node)
	if err != nil || len(text) > 80 || strings.Count(string(text), "\n") > 1 {
		return "see `defaults/main.yml`"
	}
	return "`" + cell(string(text)) + "`"
}

func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// Unspecified answers the defaults that no entry point describes.
func (r Role) Unspecified() []string {
	known := map[string]bool{}
	for _, p := range pairs(r.specs.EntryPoints) {
		var point entryPoint
		if p.value.Decode(&point) == nil {
			for _, o := range pairs(point.Options) {
				known[o.name] = true
			}
		}
	}
	var missing []string
	for _, d := range pairs(r.defaults) {
		if !known[d.name] {
			missing = append(missing, d.name)
		}
	}
	slices.Sort(missing)
	return missing
}

// Has tells whether the role has a file.
func (r Role) Has(path string) bool {
	_, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(path)))
	return err == nil
}

type pair struct {
	name  string
	value *yaml.Node
}

// pairs are a mapping's entries in the order of the file.
func pairs(n yaml.Node) []pair {
	m := &n
	if m.Kind == yaml.DocumentNode && len(m.Content) == 1 {
		m = m.Content[0]
	}
	if m.Kind != yaml.MappingNode {
		return nil
	}
	var all []pair
	for i := 0; i+1 < len(m.Content); i += 2 {
		all = append(all, pair{m.Content[i].Value, m.Content[i+1]})
	}
	return all
}
