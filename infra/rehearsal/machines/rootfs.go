package machines

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// rootfsFile is a file that every machine has on top of Debian's own.
type rootfsFile struct {
	path string
	data []byte
}

// rootfsFiles lists the embedded files in a fixed order, with paths from the machine's root.
func rootfsFiles() ([]rootfsFile, error) {
	var files []rootfsFile
	err := fs.WalkDir(rootfs, "rootfs", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := rootfs.ReadFile(path)
		files = append(files, rootfsFile{path: strings.TrimPrefix(path, "rootfs/"), data: data})
		return err
	})
	return files, err
}

// writeRootfs lays the embedded files over the system at root.
func writeRootfs(root string) error {
	files, err := rootfsFiles()
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // system directories
			return err
		}
		if err := os.WriteFile(path, f.data, 0o644); err != nil { //nolint:gosec // nothing secret in an image
			return err
		}
	}
	return nil
}
