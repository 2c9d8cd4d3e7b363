package machines

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// hostKey is a machine's SSH host key, made on this side so that it is known before the first connection.
type hostKey struct {
	private []byte // OpenSSH's PEM
	public  string // "ssh-ed25519 AAAA…"
}

func newHostKey() (hostKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return hostKey{}, fmt.Errorf("make host key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return hostKey{}, fmt.Errorf("make host key: %w", err)
	}
	encoded, err := ssh.NewPublicKey(public)
	if err != nil {
		return hostKey{}, fmt.Errorf("make host key: %w", err)
	}
	return hostKey{private: pem.EncodeToMemory(block), public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(encoded)))}, nil
}

// knownHost is a line of ssh's known_hosts: one key under all addresses of a machine.
type knownHost struct {
	addresses []netip.Addr
	key       string
}

// writeKnownHosts replaces the file at path, so that a reader sees either the old one or the new one.
func writeKnownHosts(path string, hosts []knownHost) error {
	var lines []string
	for _, h := range hosts {
		var names []string
		for _, a := range h.addresses {
			if a.IsValid() {
				names = append(names, a.String())
			}
		}
		lines = append(lines, strings.Join(names, ",")+" "+h.key+"\n")
	}
	slices.Sort(lines)
	temp := path + ".new"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write known hosts: %w", err)
	}
	if err := os.WriteFile(temp, []byte(strings.Join(lines, "")), 0o600); err != nil {
		return fmt.Errorf("write known hosts: %w", err)
	}
	return os.Rename(temp, path)
}
