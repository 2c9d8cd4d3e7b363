package ansible

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// WriteBundle writes the tree at dir to out as a gzipped tar archive, and answers the archive's SHA-256 in hexadecimal. It
// holds exactly what ContentHash is the hash of, for the same inventory, and is the same, byte for byte, on every machine and after every
// checkout: files belong to root, are 0644 or 0755, and have one and the same time.
//
// It fails on an unreadable file, and on a symbolic link that leads out of the tree: there, a machine that unpacks the
// archive has something else.
func WriteBundle(dir, inventory string, out io.Writer) (string, error) {
	sum := sha256.New()
	// Compressed bytes change with the version of Go, and with them the archive's name: every machine of every fleet would
	// be replaced. The content is small.
	compress, err := gzip.NewWriterLevel(io.MultiWriter(out, sum), gzip.NoCompression)
	if err != nil {
		return "", fmt.Errorf("bundle ansible content: %w", err)
	}
	archive := tar.NewWriter(compress)
	err = walkContent(dir, inventory, func(e entry) error { return e.pack(archive) })
	for _, c := range []io.Closer{archive, compress} {
		if closed := c.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return "", fmt.Errorf("bundle ansible content: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// packed is the time of every file in a bundle. tar warns of earlier ones.
var packed = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

func (e entry) pack(archive *tar.Writer) error {
	header := &tar.Header{Name: e.name, ModTime: packed, Mode: 0o644}
	switch {
	case e.link != "":
		target := path.Join(path.Dir(e.name), filepath.ToSlash(e.link))
		if path.IsAbs(e.link) || target == ".." || strings.HasPrefix(target, "../") {
			return fmt.Errorf("%s leads to %s, out of the tree", e.name, e.link)
		}
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, e.link, 0o777
	default:
		header.Typeflag, header.Size = tar.TypeReg, int64(len(e.data))
		if e.executable {
			header.Mode = 0o755
		}
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(e.data)
	return err
}
