// Package private reads files that hold secrets. Its errors name the file and what to do, and never show what is in it.
package private

import (
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// maxSize bounds what is read, in bytes: keys and passwords need a few thousand.
const maxSize = 1 << 20

// Check fails unless path is a regular file that nobody but its owner may read or write.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o, so others may read it: run `chmod 600 %s`", path, mode, path)
	}
	return nil
}

// Read answers the content of the file that an environment variable names, if it passes Check and has at most 1 MiB.
func Read(variable, path string) ([]byte, error) {
	if err := Check(path); err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s: %s is larger than %d bytes, which no secret is: name another file", variable, path, maxSize)
	}
	return data, nil
}

// Variables reads the content of a secrets file. The parser's error is not shown, because it quotes the file.
func Variables(variable, path string, data []byte) (map[string]any, error) {
	var vars map[string]any
	if yaml.Unmarshal(data, &vars) != nil {
		return nil, fmt.Errorf("%s: %s is not a YAML map of variables: write a line `name: \"value\"` for each", variable, path)
	}
	return vars, nil
}
