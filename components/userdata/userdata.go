package userdata

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// MaxBytes is how long user data may be before its encoding.
// Source: Amazon EC2 User Guide, "Run commands when you launch an EC2 instance with user data input".
const MaxBytes = 16 * 1024

// Config is a cloud-config.
// Source of the keys: cloud-init documentation, module reference.
type Config struct {
	// Base are settings of other keys than those below, in YAML. It may be empty.
	Base string
	// AuthorizedKeys are SSH public keys that the image's default user accepts.
	AuthorizedKeys []string
	// Files are written before the first command.
	Files []File
	// Commands are run at the end of the first boot, one after the other, whatever became of those before.
	Commands [][]string
}

// File is a file that belongs to root.
type File struct {
	Path    string `yaml:"path"`
	Mode    string `yaml:"permissions"`
	Content string `yaml:"content"`
}

// Text is the document. It fails if that is longer than EC2 takes.
func (c Config) Text() (string, error) {
	var out bytes.Buffer
	out.WriteString("#cloud-config\n" + c.Base)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	added := struct {
		Keys     []string   `yaml:"ssh_authorized_keys,omitempty"`
		Files    []File     `yaml:"write_files,omitempty"`
		Commands [][]string `yaml:"runcmd,omitempty,flow"`
	}{c.AuthorizedKeys, c.Files, c.Commands}
	if len(added.Keys)+len(added.Files)+len(added.Commands) > 0 {
		if err := encoder.Encode(added); err != nil {
			return "", fmt.Errorf("write user data: %w", err)
		}
	}
	if out.Len() > MaxBytes {
		return "", fmt.Errorf("the user data has %d bytes, EC2 takes %d: give the machine less to begin with", out.Len(), MaxBytes)
	}
	return out.String(), nil
}

var keyForm = regexp.MustCompile(`^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( [^\n]*)?$`)

// IsPublicKey reports whether line is an SSH public key in OpenSSH form, of a kind that EC2 takes.
// Source: Amazon EC2 User Guide, "Amazon EC2 key pairs and Amazon EC2 instances".
func IsPublicKey(line string) bool { return keyForm.MatchString(line) }

//go:embed scripts/ssm-agent.sh
var ssmAgent string

// SSMAgent are the file and the command that install AWS's Systems Manager agent, which Debian's image lacks. The machine
// needs its way to the region's S3 by then. A machine whose agent could not be installed boots all the same.
func SSMAgent(region string) (File, []string) {
	const path = "/usr/local/sbin/calldata-ssm-agent"
	return File{Path: path, Mode: "0755", Content: ssmAgent}, []string{path, region}
}
