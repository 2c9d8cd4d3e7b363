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
// Go source, documents, tests, caches, editors' files, generated inventories, files with a vault's password, and private keys.
//
// Of dir's inventories it takes the one that is named, a stack's for example, and what all share, so that what is written for
// one stack changes nothing for another. Without a name it takes all. An inventory that is not there is empty.
//
// It is SHA-256 in hexadecimal. An unreadable file is an error.
func ContentHash(dir, inventory string) (string, error) {
	sum := sha256.New()
	if err := walkContent(dir, inventory, func(e entry) error { return e.hash(sum) }); err != nil {
		return "", fmt.Errorf("hash ansible content: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// entry is a file or a symbolic link that Ansible reads.
type entry struct {
	// name is its path in the tree, with slashes.
	name string
	// link is where a symbolic link leads, empty for a file.
	link string
	// executable and data are those of a file.
	executable bool
	data       []byte
}

// walkContent calls visit for each entry of the tree at dir, in lexical order, without those of other inventories.
func walkContent(dir, inventory string, visit func(entry) error) error {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		out := ignored(rel, d.IsDir()) || foreign(rel, inventory)
		switch {
		case rel == ".":
			return nil
		case d.IsDir() && out:
			return filepath.SkipDir
		case d.IsDir(), out:
			return nil
		}
		e, err := readEntry(file, rel, d)
		if err != nil {
			return err
		}
		return visit(e)
	})
}

func readEntry(file, name string, d fs.DirEntry) (entry, error) {
	info, err := d.Info()
	if err != nil {
		return entry{}, err
	}
	e := entry{name: name}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		e.link, err = os.Readlink(file)
	case info.Mode().IsRegular():
		e.executable = info.Mode()&0o100 != 0
		e.data, err = os.ReadFile(file) //nolint:gosec // below dir, which the caller chose
	default:
		err = fmt.Errorf("%s is neither a file, a directory nor a link", file)
	}
	return e, err
}

// hash adds the entry. Lengths come first, so that no two trees share a byte stream.
func (e entry) hash(sum io.Writer) error {
	var err error
	if e.link != "" {
		_, err = fmt.Fprintf(sum, "link %d %s %d %s\n", len(e.name), e.name, len(e.link), e.link)
	} else {
		_, err = fmt.Fprintf(sum, "file %d %s %t %d %s\n", len(e.name), e.name, e.executable, len(e.data), e.data)
	}
	return err
}

// junk are names that Ansible never reads, wherever they are: caches, editors' and systems' files, passwords, private
// keys.
var junk = []string{
	".git", ".ansible", ".cache", "__pycache__", "*.pyc", "*.retry",
	"*~", ".*.sw?", "#*#", ".#*", ".idea", ".vscode", ".DS_Store", "Thumbs.db",
	".vault-pass*", "vault-password*", ".vault_pass*", "vault_password*", "known_hosts",
	"*.pem", "*.key", "id_rsa", "id_ed25519",
	"hosts.generated.yml",
}

// source are names that Ansible reads only where roles keep the files they copy: there anything may be content.
var source = []string{"*.go", "*.md", "testdata", "tests", "molecule"}

// documents are those of `calldata routing` and `calldata setup`. ansible.cfg passes over them as well.
var documents = []string{"inventories/*/routing.yml", "inventories/*/tenant.yml"}

func ignored(rel string, dir bool) bool {
	matches := func(patterns []string) bool { return matchesAny(patterns, path.Base(rel)) }
	if matches(junk) || matchesAny(documents, rel) {
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

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}

// foreign tells whether it is part of another inventory than the named one, and not of what all share. No name means none is.
func foreign(rel, inventory string) bool {
	name, ok := strings.CutPrefix(rel, "inventories/")
	name, _, _ = strings.Cut(name, "/")
	return ok && inventory != "" && name != inventory && name != "shared"
}
