// Command awsprovider is the Pulumi AWS provider of the rehearsal: the real Terraform AWS provider, bridged under the
// names of Pulumi's AWS SDK, with the types of tokens.txt only. It is for machines that cannot download the official
// plugin, and for the rehearsal alone: never use it on a real account.
//
//	awsprovider schema     writes the schema to standard output; the build stores it as schema.json beside the binary
//	awsprovider ENGINE     serves the engine at that address, as Pulumi starts it
//
// CALLDATA_REHEARSAL_FAST_WAIT=1 cuts the provider's fixed waits when it was built with the engine's overlay.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-aws:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	info, err := newProvider(ctx)
	if err != nil {
		return err
	}
	if len(args) == 1 && args[0] == "schema" {
		sink := diag.DefaultSink(os.Stderr, os.Stderr, diag.FormatOptions{Color: colors.Never})
		spec, err := tfgen.GenerateSchema(info, sink)
		if err != nil {
			return fmt.Errorf("generate the schema: %w", err)
		}
		return json.NewEncoder(os.Stdout).Encode(spec)
	}
	schema, err := storedSchema()
	if err != nil {
		return err
	}
	pfbridge.MainWithMuxer(ctx, "aws", info, schema)
	return nil
}

// storedSchema reads what the build generated. Generating it at every start would cost each engine command a second.
func storedSchema() ([]byte, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this binary, to read the schema beside it: %w", err)
	}
	schema, err := os.ReadFile(filepath.Join(filepath.Dir(executable), "schema.json"))
	if err != nil {
		return nil, fmt.Errorf("read the schema made at build time (run %s schema > schema.json): %w", executable, err)
	}
	return schema, nil
}
