package machines

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
)

// Where Debian keeps the authorities that a machine trusts: those of its own administrator, which survive an update of
// the list, and the list itself, as one file and by the hashes of the names (update-ca-certificates(8), openssl-rehash(1)).
const (
	trustOwn    = "usr/local/share/ca-certificates/calldata-rehearsal.crt"
	trustDir    = "etc/ssl/certs"
	trustBundle = trustDir + "/ca-certificates.crt"
)

// trusted are the files that make the machine trust the set's authority, as update-ca-certificates would write them.
func (m *machine) trusted() (map[string]file, error) {
	certificate := m.set.o.Trust
	if len(certificate) == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(m.root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	bundle, err := root.ReadFile(trustBundle)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the authorities that the machine trusts: %w", err)
	}
	if !bytes.Contains(bundle, certificate) {
		bundle = append(bundle, certificate...)
	}
	// The image has OpenSSL, which ca-certificates needs; this host may have none.
	hash := exec.Command("chroot", m.set.o.Image.Root, "openssl", "x509", "-hash", "-noout") //nolint:noctx,gosec // ends by itself
	hash.Stdin = bytes.NewReader(certificate)
	name, err := hash.Output()
	if err != nil {
		return nil, explain("hash the name of the authority that machines trust", err)
	}
	return map[string]file{
		trustOwn:    {data: certificate, mode: 0o644},
		trustBundle: {data: bundle, mode: 0o644},
		trustDir + "/" + string(bytes.TrimSpace(name)) + ".0": {data: certificate, mode: 0o644},
	}, nil
}
