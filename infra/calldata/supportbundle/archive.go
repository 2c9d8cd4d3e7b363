package supportbundle

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/redact"
)

// archive is a bundle that is being written. What goes in goes through the redactor: there is no other way.
type archive struct {
	redactor *redact.Redactor
	at       time.Time

	mu    sync.Mutex
	file  *os.File
	zip   *gzip.Writer
	tar   *tar.Writer
	err   error
	files []string
}

// create makes a new file beside where the bundle will be.
func create(path string, r *redact.Redactor, at time.Time) (*archive, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".calldata-bundle-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("make the bundle: %w", err)
	}
	a := &archive{redactor: r, at: at, file: file, zip: gzip.NewWriter(file)}
	a.tar = tar.NewWriter(a.zip)
	return a, nil
}

// text adds a file.
func (a *archive) text(name, content string) {
	data := []byte(a.redactor.String(content))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return
	}
	a.err = a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: a.at, Typeflag: tar.TypeReg})
	if a.err == nil {
		_, a.err = a.tar.Write(data)
	}
	a.files = append(a.files, name)
}

// json adds a value as indented JSON.
func (a *archive) json(name string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err == nil {
		a.text(name, string(data)+"\n")
	}
	return err
}

// close ends the bundle and gives it its name, unless something went wrong. It answers its size.
func (a *archive) close(path string) (int64, error) {
	err := errors.Join(a.err, a.tar.Close(), a.zip.Close(), a.file.Sync())
	info, statErr := a.file.Stat()
	err = errors.Join(err, statErr, a.file.Close())
	if err == nil {
		// A link fails where something has the name already; a rename would take its place.
		err = os.Link(a.file.Name(), path)
	}
	_ = os.Remove(a.file.Name())
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	slices.Sort(a.files)
	return info.Size(), nil
}
