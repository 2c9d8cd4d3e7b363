// Package fastwait makes the Terraform AWS provider poll sooner when the environment asks for it. The provider waits
// fixed times (a minute for a database, 10 to 30 seconds for a DNS record) that real AWS needs and an emulator does
// not. The package writes replacements of source files for `go build -overlay`; without the variable the built
// provider waits as it always does.
package fastwait

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// Variable is the environment variable that cuts the waits when it is "1".
const Variable = "CALLDATA_REHEARSAL_FAST_WAIT"

// scaleSource is a file added to the package helper/retry of terraform-plugin-sdk.
//
//go:embed scale.go.txt
var scaleSource []byte

const (
	stateFile = "helper/retry/state.go"
	scaleFile = "helper/retry/calldata_scale.go"
	// waiter is the head of the function through which every wait of the provider goes.
	waiter = "WaitForStateContext"
)

// A pause is a sleep outside the waiter: the statement in a file of the provider, and what it becomes.
type pause struct{ file, old, new string }

var pauses = []pause{{
	file: "internal/service/s3/bucket_lifecycle_configuration.go",
	old:  "time.Sleep(lifecycleConfigurationExtraRetryDelay)",
	new:  "retry.CalldataPause(lifecycleConfigurationExtraRetryDelay)",
}}

// Module is one module to patch: where its unmodified source is, and the link by which the build reaches it (Go
// refuses overlays inside its module cache).
type Module struct{ Source, At string }

// Overlay writes the replacement files of terraform-plugin-sdk and of the provider to directory out, which must
// exist, and answers the "Replace" object of the overlay file. Source that is not as expected, because a version
// changed, is an error: waits that are silently not cut would be worse.
func Overlay(sdk, provider Module, out string) (map[string]string, error) {
	state, err := patchWaiter(filepath.Join(sdk.Source, stateFile))
	if err != nil {
		return nil, err
	}
	replace := map[string]string{}
	write := func(at string, source []byte) error {
		to := filepath.Join(out, "fastwait_"+filepath.Base(at))
		replace[at] = to
		if err := os.WriteFile(to, source, 0o600); err != nil { //nolint:gosec // a file of the build's own directory
			return fmt.Errorf("write an overlay file: %w", err)
		}
		return nil
	}
	if err := write(filepath.Join(sdk.At, stateFile), state); err != nil {
		return nil, err
	}
	if err := write(filepath.Join(sdk.At, scaleFile), scaleSource); err != nil {
		return nil, err
	}
	for _, p := range pauses {
		source, err := os.ReadFile(filepath.Join(provider.Source, p.file))
		if err != nil {
			return nil, fmt.Errorf("read a file with a fixed sleep: %w", err)
		}
		if n := strings.Count(string(source), p.old); n != 1 {
			return nil, fmt.Errorf("%s holds %q %d times, want once: the provider's version changed", p.file, p.old, n)
		}
		if err := write(filepath.Join(provider.At, p.file), []byte(strings.Replace(string(source), p.old, p.new, 1))); err != nil {
			return nil, err
		}
	}
	return replace, nil
}

// patchWaiter puts one statement at the head of the waiter, and leaves the rest of the file as it is.
func patchWaiter(name string) ([]byte, error) {
	source, err := os.ReadFile(name) //nolint:gosec // the path is inside the module that the build chose
	if err != nil {
		return nil, fmt.Errorf("read the waiter of terraform-plugin-sdk: %w", err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse the waiter of terraform-plugin-sdk: %w", err)
	}
	for _, decl := range file.Decls {
		method, ok := decl.(*ast.FuncDecl)
		if !ok || method.Name.Name != waiter || method.Recv == nil || len(method.Recv.List[0].Names) != 1 {
			continue
		}
		receiver := method.Recv.List[0].Names[0].Name
		at := files.Position(method.Body.Lbrace).Offset + 1
		statement := fmt.Sprintf(" %s = calldataScale(%s);", receiver, receiver)
		return []byte(string(source[:at]) + statement + string(source[at:])), nil
	}
	return nil, fmt.Errorf("%s has no method %s: the version of terraform-plugin-sdk changed", name, waiter)
}
