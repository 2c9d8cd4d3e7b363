package wazonode

import (
	_ "embed"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/userdata"
)

// base is what every node does at its first boot. Changing it replaces the machine, so it holds nothing that Ansible can
// do.
//
// manage_etc_hosts is localhost and not true: Wazo's wizard writes /etc/hosts, and cloud-init would write the whole file
// anew at every boot. Packages are left alone because Ansible pins where they come from, and because a machine with an
// Elastic IP has no way to the internet until that is attached.
const base = `hostname: %[1]s
fqdn: %[1]s.%[2]s
prefer_fqdn_over_hostname: false
preserve_hostname: false
manage_etc_hosts: localhost
ssh_pwauth: false
disable_root: true
package_update: false
package_upgrade: false
`

//go:embed scripts/data-volume.sh
var dataVolumeScript string

// userData is what cloud-init does at the first boot. It is known in a preview unless a data volume has yet to be made.
func (b *builder) userData() (pulumi.StringInput, error) {
	a := b.args
	config := userdata.Config{Base: fmt.Sprintf(base, a.HostName, a.Domain)}
	if a.InstallSSMAgent {
		file, command := userdata.SSMAgent(a.Region)
		config.Files, config.Commands = append(config.Files, file), append(config.Commands, command)
		if a.SSHPublicKey != "" {
			config.AuthorizedKeys = []string{a.SSHPublicKey}
		}
	}
	if a.DataVolume.GiB == 0 {
		text, err := config.Text()
		return pulumi.String(text), err
	}
	const script = "/usr/local/sbin/calldata-data-volume"
	config.Files = append(config.Files, userdata.File{Path: script, Mode: "0755", Content: dataVolumeScript})
	return b.self.DataVolumeID.ApplyT(func(id string) (string, error) {
		known := config
		known.Commands = append(known.Commands[:len(known.Commands):len(known.Commands)], []string{script, id, a.DataVolume.withDefaults().MountPoint})
		return known.Text()
	}).(pulumi.StringOutput), nil
}
