package wazonode

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Args describe the machine. Inputs may be unknown until AWS answers; everything else decides the graph's shape and is
// checked before the first resource.
type Args struct {
	// VpcID is the network that the machine's firewall belongs to.
	VpcID pulumi.StringInput
	// SubnetID is the subnet that the machine is in. With Public, it must have a route to the internet.
	SubnetID pulumi.StringInput

	// HostName is the machine's host name, one label in lower case.
	HostName string
	// Domain completes the host name.
	Domain string
	// InstanceType is an amd64 EC2 type.
	InstanceType string
	// AMIID pins the image: changing it replaces the machine. Empty means the newest Debian 12 for amd64 when the machine
	// is made, and no replacement when a newer one appears.
	AMIID string
	// RootVolumeGiB is the size of the encrypted root volume in GiB.
	RootVolumeGiB int
	// SSHPublicKey is an operator's key, in OpenSSH form. The machine takes it at its first boot; another key later is for
	// the next machine.
	SSHPublicKey string
	// Ingress is who may reach which port. PortTable names the ports that must stay closed whatever it says.
	Ingress   []ports.Rule
	PortTable []ports.Port
	// Public gives the machine an Elastic IP.
	Public bool
	// Protect keeps Pulumi from deleting the Elastic IP, and EC2 from terminating the machine. Replacing the machine
	// remains possible and keeps the address.
	Protect bool
	// Tags are given to everything that takes tags; Role says what the machine serves.
	Tags tags.Tags
}

var (
	labelForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)                                        // RFC 1123
	domainForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`) // RFC 1123
	amiForm    = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	typeForm   = regexp.MustCompile(`^[a-z0-9-]+\.[a-z0-9-]+$`)
	keyForm    = regexp.MustCompile(`^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( [^\n]*)?$`)
)

// minRootVolumeGiB is what Debian's image itself has. Source: wiki.debian.org, Cloud/AmazonEC2Image/Bookworm.
const minRootVolumeGiB = 8

// Validate reports every field that EC2 or cloud-init would refuse. No error shows the SSH key.
func (a Args) Validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	need(a.VpcID != nil, "VPC id: it is missing")
	need(a.SubnetID != nil, "subnet id: it is missing")
	need(labelForm.MatchString(a.HostName), "host name: %q is not one lower case label of at most 63 letters, digits and hyphens", a.HostName)
	need(domainForm.MatchString(a.Domain), "domain: %q is not a domain name in lower case", a.Domain)
	need(typeForm.MatchString(a.InstanceType), "instance type: %q is not like t3.xlarge", a.InstanceType)
	need(a.AMIID == "" || amiForm.MatchString(a.AMIID), "AMI id: %q is not ami- and 8 or 17 hexadecimal digits", a.AMIID)
	need(a.RootVolumeGiB >= minRootVolumeGiB, "root volume: %d GiB is less than the image's %d", a.RootVolumeGiB, minRootVolumeGiB)
	need(keyForm.MatchString(a.SSHPublicKey), "SSH public key: it is not one line like `ssh-ed25519 AAAA...` (not shown)")
	if err := ports.CheckRules(a.PortTable, a.Ingress); err != nil {
		errs = append(errs, fmt.Errorf("ingress: %w", err))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}
