package wazonode

import "fmt"

// userData is what cloud-init does at the first boot. Anybody on the machine can read it, so it holds nothing secret,
// and changing it replaces the machine, so it holds nothing that Ansible can do.
//
// manage_etc_hosts is localhost and not true: Wazo's wizard writes /etc/hosts, and cloud-init would write the whole file
// anew at every boot. Packages are left alone because Ansible pins where they come from, and because the machine has no
// way to the internet until its Elastic IP is attached.
// Source of the keys: cloud-init documentation, module reference.
func userData(host, domain string) string {
	return fmt.Sprintf(`#cloud-config
hostname: %[1]s
fqdn: %[1]s.%[2]s
prefer_fqdn_over_hostname: false
preserve_hostname: false
manage_etc_hosts: localhost
ssh_pwauth: false
disable_root: true
package_update: false
package_upgrade: false
`, host, domain)
}
