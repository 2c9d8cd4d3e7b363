package trim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// marks are what stands before a Terraform type where a service package says that it offers the type: the annotation
// over a constructor, or the name that a plugin-framework type answers.
var marks = []string{
	"@SDKResource(", "@SDKDataSource(", "@FrameworkResource(", "@FrameworkDataSource(", "TypeName = ", "TypeName: ",
}

// Services answers which service packages of the Terraform AWS provider in dir offer the Terraform types listed,
// sorted, each once. A type that no service offers is an error; all such types are named at once.
func Services(dir string, types []string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "internal/service/*/*.go"))
	if err != nil {
		return nil, fmt.Errorf("list the service packages of %s: %w", dir, err)
	}
	missing := map[string]bool{}
	for _, t := range types {
		missing[t] = true
	}
	var services []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file) //nolint:gosec // a file of the module to be built
		if err != nil {
			return nil, fmt.Errorf("read a service package: %w", err)
		}
		for _, name := range offered(string(source)) {
			if slices.Contains(types, name) {
				delete(missing, name)
				services = append(services, filepath.Base(filepath.Dir(file)))
			}
		}
	}
	if len(missing) > 0 {
		var names []string
		for name := range missing {
			names = append(names, name)
		}
		slices.Sort(names)
		return nil, fmt.Errorf("no service package in %s offers %s: correct tokens.txt or the provider's version",
			dir, strings.Join(names, ", "))
	}
	slices.Sort(services)
	return slices.Compact(services), nil
}

// offered answers the Terraform types that a source file marks as offered.
func offered(source string) []string {
	var names []string
	for {
		before, after, found := strings.Cut(source, `"aws_`)
		if !found {
			return names
		}
		if slices.ContainsFunc(marks, func(mark string) bool { return strings.HasSuffix(before, mark) }) {
			name, _, _ := strings.Cut(after, `"`)
			names = append(names, "aws_"+name)
		}
		source = after
	}
}
