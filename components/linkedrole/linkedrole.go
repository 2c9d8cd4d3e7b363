package linkedrole

// Role is a service-linked role: AWS defines what it may do, an account has one of each, and nobody else can take it on.
type Role struct {
	// Service is the service that takes it on, Name the role's name.
	Service, Name string
	// Needed says who names it before the service itself would have made it.
	Needed string
}

var (
	// AutoScaling starts the machines of fleets. AWS makes it with an account's first group, but the key of the fleets' disks
	// has to name it before, and KMS refuses policies that name nobody.
	// Source: Amazon EC2 Auto Scaling User Guide, "Service-linked roles"; AWS KMS API Reference, PutKeyPolicy, Policy.
	AutoScaling = Role{"autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", "the key of the fleets' disks"}
	// Config records for AWS Config, which makes it for its console alone.
	// Source: AWS Config Developer Guide, "Using Service-Linked Roles for AWS Config"; awslabs/landing-zone-accelerator-on-aws
	// issue 857.
	Config = Role{"config.amazonaws.com", "AWSServiceRoleForConfig", "the recorder of AWS Config"}
)

// All lists the roles.
func All() []Role { return []Role{AutoScaling, Config} }

// ARN is the role's ARN in an account.
func (r Role) ARN(account string) string {
	return "arn:aws:iam::" + account + ":role/aws-service-role/" + r.Service + "/" + r.Name
}

// Command makes the role by hand.
func (r Role) Command() string {
	return "aws iam create-service-linked-role --aws-service-name " + r.Service
}
