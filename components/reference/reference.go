package reference

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Component is a package below components that registers a resource of its own.
type Component struct {
	// Name is the package's name, for example "vpc".
	Name string
	// Token is the resource's type, for example "calldata:vpc:Vpc".
	Token string

	doc    *doc.Package
	fset   *token.FileSet
	tokens map[string]string // type tokens by the name of the Go type
}

// tokenForm finds a type token in the source.
var tokenForm = regexp.MustCompile(`"(calldata:[a-z]+:([A-Za-z]+))"`)

// Components answers the components below dir in alphabetical order.
func Components(dir string) ([]Component, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []Component
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		c, err := read(filepath.Join(dir, e.Name()), e.Name())
		if err != nil {
			return nil, fmt.Errorf("component %s: %w", e.Name(), err)
		}
		if len(c.tokens) > 0 {
			all = append(all, c)
		}
	}
	return all, nil
}

func read(dir, name string) (Component, error) {
	c := Component{Name: name, fset: token.NewFileSet(), tokens: map[string]string{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return c, err
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path) //nolint:gosec // the repository's own source
		if err != nil {
			return c, err
		}
		file, err := parser.ParseFile(c.fset, path, source, parser.ParseComments)
		if err != nil {
			return c, err
		}
		files = append(files, file)
		for _, m := range tokenForm.FindAllStringSubmatch(string(source), -1) {
			c.tokens[m[2]] = m[1]
		}
	}
	if len(files) == 0 {
		return c, nil
	}
	c.doc, err = doc.NewFromFiles(c.fset, files, "github.com/calldata/calldata-foundation/components/"+name)
	return c, err
}

// Page is the component's page, in Markdown.
func (c Component) Page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Generated from components/%s by `make golden`; do not edit. -->\n# %s\n\n%s\n", c.Name, c.Name, paragraphs(c.doc.Doc))
	types := slices.Clone(c.doc.Types)
	// Args first, then what it is made of, then what comes out.
	slices.SortStableFunc(types, func(a, b *doc.Type) int { return c.rank(a) - c.rank(b) })
	for _, t := range types {
		c.section(&b, t)
	}
	return b.String()
}

func (c Component) rank(t *doc.Type) int {
	switch {
	case t.Name == "Args":
		return 0
	case c.tokens[t.Name] != "":
		return 2
	}
	return 1
}

func (c Component) section(b *strings.Builder, t *doc.Type) {
	fields := c.fields(t)
	fmt.Fprintf(b, "\n## %s\n\n", t.Name)
	if token := c.tokens[t.Name]; token != "" {
		fmt.Fprintf(b, "Resource type `%s`.\n\n", token)
	}
	b.WriteString(paragraphs(t.Doc) + "\n")
	for _, values := range t.Consts {
		for _, spec := range values.Decl.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && len(v.Values) == 1 {
				fmt.Fprintf(b, "\n- %s: %s", code(c.print(v.Values[0])), line(v.Doc.Text()))
			}
		}
		b.WriteString("\n")
	}
	if len(fields) == 0 {
		return
	}
	b.WriteString("\n| field | type | meaning |\n|---|---|---|\n")
	for _, f := range fields {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.name, code(f.kind), line(f.doc))
	}
}

type field struct{ name, kind, doc string }

// fields are the exported fields of a struct. One without a comment has that of the group it stands in.
func (c Component) fields(t *doc.Type) []field {
	spec, ok := t.Decl.Specs[0].(*ast.TypeSpec)
	if !ok {
		return nil
	}
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return nil
	}
	var all []field
	last := ""
	for _, f := range body.Fields.List {
		text := f.Doc.Text()
		if text == "" {
			text = last
		}
		last = text
		for _, name := range f.Names {
			if name.IsExported() {
				all = append(all, field{name.Name, c.print(f.Type), text})
			}
		}
	}
	return all
}

func (c Component) print(node ast.Node) string {
	var b strings.Builder
	_ = printer.Fprint(&b, c.fset, node)
	return strings.Join(strings.Fields(b.String()), " ")
}

func code(text string) string { return "`" + strings.ReplaceAll(text, "|", `\|`) + "`" }

// line is a comment as one line of a table.
func line(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

func paragraphs(text string) string { return strings.TrimSpace(text) }

// Stale lists the pages in dir that differ from what the source says, and those of components that are no more.
func Stale(dir string, all []Component) ([]string, error) {
	var stale []string
	wanted := map[string]bool{}
	for _, c := range all {
		name := c.Name + ".md"
		wanted[name] = true
		have, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // the repository's own documents
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		if string(have) != c.Page() {
			stale = append(stale, name)
		}
	}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !wanted[path] {
			stale = append(stale, path)
		}
		return err
	})
	return stale, err
}
