package stacks

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the reference of settings anew")

// TestGoldenSettings keeps docs/reference/settings.md equal to the schema in Pulumi.yaml.
func TestGoldenSettings(t *testing.T) {
	t.Parallel()
	const page = "../docs/reference/settings.md"
	data, err := os.ReadFile("../Pulumi.yaml")
	require.NoError(t, err)
	var project struct{ Config yaml.Node }
	require.NoError(t, yaml.Unmarshal(data, &project))
	var b strings.Builder
	b.WriteString("<!-- Generated from Pulumi.yaml by `make golden`; do not edit. -->\n# Settings\n\n" +
		"Set one with `pulumi config set calldata-foundation:NAME VALUE -s STACK`, an item of a list with `--path 'calldata-foundation:NAME[0]'`.\n\n" +
		"| setting | type | default | meaning |\n|---|---|---|---|\n")
	for i := 0; i < len(project.Config.Content); i += 2 {
		name := project.Config.Content[i].Value
		var s struct {
			Type, Description string
			Default, Value    any
		}
		require.NoError(t, project.Config.Content[i+1].Decode(&s))
		if s.Type == "" {
			s.Type, s.Default, s.Description = "string", s.Value, "AWS region."
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%v` | %s |\n", name, s.Type, pick(s.Default == "", any(`""`), s.Default), strings.Join(strings.Fields(s.Description), " "))
	}
	if *update {
		require.NoError(t, os.MkdirAll("../docs/reference", 0o750))
		require.NoError(t, os.WriteFile(page, []byte(b.String()), 0o600))
	}
	have, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, b.String(), string(have), "run `make golden` and read the diff")
}
