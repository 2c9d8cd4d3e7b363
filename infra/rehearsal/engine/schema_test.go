package engine

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/rehearsal/engine/trim"
)

var update = flag.Bool("update", false, "write the list of differences anew")

// differencesFile lists where the built AWS provider and the SDK differ: what the program may use only on real AWS.
const differencesFile = "testdata/schema_differences.txt"

// The program speaks the names of Pulumi's AWS SDK; the bridged provider must understand each of them. A difference
// that is not in the list is a name or a type that the token table or the overrides get wrong.
func TestSchemaMatchesTheSDK(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	schema := builtSchema(t, root)
	sdk := goStructs{dir: filepath.Join(moduleDir(t, root, awsSDKModule), "go", "aws"), packages: map[string]map[string]fields{}}

	var found []string
	for name, resource := range schema.Resources {
		module, title := splitToken(name)
		lower := strings.ToLower(title[:1]) + title[1:]
		found = append(found, compare(name+" input", resource.InputProperties, sdk.find(t, module, lower+"Args"))...)
		found = append(found, compare(name+" output", resource.Properties, sdk.find(t, module, title))...)
		for nested := range schema.nested(resource.InputProperties) {
			nestedModule, nestedTitle := splitToken(nested)
			structure := sdk.find(t, nestedModule, nestedTitle+"Type") // the SDK's way out when a resource has the name
			if structure == nil {
				structure = sdk.find(t, nestedModule, nestedTitle)
			}
			found = append(found, compare(nested, schema.Types[nested].Properties, structure)...)
		}
	}
	for name, function := range schema.Functions {
		module, title := splitToken(name)
		title = strings.ToUpper(title[:1]) + title[1:]
		arguments, result := sdk.find(t, module, title+"Args"), sdk.find(t, module, title+"Result")
		if result == nil {
			title = "Lookup" + strings.TrimPrefix(title, "Get")
			arguments, result = sdk.find(t, module, title+"Args"), sdk.find(t, module, title+"Result")
		}
		if len(function.Inputs.Properties) > 0 {
			found = append(found, compare(name+" input", function.Inputs.Properties, arguments)...)
		}
		found = append(found, compare(name+" output", function.Outputs.Properties, result)...)
	}
	slices.Sort(found)
	text := strings.Join(slices.Compact(found), "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile(differencesFile, []byte(text), 0o600))
	}
	want, err := os.ReadFile(differencesFile)
	require.NoError(t, err)
	assert.Equal(t, string(want), text, "if the change is right, run this test with -update and read the diff")
}

// Each type of the token table must come from a service that the trimmed provider keeps; else it fails when it is
// used, not when it is built.
func TestEveryTokenHasItsService(t *testing.T) {
	t.Parallel()
	module := filepath.Join("..", "..", "..", providersDir, "awsprovider")
	types, err := tokenTypes(filepath.Join(module, "tokens.txt"))
	require.NoError(t, err)
	assert.Greater(t, len(types), 100)
	assert.Contains(t, types, "aws_vpc")
	provider := moduleDir(t, module, terraformAWSModule)
	services, err := trim.Services(provider, types)
	require.NoError(t, err)
	kept, err := trim.Overlay(trim.Options{Source: provider, At: "/at", Out: t.TempDir(), Services: services})
	require.NoError(t, err)
	for _, service := range services {
		assert.Contains(t, kept.Services, service)
	}
	assert.Contains(t, kept.Services, "organizations", "ec2 calls its client")
	assert.Less(t, len(kept.Services), 60, "the point is to drop most of some 240")
}

// moduleDir answers where a module's source is, without a download.
func moduleDir(t *testing.T, dir, module string) string {
	t.Helper()
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off")
	out, err := cmd.Output()
	if path := strings.TrimSpace(string(out)); err == nil && path != "" {
		return path
	}
	t.Skipf("the source of %s is not on this machine: build the engine first (calldata tools prepare)", module)
	return ""
}

type (
	property struct {
		Type                        string
		Ref                         string `json:"$ref"`
		Items, AdditionalProperties *property
	}
	properties map[string]property
	object     struct{ Properties properties }
	schema     struct {
		Resources map[string]struct{ InputProperties, Properties properties }
		Types     map[string]object
		Functions map[string]struct{ Inputs, Outputs object }
	}
)

// builtSchema reads the schema that was stored when the AWS provider was built from the sources as they are now.
func builtSchema(t *testing.T, root string) schema {
	t.Helper()
	opts, err := Options{Root: root}.complete()
	require.NoError(t, err)
	out, err := exec.Command("go", "env", "-json", "GOVERSION", "GOOS", "GOARCH").Output()
	require.NoError(t, err)
	var tools toolchain
	require.NoError(t, json.Unmarshal(out, &tools))
	list, err := recipes(opts.Root)
	require.NoError(t, err)
	aws := list[slices.IndexFunc(list, func(r recipe) bool { return r.name == awsPlugin })]
	key, err := aws.key(opts.Root, tools)
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(opts.CacheDir, "parts", awsPlugin+"-"+key, "schema.json"))
	if os.IsNotExist(err) {
		t.Skip("the AWS provider has not been built from these sources: build the engine first (calldata tools prepare)")
	}
	require.NoError(t, err)
	var s schema
	require.NoError(t, json.NewDecoder(bytes.NewReader(content)).Decode(&s))
	require.NotEmpty(t, s.Resources)
	return s
}

// nested answers the object types that properties use, directly or through others.
func (s schema) nested(of properties) map[string]bool {
	found := map[string]bool{}
	var walk func(properties)
	walk = func(of properties) {
		for _, p := range of {
			for p.Items != nil || p.AdditionalProperties != nil {
				if p.Items != nil {
					p = *p.Items
				} else {
					p = *p.AdditionalProperties
				}
			}
			if name, ok := strings.CutPrefix(p.Ref, "#/types/"); ok && !found[name] {
				found[name] = true
				walk(s.Types[name].Properties)
			}
		}
	}
	walk(of)
	return found
}

// splitToken answers the module and the name in a token as aws:ec2/vpc:Vpc.
func splitToken(name string) (module, title string) {
	parts := strings.Split(name, ":")
	module, _, _ = strings.Cut(parts[1], "/")
	return module, parts[2]
}

// fields are a struct's properties: name to kind.
type fields map[string]string

// compare answers how the provider's properties differ from the SDK's struct.
func compare(what string, provider properties, sdk fields) []string {
	if sdk == nil {
		return []string{what + ": the SDK has no such type"}
	}
	var found []string
	for name, p := range provider {
		kind, ok := sdk[name]
		switch got := p.kind(); {
		case !ok:
			found = append(found, fmt.Sprintf("%s: %s is only in the provider", what, name))
		case got != kind && got != "any" && kind != "any":
			found = append(found, fmt.Sprintf("%s: %s is %s in the provider, %s in the SDK", what, name, got, kind))
		}
	}
	for name := range maps.Keys(sdk) {
		if _, ok := provider[name]; !ok {
			found = append(found, fmt.Sprintf("%s: %s is only in the SDK", what, name))
		}
	}
	return found
}

func (p property) kind() string {
	switch {
	case strings.HasPrefix(p.Ref, "#/types/"):
		return "object"
	case p.Ref != "":
		return "any" // assets, archives, JSON
	case p.Type == "object":
		return "map"
	}
	return p.Type
}

// goStructs reads the structs of the SDK's packages, each package once.
type goStructs struct {
	dir      string
	packages map[string]map[string]fields
}

func (g goStructs) find(t *testing.T, module, name string) fields {
	t.Helper()
	if g.packages[module] == nil {
		g.packages[module] = map[string]fields{}
		dir := filepath.Join(g.dir, module)
		if module == "index" {
			dir = g.dir
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			maps.Copy(g.packages[module], structs(string(source)))
		}
	}
	return g.packages[module][name]
}

// structs answers the structs in a source file and their fields with `pulumi` tags. The SDK is generated and formatted,
// so lines do; its packages are too large to parse whole in a unit test.
func structs(source string) map[string]fields {
	found := map[string]fields{}
	var current fields
	for line := range strings.Lines(source) {
		if rest, ok := strings.CutPrefix(line, "type "); ok && strings.HasSuffix(line, " struct {\n") {
			current = fields{}
			found[strings.TrimSuffix(rest, " struct {\n")] = current
			continue
		}
		code, tag, ok := strings.Cut(line, "`pulumi:\"")
		words := strings.Fields(code)
		if !ok || current == nil || len(words) != 2 {
			continue
		}
		name, _, _ := strings.Cut(tag, `"`)
		name, _, _ = strings.Cut(name, ",")
		current[name] = goKind(words[1])
	}
	return found
}

// goKind answers the kind of property that a Go type stands for: of plain types in arguments, of Pulumi's Output types
// in resources.
func goKind(name string) string {
	name = strings.TrimPrefix(name, "*")
	switch {
	case strings.HasPrefix(name, "[]"):
		return "array"
	case strings.HasPrefix(name, "map["):
		return "map"
	case name == "interface{}":
		return "any"
	}
	if kind, ok := plainKinds[name]; ok {
		return kind
	}
	_, unqualified, qualified := strings.Cut(name, ".")
	if !qualified {
		unqualified = name
	}
	base, isOutput := strings.CutSuffix(unqualified, "Output")
	base = strings.TrimSuffix(base, "Ptr")
	if kind, ok := outputKinds[base]; ok && qualified {
		return kind
	}
	switch {
	case isOutput && strings.HasSuffix(base, "Array"):
		return "array"
	case isOutput && strings.HasSuffix(base, "Map"):
		return "map"
	case qualified && !isOutput:
		return "any" // an asset, or another package's type
	}
	return "object"
}

var (
	plainKinds  = map[string]string{"string": "string", "bool": "boolean", "int": "integer", "float64": "number"}
	outputKinds = map[string]string{
		"String": "string", "Bool": "boolean", "Int": "integer", "Float64": "number",
		"Any": "any", "Asset": "any", "Archive": "any", "AssetOrArchive": "any",
	}
)
