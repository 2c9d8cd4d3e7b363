package wazonode

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/noderole"
	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/components/userdata"
)

// Args describe the machine. Inputs may be unknown until AWS answers; everything else decides the graph's shape and is
// checked before the first resource.
type Args struct {
	// SubnetID is the subnet that the machine is in. It must have a route to the internet: a gateway with Public, else NAT.
	SubnetID pulumi.StringInput
	// SecurityGroupIDs are the machine's firewall. Firewall are its rules and whatever else the machine needs to be reached.
	SecurityGroupIDs pulumi.StringArrayInput
	Firewall         []pulumi.Resource
	// VolumeKMSKeyARN is the key that the volumes are encrypted with. Nil means AWS's own.
	VolumeKMSKeyARN pulumi.StringInput

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
	// DataVolume is a disk of its own for data that must outlive the machine.
	DataVolume DataVolumeArgs
	// Zone is the subnet's availability zone. Needed with a data volume, which lives in one.
	Zone string
	// Region is the AWS region. Needed with AutoRecovery and InstallSSMAgent.
	Region string

	// SSHPublicKey is an operator's key, in OpenSSH form. The machine takes it at its first boot.
	//
	// Without InstallSSMAgent it is needed and becomes an EC2 key pair; another key later is for the next machine. With
	// InstallSSMAgent there is no key pair, and the key is optional: it stands in the user data, so that another one
	// replaces the machine. Give the key of the pipeline that configures the machine first; keys of people, and later
	// ones, are Ansible's (common_users).
	SSHPublicKey string
	// InstallSSMAgent makes the machine install the Systems Manager agent at its first boot, for a machine that SSH from
	// outside does not reach. It boots without the agent if that fails.
	InstallSSMAgent bool
	// Grants are what the machine may do in AWS besides being managed by Systems Manager.
	Grants noderole.Grants

	// DetailedMonitoring gives metrics each minute instead of each five minutes. It costs by the metric.
	DetailedMonitoring bool
	// AutoRecovery moves the machine to other hardware when its own fails, and reboots it when it does not answer.
	AutoRecovery bool
	// Public gives the machine an Elastic IP.
	Public bool
	// Protect keeps Pulumi from deleting the Elastic IP and the data volume, and others than Pulumi from terminating the
	// machine. Replacing the machine remains possible and keeps both.
	Protect bool
	// Tags are given to everything that takes tags; Role says what the machine serves.
	Tags tags.Tags
}

// DataVolumeArgs describe a disk that survives its machine. Instance types on the Nitro System alone show it by its id.
type DataVolumeArgs struct {
	// GiB is its size. 0 means no data volume. It may grow, never shrink; its file system follows at the next boot.
	GiB int
	// Device is the name under which EC2 attaches it. Default /dev/sdf.
	Device string
	// MountPoint is the directory that it holds. Default /var/lib/postgresql. The machine formats the volume as ext4 when
	// it is blank, and at no other time.
	MountPoint string
}

const (
	defaultDevice     = "/dev/sdf"
	defaultMountPoint = "/var/lib/postgresql"
	// maxVolumeGiB is the largest gp3 volume. Source: Amazon EBS User Guide, "General Purpose SSD volumes".
	maxVolumeGiB = 16384
)

func (d DataVolumeArgs) withDefaults() DataVolumeArgs {
	d.Device, d.MountPoint = cmp.Or(d.Device, defaultDevice), cmp.Or(d.MountPoint, defaultMountPoint)
	return d
}

var (
	// Source: Amazon EC2 User Guide, "Device names for volumes on Amazon EC2 instances": what it recommends for EBS.
	deviceForm = regexp.MustCompile(`^/dev/sd[f-p]$`)
	mountForm  = regexp.MustCompile(`^(/[a-z0-9][a-z0-9._-]*)+$`)
	zoneForm   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$`)
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	labelForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)                                        // RFC 1123
	domainForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`) // RFC 1123
	amiForm    = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	typeForm   = regexp.MustCompile(`^[a-z0-9-]+\.[a-z0-9-]+$`)
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
	need(a.SubnetID != nil, "subnet id: it is missing")
	need(a.SecurityGroupIDs != nil, "security group ids: they are missing")
	need(labelForm.MatchString(a.HostName), "host name: %q is not one lower case label of at most 63 letters, digits and hyphens", a.HostName)
	need(domainForm.MatchString(a.Domain), "domain: %q is not a domain name in lower case", a.Domain)
	need(typeForm.MatchString(a.InstanceType), "instance type: %q is not like t3.xlarge", a.InstanceType)
	need(a.AMIID == "" || amiForm.MatchString(a.AMIID), "AMI id: %q is not ami- and 8 or 17 hexadecimal digits", a.AMIID)
	need(a.RootVolumeGiB >= minRootVolumeGiB, "root volume: %d GiB is less than the image's %d", a.RootVolumeGiB, minRootVolumeGiB)
	need(a.SSHPublicKey == "" && a.InstallSSMAgent || userdata.IsPublicKey(a.SSHPublicKey),
		"SSH public key: it is not one line like `ssh-ed25519 AAAA...` (not shown); only a machine with the Systems Manager agent does without")
	need(regionForm.MatchString(a.Region) || a.Region == "" && !a.AutoRecovery && !a.InstallSSMAgent, "region: %q is not like us-east-1", a.Region)
	if d := a.DataVolume.withDefaults(); d.GiB != 0 {
		need(d.GiB > 0 && d.GiB <= maxVolumeGiB, "data volume: %d GiB is not within 1 to %d", d.GiB, maxVolumeGiB)
		need(deviceForm.MatchString(d.Device), "data volume: the device %q is not one of /dev/sdf to /dev/sdp", d.Device)
		need(mountForm.MatchString(d.MountPoint), "data volume: the mount point %q is not an absolute path of lower case letters, digits and . _ -", d.MountPoint)
		need(zoneForm.MatchString(a.Zone), "zone: %q is not like us-east-1a; the data volume has to be made in one", a.Zone)
	}
	if err := a.Grants.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("grants: %w", err))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}
