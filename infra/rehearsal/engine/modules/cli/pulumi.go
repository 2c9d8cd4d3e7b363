//go:build tools

// Package cli pins the Pulumi command line that the engine builds. It holds no code of its own.
package cli

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
