package policy

import (
	"slices"
	"strings"
)

func machineRules() []Rule {
	return []Rule{
		{
			ID: "CD-01", Title: "Machines answer metadata requests by IMDSv2 only",
			Detail: "metadataOptions.httpTokens is required on every instance and launch template, or the endpoint is disabled. An instance that names a launch template may leave it to that.",
			Levels: levels(Mandatory, Dev, Stage, Prod),
			References: References{CIS: "5.7", SecurityHub: "EC2.8, EC2.170", Checkov: "CKV_AWS_79",
				Prowler: "ec2_launch_template_imdsv2_required"},
			check: func(c *checker) {
				for _, r := range c.machinesWithMetadata() {
					c.failUnless(r.get("metadataOptions", "httpTokens").mayBe("required"), r,
						"answers IMDSv1, which a request forged through any of its services reaches: set metadataOptions.httpTokens to required")
				}
			},
		},
		{
			ID: "CD-02", Title: "Metadata stays on the machine",
			Detail: "metadataOptions.httpPutResponseHopLimit is 1, and said so: some images make it 2. Hosts of containers need 2; they are an exception to be written down.",
			Levels: levels(Mandatory, Stage, Prod), References: References{Checkov: "CKV_AWS_341"},
			check: func(c *checker) {
				for _, r := range c.machinesWithMetadata() {
					limit := r.get("metadataOptions", "httpPutResponseHopLimit")
					n, known := limit.number()
					c.failUnless(limit.opaque() || known && n == 1, r,
						"lets metadata answers travel further than the machine: set metadataOptions.httpPutResponseHopLimit to 1")
				}
			},
		},
		{
			ID: "CD-03", Title: "Disks are encrypted with a key of our own",
			Detail: "Root and data volumes of instances and launch templates, and volumes of their own, are encrypted and name a KMS key other than alias/aws/ebs. " +
				"A stored state tells a key that the program named from one that AWS chose; a preview tells unless the volume exists already.",
			Levels:     levels(Mandatory, Dev, Stage, Prod),
			References: References{CIS: "5.1.1", SecurityHub: "EC2.3", Checkov: "CKV_AWS_3, CKV_AWS_8, CKV_AWS_189", Prowler: "ec2_ebs_volume_encryption"},
			check:      disksEncrypted,
		},
		{
			ID: "CD-14", Title: "Only SBCs, media relays and bastions have public addresses",
			Detail: "Instances with a public or Elastic IP, and launch templates that give one, have a tag Role of " + strings.Join(publicRoles, ", ") + ".",
			Levels: levels(Mandatory, Stage, Prod),
			References: References{SecurityHub: "EC2.9, EC2.25", Checkov: "CKV_AWS_88",
				Prowler: "ec2_launch_template_no_public_ip"},
			check: publicAddressesByRole,
		},
		{
			ID: "CD-44", Title: "Machines have a role, are managed by SSM, and in prod have no key pair",
			Detail: "Instances and launch templates have an instance profile; a role behind it that is in the stack has AmazonSSMManagedInstanceCore, or a policy that allows the same channels. " +
				"In prod keyName is empty. A profile or policy that cannot be seen passes.",
			Levels:     levels(Mandatory, Stage, Prod),
			References: References{CIS: "1.17", SecurityHub: "SSM.1", Checkov: "CKV2_AWS_41", Prowler: "ec2_instance_managed_by_ssm"},
			check:      managedBySSM,
		},
	}
}

// machinesWithMetadata lists what says how metadata is served: launch templates, and instances that do not leave it to
// one.
func (c *checker) machinesWithMetadata() []Resource {
	machines := c.of("ec2/instance", "ec2/launchTemplate", "ec2/launchConfiguration", "ec2/spotInstanceRequest")
	return slices.DeleteFunc(machines, func(r Resource) bool {
		options := r.get("metadataOptions")
		return options.get("httpEndpoint").is("disabled") || options.missing() && !r.get("launchTemplate").missing()
	})
}

func disksEncrypted(c *checker) {
	const advice = "set encrypted, and kmsKeyId to the stack's key for volumes"
	judge := func(r Resource, what string, disk, requested value) {
		switch {
		case !disk.get("encrypted").mayBeTrue():
			c.fail(r, "%s is not encrypted: %s", what, advice)
		case !requested.get("kmsKeyId").mayBeCustomerKey():
			c.fail(r, "%s is encrypted with AWS's own key, which nobody can withdraw or audit: %s", what, advice)
		}
	}
	for _, r := range c.of("ec2/instance") {
		if !r.get("rootBlockDevice").missing() || r.get("launchTemplate").missing() {
			judge(r, "the root volume", r.get("rootBlockDevice"), r.requested().get("rootBlockDevice"))
		}
		for _, disk := range r.requested().get("ebsBlockDevices").list() {
			judge(r, "a data volume", disk, disk)
		}
	}
	for _, r := range c.of("ec2/launchTemplate") {
		disks := r.requested().get("blockDeviceMappings")
		c.failUnless(!disks.missing(), r, "leaves its volumes to the image, where they are not encrypted: describe them in blockDeviceMappings, and %s", advice)
		for _, disk := range disks.list() {
			if disk.get("noDevice").missing() && disk.get("virtualName").missing() {
				judge(r, "a volume", disk.get("ebs"), disk.get("ebs"))
			}
		}
	}
	for _, r := range c.of("ebs/volume") {
		judge(r, "it", r.get(), r.requested().get())
	}
}

// publicRoles are the values of the tag Role of machines that the internet talks to without a load balancer.
var publicRoles = []string{"c4-sbc", "sbc", "media", "rtpengine", "bastion"}

func publicAddressesByRole(c *checker) {
	const advice = "only %v may have one; take it away, and reach the machine through a load balancer or SSM"
	for _, r := range c.of("ec2/instance") {
		if r.tag("Role").mayBe(publicRoles...) {
			continue
		}
		elastic := append(c.referrers(r, []string{"ec2/eipAssociation"}, "instanceId"), c.referrers(r, []string{"ec2/eip"}, "instance")...)
		switch {
		case len(elastic) > 0:
			c.fail(r, "has the Elastic IP %s: "+advice, elastic[0].Name, publicRoles)
		case r.get("associatePublicIpAddress").isTrue():
			c.fail(r, "has a public address: "+advice, publicRoles)
		}
	}
	for _, r := range c.of("ec2/launchTemplate") {
		for _, nic := range r.get("networkInterfaces").list() {
			if nic.get("associatePublicIpAddress").isTrue() && !roleOfTemplate(r).mayBe(publicRoles...) {
				c.fail(r, "gives its machines a public address: "+advice, publicRoles)
				break
			}
		}
	}
}

// roleOfTemplate is the tag Role that machines made from a launch template get.
func roleOfTemplate(r Resource) value {
	for _, spec := range r.get("tagSpecifications").list() {
		if spec.get("resourceType").is("instance") && !spec.get("tags", "Role").missing() {
			return spec.get("tags", "Role")
		}
	}
	return r.tag("Role")
}

// ssmPolicy is AWS's own policy for machines that SSM manages; ssmActions are the ones in it without which Session
// Manager does not work. Source: AWS Systems Manager User Guide, "Session Manager: minimum permissions".
const ssmPolicy = "AmazonSSMManagedInstanceCore"

var ssmActions = []string{"ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:OpenDataChannel"}

func managedBySSM(c *checker) {
	for _, r := range c.of("ec2/instance", "ec2/launchTemplate") {
		if c.Scope == Prod {
			c.failUnless(r.get("keyName").missing() || r.get("keyName").opaque(), r, "has a key pair: take keyName away; operators log in through SSM Session Manager")
		}
		if r.is("ec2/instance") && !r.get("launchTemplate").missing() && r.get("iamInstanceProfile").missing() {
			continue
		}
		if r.get("iamInstanceProfile").missing() {
			c.fail(r, "has no instance profile: give it the profile of its role")
			continue
		}
		for _, profile := range c.referents(r, []string{"iam/instanceProfile"}, "iamInstanceProfile") {
			for _, role := range c.referents(profile, []string{"iam/role"}, "role") {
				c.failUnless(c.mayBeManaged(role), r, "SSM cannot manage it: attach %s to the role %s", ssmPolicy, role.Name)
			}
		}
	}
}

// mayBeManaged reports whether machines with the role can, or may be able to, open SSM's channels.
func (c *checker) mayBeManaged(role Resource) bool {
	managed, documents := c.policiesOf(role)
	if slices.ContainsFunc(managed, func(arn value) bool {
		text, ok := arn.text()
		return !ok || strings.HasSuffix(text, "/"+ssmPolicy)
	}) {
		return true
	}
	allowed := map[string]bool{}
	for _, doc := range documents {
		d, err := parse(doc)
		if err != nil {
			return true
		}
		for _, s := range d.Statement {
			for _, action := range ssmActions {
				allowed[action] = allowed[action] || s.allows() && slices.ContainsFunc(s.Action, func(p string) bool { return matches(p, action) })
			}
		}
	}
	return !slices.ContainsFunc(ssmActions, func(a string) bool { return !allowed[a] })
}
