package engine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/calldata/calldata-foundation/infra/rehearsal/engine/fastwait"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine/mend"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine/trim"
)

// awsFlags spare the compiler the most where the code is largest. Of several -gcflags the last match counts.
func awsFlags() []string {
	return append([]string{"-ldflags=-s -w"}, append(cheapFlags,
		"-gcflags=github.com/aws/aws-sdk-go-v2/service/...=-N -l -dwarf=false",
		"-gcflags="+terraformAWSModule+"/internal/service/...=-N -l -dwarf=false")...)
}

// arrangeAWS limits the Terraform AWS provider to the services that the token table needs, makes its waits scalable, and
// mends a library, all by an overlay. The modules in Go's cache are not touched.
func arrangeAWS(w workshop) ([]string, error) {
	types, err := tokenTypes(filepath.Join(w.source, "tokens.txt"))
	if err != nil {
		return nil, err
	}
	provider, err := linkModule(w, terraformAWSModule, "terraform-provider-aws")
	if err != nil {
		return nil, err
	}
	sdk, err := linkModule(w, terraformSDKModule, "terraform-plugin-sdk")
	if err != nil {
		return nil, err
	}
	smithy, err := linkModule(w, smithyModule, "smithy-go")
	if err != nil {
		return nil, err
	}
	overlayDir := filepath.Join(w.dir, "overlay")
	if err := os.MkdirAll(overlayDir, 0o755); err != nil { //nolint:gosec // nothing secret in sources
		return nil, fmt.Errorf("make the overlay's directory: %w", err)
	}
	services, err := trim.Services(provider.Source, types)
	if err != nil {
		return nil, err
	}
	trimmed, err := trim.Overlay(trim.Options{Source: provider.Source, At: provider.At, Out: overlayDir, Services: services})
	if err != nil {
		return nil, err
	}
	waits, err := fastwait.Overlay(sdk, provider, overlayDir)
	if err != nil {
		return nil, err
	}
	maps.Copy(trimmed.Replace, waits)
	mended, err := mend.Overlay(smithy.Source, smithy.At, overlayDir)
	if err != nil {
		return nil, err
	}
	maps.Copy(trimmed.Replace, mended)
	overlay, err := json.Marshal(map[string]any{"Replace": trimmed.Replace})
	if err != nil {
		return nil, fmt.Errorf("write the overlay: %w", err)
	}
	file := filepath.Join(w.dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return nil, fmt.Errorf("write the overlay: %w", err)
	}
	return []string{"-overlay", file}, nil
}

// linkModule downloads a module, makes it reachable by a link outside Go's module cache (where Go refuses overlays),
// and lets the copied go.mod point there.
func linkModule(w workshop, module, name string) (fastwait.Module, error) {
	// Through the untouched go.mod, so that the download is checked against go.sum: a directory is not.
	out, err := w.run("mod", "download", "-json", module)
	if err != nil {
		return fastwait.Module{}, err
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil || found.Dir == "" {
		return fastwait.Module{}, fmt.Errorf("find the downloaded module %s in %q: %w", module, out, err)
	}
	link := fastwait.Module{Source: found.Dir, At: filepath.Join(w.dir, name)}
	if err := os.Symlink(link.Source, link.At); err != nil {
		return fastwait.Module{}, fmt.Errorf("link module %s: %w", module, err)
	}
	w.replaced[module] = link.At
	return link, nil
}

// tokenTypes answers the Terraform types of the token table.
func tokenTypes(file string) ([]string, error) {
	table, err := os.ReadFile(file) //nolint:gosec // a file of this repository
	if err != nil {
		return nil, fmt.Errorf("read the token table: %w", err)
	}
	var types []string
	for lines := bufio.NewScanner(bytes.NewReader(table)); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 4 && !strings.HasPrefix(fields[0], "#") {
			types = append(types, fields[1])
		}
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("the token table %s names no types", file)
	}
	return types, nil
}

// storeSchema writes the provider's schema beside it, where the provider reads it at each start.
func storeSchema(w workshop, out string) error {
	schema, err := w.output(out, filepath.Join(out, awsPlugin), "schema")
	if err != nil {
		return fmt.Errorf("generate the schema of the AWS provider: %w", err)
	}
	if !json.Valid(schema) {
		return fmt.Errorf("the AWS provider's schema is not JSON: %.100q", schema)
	}
	if err := os.WriteFile(filepath.Join(out, "schema.json"), schema, 0o600); err != nil {
		return fmt.Errorf("store the schema of the AWS provider: %w", err)
	}
	return nil
}
