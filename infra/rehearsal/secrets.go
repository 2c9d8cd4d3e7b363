package rehearsal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"filippo.io/age"
	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"
)

// secrets are made anew for every rehearsal, live in files of mode 0600, and are searched for at its end in every place
// where they must not be.
type secrets struct {
	// vars is the file for Ansible, passphrase the one for Pulumi, key the SSH private key, backup the key of backups.
	vars, passphrase, key, backup string
	// publicKey is the SSH public key in authorized_keys form.
	publicKey string
	// values are what a scan looks for: name to value. More are added while scans run.
	mu     sync.Mutex
	values map[string]string
}

// add makes scans look for one more secret.
func (s *secrets) add(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
}

func newSecrets(dir string) (*secrets, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &secrets{
		vars:       filepath.Join(dir, "vars.yml"),
		passphrase: filepath.Join(dir, "passphrase"),
		key:        filepath.Join(dir, "id_ed25519"),
		backup:     filepath.Join(dir, "backup.key"),
		values: map[string]string{
			"passphrase": rand.Text(),
		},
	}
	opener, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	s.values["key of backups"] = opener.String()
	entries := map[string]any{"backup_encryption": "age", "backup_recipients": []string{opener.Recipient().String()}}
	for _, name := range []string{"engine_api_root_password", "smoke_sip_password", secretOfPhoneOne, secretOfPhoneTwo} {
		s.values[name] = rand.Text()
		entries[name] = s.values[name]
	}
	vars, err := yaml.Marshal(entries)
	if err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "calldata rehearsal")
	if err != nil {
		return nil, err
	}
	authorized, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	s.publicKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(authorized))) + " calldata-rehearsal"
	// The seed in the form that the key file holds it: a line of base64 from its middle would betray it anywhere.
	body := base64.StdEncoding.EncodeToString(block.Bytes)
	s.values["ssh private key"] = body[len(body)/2 : len(body)/2+48]

	for file, data := range map[string][]byte{
		s.vars: vars, s.passphrase: []byte(s.values["passphrase"]), s.key: pem.EncodeToMemory(block), s.backup: []byte(opener.String() + "\n"),
	} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return nil, fmt.Errorf("write secret file: %w", err)
		}
	}
	return s, nil
}

// find answers the names of the secrets that data holds, as they are or with line breaks taken out.
func (s *secrets) find(data []byte) []string {
	joined := bytes.ReplaceAll(data, []byte("\n"), nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, value := range s.values {
		if bytes.Contains(data, []byte(value)) || bytes.Contains(joined, []byte(value)) {
			names = append(names, name)
		}
	}
	return names
}
