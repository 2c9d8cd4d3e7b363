package mend

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const program = `package main

import (
	"fmt"
	stdio "io"
	"strings"

	"example.org/smithy/transport/http/internal/io"
)

func main() {
	open := io.NewSafeReadCloser(stdio.NopCloser(strings.NewReader("body")))
	fmt.Println(open.(stdio.WriterTo).WriteTo(stdio.Discard))
	open.Close()
	fmt.Println(open.(stdio.WriterTo).WriteTo(stdio.Discard))
	fmt.Println(stdio.Copy(stdio.Discard, open))
}
`

func write(t *testing.T, file, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
}

// TestOverlay compiles smithy-go's own file, with and without the correction.
func TestOverlay(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/smithy-go").Output()
	require.NoError(t, err)
	original, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), bodyFile))
	require.NoError(t, err)

	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.org/smithy\n\ngo 1.24\n")
	write(t, filepath.Join(dir, "transport/http/main.go"), program) // where the internal package may be used
	write(t, filepath.Join(dir, bodyFile), string(original))
	run := func() string {
		cmd := exec.CommandContext(t.Context(), "go", "run", "./transport/http")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	require.Equal(t, "4 <nil>\n0 EOF\n0 EOF\n", run(), "smithy-go no longer has the fault: delete this package")

	replace, err := Overlay(dir, "/elsewhere", t.TempDir())
	require.NoError(t, err)
	require.Len(t, replace, 1)
	corrected, err := os.ReadFile(replace[filepath.Join("/elsewhere", bodyFile)])
	require.NoError(t, err)
	write(t, filepath.Join(dir, bodyFile), string(corrected))
	assert.Equal(t, "4 <nil>\n0 <nil>\n0 <nil>\n", run())
}

func TestOverlayRefusesOtherSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Overlay(dir, dir, dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	write(t, filepath.Join(dir, bodyFile), "package io\n")
	_, err = Overlay(dir, dir, dir)
	require.ErrorContains(t, err, "0 times")
}
