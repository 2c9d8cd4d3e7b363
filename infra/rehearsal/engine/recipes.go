package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

const (
	providersDir = "infra/rehearsal/providers"
	engineDir    = "infra/rehearsal/engine"

	cliProgram   = "pulumi"
	languageHost = "pulumi-language-go"
	awsPlugin    = "pulumi-resource-aws"
)

// CommandPlugin is the name of the command provider's part. Where it was built it is not Pulumi's own: that one is in no
// Go module that builds alone.
const CommandPlugin = "pulumi-resource-command"

// Modules whose versions say which release of a part is wanted.
const (
	cliModule          = "github.com/pulumi/pulumi/pkg/v3"
	sdkModule          = "github.com/pulumi/pulumi/sdk/v3"
	awsSDKModule       = "github.com/pulumi/pulumi-aws/sdk/v6"
	commandSDKModule   = "github.com/pulumi/pulumi-command/sdk"
	terraformAWSModule = "github.com/hashicorp/terraform-provider-aws"
	terraformSDKModule = "github.com/hashicorp/terraform-plugin-sdk/v2"
	smithyModule       = "github.com/aws/smithy-go"
)

// terraformAWSVersion is the release of the Terraform AWS provider that the pinned commit of its fork is built from.
const terraformAWSVersion = "5.82"

// cheapFlags skip what costs compile time and only serves speed or debugging of the result.
var cheapFlags = []string{"-gcflags=all=-l -dwarf=false"}

// A recipe says how a part is built and which release of it is wanted.
type recipe struct {
	// name is the program's file name.
	name string
	// version is the release wanted, without "v".
	version string
	// plugin is the name of the resource plugin in Pulumi's distribution; "" if it is not one.
	plugin string
	// module is the directory of the Go module, under the repository.
	module string
	// pkg is the package to build.
	pkg string
	// flags are those of `go build` beyond the common ones.
	flags []string
	// inputs are further directories whose sources decide what comes out.
	inputs []string
	// arrange readies the copied module in w, and answers further flags for `go build`.
	arrange func(w workshop) ([]string, error)
	// complete adds to out, which holds the built program, what belongs beside it.
	complete func(w workshop, out string) error
}

// recipes answers the parts, with the versions that the repository pins. The order is that of the build: small parts
// first, so that what is wrong with a machine shows early.
func recipes(root string) ([]recipe, error) {
	modules := filepath.Join(engineDir, "modules")
	var errs []error
	pinned := func(dir, module string) string {
		version, err := requiredVersion(filepath.Join(root, dir, "go.mod"), module)
		errs = append(errs, err)
		return version
	}
	cli := pinned(filepath.Join(modules, "cli"), cliModule)
	host := pinned(filepath.Join(modules, "languagehost"), sdkModule)
	list := []recipe{
		{
			name:    CommandPlugin,
			version: pinned("", commandSDKModule),
			plugin:  "command",
			module:  filepath.Join(providersDir, "commandprovider"),
			pkg:     ".",
			flags:   append([]string{"-ldflags=-s -w"}, cheapFlags...),
		},
		{
			name:     languageHost,
			version:  host,
			module:   filepath.Join(modules, "languagehost"),
			pkg:      sdkModule + "/go/pulumi-language-go",
			flags:    append([]string{versionFlag(host)}, cheapFlags...),
			complete: wrapLanguageHost,
		},
		{
			name:    cliProgram,
			version: cli,
			module:  filepath.Join(modules, "cli"),
			pkg:     cliModule + "/cmd/pulumi",
			flags:   append([]string{versionFlag(cli)}, cheapFlags...),
		},
		{
			name:     awsPlugin,
			version:  pinned("", awsSDKModule),
			plugin:   "aws",
			module:   filepath.Join(providersDir, "awsprovider"),
			pkg:      ".",
			flags:    awsFlags(),
			inputs:   []string{filepath.Join(engineDir, "trim"), filepath.Join(engineDir, "fastwait"), filepath.Join(engineDir, "mend")},
			arrange:  arrangeAWS,
			complete: storeSchema,
		},
	}
	return list, errors.Join(errs...)
}

// versionFlag sets the version that a Pulumi program shows.
func versionFlag(version string) string {
	return "-ldflags=-s -w -X " + sdkModule + "/go/common/version.Version=v" + version
}

// builtVersion is the version to report for a part that was built.
func (r recipe) builtVersion() string {
	if r.name == awsPlugin {
		return fmt.Sprintf("%s (Terraform AWS provider %s)", r.version, terraformAWSVersion)
	}
	return r.version
}

// requiredVersion answers the version of module that a go.mod file requires, without "v".
func requiredVersion(file, module string) (string, error) {
	source, err := os.ReadFile(file) //nolint:gosec // a go.mod of this repository
	if err != nil {
		return "", fmt.Errorf("read pinned versions: %w", err)
	}
	match := regexp.MustCompile(`(?m)^(?:require)?\s*` + regexp.QuoteMeta(module) + ` v(\S+)`).FindSubmatch(source)
	if match == nil {
		return "", fmt.Errorf("%s does not require %s", file, module)
	}
	return string(match[1]), nil
}

// hostWrapper starts the real language host with the compiled program, where the caller names one.
const hostWrapper = `#!/bin/sh
# The engine passes options by a protocol newer than this language host, which takes them from flags.
here=$(dirname "$(readlink -f "$0")")
exec "$here/` + languageHost + `-host" ${` + ProgramVariable + `:+-binary "$` + ProgramVariable + `"} "$@"
`

// wrapLanguageHost puts the wrapper where Pulumi looks for the language host.
func wrapLanguageHost(_ workshop, out string) error {
	program := filepath.Join(out, languageHost)
	if err := os.Rename(program, program+"-host"); err != nil {
		return fmt.Errorf("wrap the language host: %w", err)
	}
	if err := os.WriteFile(program, []byte(hostWrapper), 0o755); err != nil { //nolint:gosec // a program must be executable
		return fmt.Errorf("wrap the language host: %w", err)
	}
	return nil
}
