package machines

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
)

// Spec is what an EC2 instance tells about itself before it boots.
type Spec struct {
	// InstanceID is the EC2 instance id. It is the machine's name, too.
	InstanceID string
	// Hostname is the machine's first host name. Default: the one that EC2 gives, ip-10-20-0-4.
	Hostname string
	// PrivateIP is the address in the subnet, with the subnet's size. The subnet's first address is the gateway.
	PrivateIP netip.Prefix
	// ElasticIP is the public address at boot; the zero address is none. SetElasticIP changes it later.
	ElasticIP netip.Addr
	// UserData is run by cloud-init, as on EC2.
	UserData []byte
	// PublicKeys may log in as admin, in the form of an authorized_keys line.
	PublicKeys []string
	// KeyName, Region, Zone, InstanceType and ImageID are what cloud-init finds in its metadata.
	KeyName, Region, Zone, InstanceType, ImageID string
}

var validMachine = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Validate reports every field that a machine could not be made from.
func (s Spec) Validate() error {
	var errs []error
	if !validMachine.MatchString(s.InstanceID) {
		errs = append(errs, fmt.Errorf("instance id is %q: want lower case letters, digits and dashes", s.InstanceID))
	}
	if s.Hostname != "" && !validMachine.MatchString(s.Hostname) {
		errs = append(errs, fmt.Errorf("host name of %s is %q: want lower case letters, digits and dashes", s.InstanceID, s.Hostname))
	}
	if !s.PrivateIP.IsValid() || !s.PrivateIP.Addr().Is4() || s.PrivateIP.Bits() > 29 {
		errs = append(errs, fmt.Errorf("private address of %s is %s: want an IPv4 address with the size of its subnet, for example 10.20.0.4/20", s.InstanceID, s.PrivateIP))
	}
	if s.ElasticIP.IsValid() && !s.ElasticIP.Is4() {
		errs = append(errs, fmt.Errorf("elastic address of %s is %s: want IPv4", s.InstanceID, s.ElasticIP))
	}
	return errors.Join(errs...)
}

// hostname is the name that EC2 gives from the address
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-naming.html).
func (s Spec) hostname() string {
	if s.Hostname != "" {
		return s.Hostname
	}
	return "ip-" + strings.ReplaceAll(s.PrivateIP.Addr().String(), ".", "-")
}

// seedDir is where cloud-init's NoCloud source looks first
// (https://cloudinit.readthedocs.io/en/22.4.2/topics/datasources/nocloud.html).
const seedDir = "var/lib/cloud/seed/nocloud"

// files are what a machine of this spec has on its own disk, by path from its root.
func (s Spec) files(key hostKey) (map[string]file, error) {
	metadata := map[string]any{
		"instance-id":    s.InstanceID,
		"local-hostname": s.hostname(),
		"public-keys":    s.PublicKeys,
		"region":         s.Region, "availability-zone": s.Zone,
		"instance-type": s.InstanceType, "ami-id": s.ImageID, "key-name": s.KeyName,
		"local-ipv4": s.PrivateIP.Addr().String(),
	}
	// JSON is YAML, which cloud-init reads.
	meta, err := json.MarshalIndent(metadata, "", "  ")
	if err != nil {
		return nil, err
	}
	network := fmt.Sprintf(`[Match]
Name=host0

[Network]
Address=%s
Gateway=%s
LinkLocalAddressing=no
IPv6AcceptRA=no
`, s.PrivateIP, Gateway(s.PrivateIP))
	hosts := fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", s.PrivateIP.Addr(), s.hostname())
	return map[string]file{
		"etc/hostname":                         {data: []byte(s.hostname() + "\n"), mode: 0o644},
		"etc/hosts":                            {data: []byte(hosts), mode: 0o644},
		"etc/systemd/network/10-host0.network": {data: []byte(network), mode: 0o644},
		"etc/ssh/ssh_host_ed25519_key":         {data: key.private, mode: 0o600},
		"etc/ssh/ssh_host_ed25519_key.pub":     {data: []byte(key.public + "\n"), mode: 0o644},
		seedDir + "/meta-data":                 {data: meta, mode: 0o600},
		seedDir + "/user-data":                 {data: s.UserData, mode: 0o600},
	}, nil
}

// file is content with its permissions.
type file struct {
	data []byte
	mode os.FileMode
}

// writeFiles writes files below dir. Symbolic links that lead out of it are refused: a machine that ran before may have
// left any.
func writeFiles(dir string, files map[string]file) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for path, f := range files {
		if i := strings.LastIndexByte(path, '/'); i > 0 {
			if err := root.MkdirAll(path[:i], 0o755); err != nil {
				return fmt.Errorf("write %s of the machine: %w", path, err)
			}
		}
		if err := root.WriteFile(path, f.data, f.mode); err != nil {
			return fmt.Errorf("write %s of the machine: %w", path, err)
		}
	}
	return nil
}
