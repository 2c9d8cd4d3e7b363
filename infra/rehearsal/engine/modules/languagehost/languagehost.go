//go:build tools

// Package languagehost pins Pulumi's language host for Go. 3.66.0 is the last release whose language host is part of
// the SDK's module; later ones are modules that a module proxy cannot serve. It holds no code of its own.
package languagehost

import _ "github.com/pulumi/pulumi/sdk/v3/go/pulumi-language-go"
