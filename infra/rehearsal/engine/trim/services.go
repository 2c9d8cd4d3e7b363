package trim

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// typeMark finds where a service package says which Terraform types it offers: the annotation over a constructor, or
// the name that a plugin-framework type answers.
var typeMark = regexp.MustCompile(`@(?:SDK|Framework)(?:Resource|DataSource)\("(aws_\w+)"|TypeName\s*[:=]\s*"(aws_\w+)"`)

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
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a service package: %w", err)
		}
		for _, match := range typeMark.FindAllSubmatch(source, -1) {
			name := string(match[1]) + string(match[2])
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
