// Package trim limits the Terraform AWS provider to some of its services, without a change to its source: it writes
// replacements of the two generated files that import every service, for `go build -overlay`. The provider imports
// some 240 services; compiling them all takes many times as long as those a deployment needs.
package trim

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	servicePath = "github.com/hashicorp/terraform-provider-aws/internal/service/"
	// registryFile imports every service package.
	registryFile = "internal/provider/service_packages_gen.go"
	// clientsFile imports every client of the AWS SDK.
	clientsFile = "internal/conns/awsclient_gen.go"
)

// Options say what to trim.
type Options struct {
	// Source is the directory of the unmodified module.
	Source string
	// At is the absolute path by which the build reaches the module. Go refuses overlays inside its module cache, so
	// it is a link to Source from elsewhere.
	At string
	// Out is the directory for the replacement files; it must exist.
	Out string
	// Services are the service packages to keep. Those they force are added.
	Services []string
}

// Result is what came out.
type Result struct {
	// Replace maps files under At to their replacements, as the "Replace" object of an overlay file.
	Replace map[string]string
	// Services are the packages kept, with those that others forced, sorted.
	Services []string
}

// Overlay writes the replacement files. A service that does not exist is an error.
func Overlay(opts Options) (Result, error) {
	clients, err := parse(filepath.Join(opts.Source, clientsFile))
	if err != nil {
		return Result{}, err
	}
	registry, err := parse(filepath.Join(opts.Source, registryFile))
	if err != nil {
		return Result{}, err
	}
	methods := clientMethods(clients)
	keep, err := closure(opts.Source, opts.Services, methods)
	if err != nil {
		return Result{}, err
	}

	dropClients(clients, methods, keep)
	dropPackages(registry, keep)
	result := Result{Replace: map[string]string{}, Services: keep}
	for name, file := range map[string]*ast.File{clientsFile: clients, registryFile: registry} {
		if err := dropImports(file); err != nil {
			return Result{}, fmt.Errorf("trim %s: %w", name, err)
		}
		var source bytes.Buffer
		if err := format.Node(&source, token.NewFileSet(), file); err != nil {
			return Result{}, fmt.Errorf("print the trimmed %s: %w", name, err)
		}
		to := filepath.Join(opts.Out, filepath.Base(name))
		if err := os.WriteFile(to, source.Bytes(), 0o600); err != nil {
			return Result{}, fmt.Errorf("write the trimmed %s: %w", name, err)
		}
		result.Replace[filepath.Join(opts.At, name)] = to
	}
	return result, nil
}

// clientMethods tells which service each client method looks up when it runs: KMSClient wants kms, from its names.KMS.
func clientMethods(clients *ast.File) map[string]string {
	methods := map[string]string{}
	for _, decl := range clients.Decls {
		if method, ok := decl.(*ast.FuncDecl); ok {
			eachSelector(method, func(x, name string) {
				if x == "names" {
					methods[method.Name.Name] = strings.ToLower(name)
				}
			})
		}
	}
	return methods
}

// closure adds to services what they import and whose clients they call. The second matters because a client method
// whose service is missing compiles, and panics when it is called.
func closure(source string, services []string, methods map[string]string) ([]string, error) {
	keep := slices.Clone(services)
	for i := 0; i < len(keep); i++ {
		files, err := filepath.Glob(filepath.Join(source, "internal/service", keep[i], "*.go"))
		if err != nil {
			return nil, fmt.Errorf("list service %q: %w", keep[i], err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("the provider in %s has no service %q", source, keep[i])
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			forced, err := forcedBy(name, methods)
			if err != nil {
				return nil, err
			}
			for _, service := range forced {
				if !slices.Contains(keep, service) {
					keep = append(keep, service)
				}
			}
		}
	}
	slices.Sort(keep)
	return slices.Compact(keep), nil
}

// forcedBy answers the services that one source file imports or whose clients it calls.
func forcedBy(name string, methods map[string]string) ([]string, error) {
	file, err := parse(name)
	if err != nil {
		return nil, err
	}
	var forced []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("read an import of %s: %w", name, err)
		}
		if rest, ok := strings.CutPrefix(imported, servicePath); ok {
			service, _, _ := strings.Cut(rest, "/")
			forced = append(forced, service)
		}
	}
	eachSelector(file, func(_, method string) {
		if service, ok := methods[method]; ok {
			forced = append(forced, service)
		}
	})
	return forced, nil
}

// dropClients removes the client methods of services that are not kept.
func dropClients(clients *ast.File, methods map[string]string, keep []string) {
	clients.Decls = slices.DeleteFunc(clients.Decls, func(decl ast.Decl) bool {
		method, ok := decl.(*ast.FuncDecl)
		return ok && methods[method.Name.Name] != "" && !slices.Contains(keep, methods[method.Name.Name])
	})
}

// dropPackages removes from the registry's list the packages that are not kept.
func dropPackages(registry *ast.File, keep []string) {
	ast.Inspect(registry, func(n ast.Node) bool {
		list, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		list.Elts = slices.DeleteFunc(list.Elts, func(element ast.Expr) bool {
			drop := false
			eachSelector(element, func(x, _ string) { drop = !slices.Contains(keep, x) })
			return drop
		})
		return true
	})
}

// dropImports removes the imports that the file no longer uses.
func dropImports(file *ast.File) error {
	live := map[string]bool{}
	eachSelector(file, func(x, _ string) { live[x] = true })
	var errs []error
	for _, decl := range file.Decls {
		imports, ok := decl.(*ast.GenDecl)
		if !ok || imports.Tok != token.IMPORT {
			continue
		}
		imports.Specs = slices.DeleteFunc(imports.Specs, func(spec ast.Spec) bool {
			imported, ok := spec.(*ast.ImportSpec)
			if !ok {
				return false
			}
			if imported.Name != nil {
				return !live[imported.Name.Name]
			}
			importPath, err := strconv.Unquote(imported.Path.Value)
			errs = append(errs, err)
			return !live[path.Base(importPath)]
		})
	}
	return errors.Join(errs...)
}

// eachSelector calls visit for every x.name under n; x is "" where it is not a plain identifier.
func eachSelector(n ast.Node, visit func(x, name string)) {
	ast.Inspect(n, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			x := ""
			if ident, ok := selector.X.(*ast.Ident); ok {
				x = ident.Name
			}
			visit(x, selector.Sel.Name)
		}
		return true
	})
}

func parse(name string) (*ast.File, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse the provider's source: %w", err)
	}
	return file, nil
}
