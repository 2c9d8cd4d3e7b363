package vaultfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Mark begins a file that is encrypted as a whole.
// Source: Ansible Community Documentation, "Protecting sensitive data with Ansible vault", File format.
const Mark = "$ANSIBLE_VAULT;"

// Is reports whether data is a vault.
func Is(data []byte) bool { return bytes.HasPrefix(data, []byte(Mark)) }

// Find answers the vaults below dir in alphabetical order. Links are not followed: what they lead to is shared.
func Find(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && Holds(path) {
			found = append(found, path)
		}
		return err
	})
	return found, err
}

// Holds reports whether a file is a vault. One that cannot be read is none.
func Holds(path string) bool {
	file, err := os.Open(path) //nolint:gosec // only its first bytes are looked at
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, len(Mark))
	_, err = io.ReadFull(file, head)
	return err == nil && Is(head)
}

// Program is Ansible's ansible-vault.
type Program string

// Locate finds ansible-vault beside ansible-playbook, which CALLDATA_ANSIBLE_PLAYBOOK names, or on PATH.
func Locate(getenv func(string) string) (Program, error) {
	if playbook := getenv("CALLDATA_ANSIBLE_PLAYBOOK"); playbook != "" {
		found, err := exec.LookPath(playbook)
		if err == nil {
			playbook = found
		}
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(playbook), "ansible-vault")); err == nil {
			return Program(path), nil
		}
	}
	path, err := exec.LookPath("ansible-vault")
	if err != nil {
		return "", fmt.Errorf("%w: install ansible-core, for example `pipx install --include-deps ansible==9.13.0`, or set CALLDATA_ANSIBLE_PLAYBOOK", err)
	}
	return Program(path), nil
}

// Command prepares ansible-vault with a verb. The password is read from a file; the environment has none.
func (p Program) Command(ctx context.Context, verb, passwordFile string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, string(p), append([]string{verb, "--vault-password-file", passwordFile}, args...)...) //nolint:gosec // Ansible's own program
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, ValueVariable+"=") && !strings.HasPrefix(pair, "ANSIBLE_VAULT") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	return cmd
}

// run is Command to its end. What the program says goes into the error; it never says a secret.
func (p Program) run(ctx context.Context, stdin []byte, verb, passwordFile string, args ...string) ([]byte, error) {
	cmd := p.Command(ctx, verb, passwordFile, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ansible-vault %s: %w: %s", verb, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// View answers what a vault holds.
func (p Program) View(ctx context.Context, passwordFile, file string) ([]byte, error) {
	out, err := p.run(ctx, nil, "view", passwordFile, file)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	return out, nil
}

// Encrypt answers plain as a vault. It never lies on the disk.
func (p Program) Encrypt(ctx context.Context, passwordFile string, plain []byte) ([]byte, error) {
	return p.run(ctx, plain, "encrypt", passwordFile, "--output", "-", "-")
}

// Variables reads what a vault of group variables holds. The parser's error is not shown, because it quotes the file.
func Variables(file string, plain []byte) (map[string]any, error) {
	vars := map[string]any{}
	if yaml.Unmarshal(plain, &vars) != nil {
		return nil, fmt.Errorf("%s does not hold a YAML map of variables: write a line `name: \"value\"` for each", file)
	}
	return vars, nil
}

// Replace writes a file so that a reader finds the old or the new one, whole.
func Replace(path string, data []byte) error {
	fresh, err := os.CreateTemp(filepath.Dir(path), ".vault-*")
	if err != nil {
		return err
	}
	_, err = fresh.Write(data)
	if err = errors.Join(err, fresh.Sync(), fresh.Close()); err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		_ = os.Remove(fresh.Name())
	}
	return err
}
