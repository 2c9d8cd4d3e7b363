package ansible

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ContentHash is the hash of everything that Ansible reads in the tree at dir: names, contents and execute bits, in an
// order of its own. It is the same on every machine and after every checkout. What Ansible does not read is left out:
// Go source, documents, tests, caches, editors' files, generated inventories, and files with a vault's password.
//
// It is SHA-256 in hexadecimal. An unreadable file is an error.
func ContentHash(dir string) (string, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("hash ansible content: %w", err)
	}
	sum := sha256.New()
	// WalkDir goes in lexical order.
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case rel == ".":
			return nil
		case ignored(rel, d.IsDir()) && d.IsDir():
			return filepath.SkipDir
		case d.IsDir(), ignored(rel, false):
			return nil
		}
		return hashEntry(sum, file, rel, d)
	})
	if err != nil {
		return "", fmt.Errorf("hash ansible content: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// hashEntry adds one file. Lengths come first, so that no two trees share a byte stream.
func hashEntry(sum io.Writer, file, rel string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "link %d %s %d %s\n", len(rel), rel, len(target), target)
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file, a directory nor a link", file)
	}
	data, err := os.ReadFile(file) //nolint:gosec // below dir, which the caller chose
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sum, "file %d %s %t %d %s\n", len(rel), rel, info.Mode()&0o100 != 0, len(data), data)
	return err
}

// junk are names that Ansible never reads, wherever they are: caches, editors' and systems' files, passwords.
var junk = []string{
	".git", ".ansible", ".cache", "__pycache__", "*.pyc", "*.retry",
	"*~", ".*.sw?", "#*#", ".#*", ".idea", ".vscode", ".DS_Store", "Thumbs.db",
	".vault-pass*", "vault-password*", ".vault_pass*", "vault_password*", "known_hosts",
	"hosts.generated.yml",
}

// source are names that Ansible reads only where roles keep the files they copy: there anything may be content.
var source = []string{"*.go", "*.md", "testdata", "molecule"}

func ignored(rel string, dir bool) bool {
	matches := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			ok, _ := path.Match(p, path.Base(rel))
			return ok
		})
	}
	if matches(junk) {
		return true
	}
	parents := strings.Split(path.Dir(rel), "/")
	if slices.Contains(parents, "files") || slices.Contains(parents, "templates") {
		return false
	}
	if dir {
		return matches(source[2:])
	}
	return matches(source[:2])
}
