package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// toolchain is what `go env` says about the compiler.
type toolchain struct{ GOVERSION, GOOS, GOARCH string }

// key answers the hash of all that decides what a recipe builds: the compiler, the flags, and every source file.
// Modules are in it through go.mod and go.sum. Test files are not.
func (r recipe) key(root string, tools toolchain) (string, error) {
	hash := sha256.New()
	head, err := json.Marshal(map[string]any{
		"format": 1, // count up when the steps around the build change what comes out
		"tools":  tools, "name": r.name, "version": r.version, "package": r.pkg, "flags": r.flags, "wrapper": hostWrapper,
	})
	if err != nil {
		return "", fmt.Errorf("hash the recipe of %s: %w", r.name, err)
	}
	hash.Write(head)
	for _, dir := range append([]string{r.module}, r.inputs...) {
		files, err := sources(filepath.Join(root, dir))
		if err != nil {
			return "", fmt.Errorf("hash the sources of %s: %w", r.name, err)
		}
		for _, file := range files {
			if err := hashFile(hash, filepath.Join(root, dir), file); err != nil {
				return "", fmt.Errorf("hash the sources of %s: %w", r.name, err)
			}
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:20], nil
}

// digest answers a short name for text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:20]
}

// sources answers the files under dir that go into a build, relative to it and sorted.
func sources(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case !entry.Type().IsRegular() || strings.HasSuffix(entry.Name(), "_test.go"):
			return nil
		}
		relative, err := filepath.Rel(dir, path)
		files = append(files, relative)
		return err
	})
	slices.Sort(files)
	if err == nil && len(files) == 0 {
		err = errors.New("no files in " + dir)
	}
	return files, err
}

// hashFile adds a file's name, length and content.
func hashFile(hash io.Writer, dir, name string) error {
	content, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // a file of this repository
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(hash, "\x00%s\x00%d\x00", filepath.ToSlash(name), len(content)); err != nil {
		return err
	}
	_, err = hash.Write(content)
	return err
}
