package baseline

import (
	"fmt"
	"strconv"
	"strings"
)

// rule is one of AWS Config's own rules.
// Source: AWS Config Developer Guide, "List of AWS Config Managed Rules".
type rule struct {
	// policies are the rules of our policy pack that look at the same before it is made (CD-...). Config looks at it after,
	// whoever made it. Empty are rules about what no stack of ours makes.
	policies string
	// identifier is AWS's name of the rule.
	identifier string
	// parameters are its settings; AWS takes text alone.
	parameters map[string]string
	// part, if there is one, is the part without which the rule makes no sense.
	part func(Parts) bool
}

// name is the rule's name as AWS writes it in its documents.
func (r rule) name() string { return strings.ReplaceAll(strings.ToLower(r.identifier), "_", "-") }

func (r rule) description() string {
	if r.policies == "" {
		return "About what is made by hand"
	}
	return "The same as " + r.policies + " of the policy pack, for what is there"
}

// allRules are the rules that hold for every environment alike. What differs between them, such as a standby of every
// database, is the policy pack's: a rule of AWS Config cannot tell a stage from a prod.
var allRules = []rule{
	{"CD-01", "EC2_IMDSV2_CHECK", nil, nil},
	{"CD-01", "EC2_LAUNCH_TEMPLATE_IMDSV2_CHECK", nil, nil},
	{"CD-03", "ENCRYPTED_VOLUMES", nil, nil},
	{"CD-04", "EC2_EBS_ENCRYPTION_BY_DEFAULT", nil, func(p Parts) bool { return p.EBSEncryption }},
	{"", "EBS_SNAPSHOT_BLOCK_PUBLIC_ACCESS", nil, func(p Parts) bool { return p.SnapshotBlock }},
	{"CD-05", "INCOMING_SSH_DISABLED", nil, nil},
	{"CD-06", "NACL_NO_UNRESTRICTED_SSH_RDP", nil, nil},
	// PostgreSQL, Asterisk's manager, RabbitMQ, Consul and Redis.
	{"CD-08", "RESTRICTED_INCOMING_TRAFFIC", map[string]string{
		"blockedPort1": "5432", "blockedPort2": "5038", "blockedPort3": "5672", "blockedPort4": "8500", "blockedPort5": "6379",
	}, nil},
	{"CD-09", "VPC_DEFAULT_SECURITY_GROUP_CLOSED", nil, nil},
	{"CD-12", "VPC_FLOW_LOGS_ENABLED", nil, nil},
	{"CD-13", "SUBNET_AUTO_ASSIGN_PUBLIC_IP_DISABLED", nil, nil},
	{"CD-16", "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED", nil, nil},
	{"CD-16", "S3_ACCOUNT_LEVEL_PUBLIC_ACCESS_BLOCKS_PERIODIC", nil, func(p Parts) bool { return p.S3Block }},
	{"CD-17", "S3_BUCKET_SSL_REQUESTS_ONLY", nil, nil},
	{"CD-18", "S3_BUCKET_VERSIONING_ENABLED", nil, nil},
	{"CD-19", "S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED", nil, nil},
	{"CD-22", "RDS_STORAGE_ENCRYPTED", nil, nil},
	{"CD-23", "RDS_INSTANCE_PUBLIC_ACCESS_CHECK", nil, nil},
	{"CD-26", "DB_INSTANCE_BACKUP_ENABLED", map[string]string{"backupRetentionMinimum": "7"}, nil},
	{"CD-27", "RDS_AUTOMATIC_MINOR_VERSION_UPGRADE_ENABLED", nil, nil},
	{"CD-29", "RDS_LOGGING_ENABLED", nil, nil},
	{"CD-30", "ALB_HTTP_DROP_INVALID_HEADER_ENABLED", nil, nil},
	{"CD-31", "ELB_LOGGING_ENABLED", nil, nil},
	{"CD-33", "ALB_HTTP_TO_HTTPS_REDIRECTION_CHECK", nil, nil},
	{"CD-35", "ELBV2_MULTIPLE_AZ", nil, nil},
	{"CD-36", "CMK_BACKING_KEY_ROTATION_ENABLED", nil, nil},
	{"", "KMS_CMK_NOT_SCHEDULED_FOR_DELETION", nil, nil},
	{"CD-37", "MULTI_REGION_CLOUD_TRAIL_ENABLED", nil, trailOn},
	{"CD-37", "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED", nil, trailOn},
	{"CD-37", "CLOUD_TRAIL_ENCRYPTION_ENABLED", nil, trailOn},
	{"CD-37", "CLOUD_TRAIL_CLOUD_WATCH_LOGS_ENABLED", nil, trailOn},
	{"CD-38", "GUARDDUTY_ENABLED_CENTRALIZED", nil, func(p Parts) bool { return p.GuardDuty }},
	{"CD-38", "SECURITYHUB_ENABLED", nil, func(p Parts) bool { return p.SecurityHub }},
	{"", "IAM_EXTERNAL_ACCESS_ANALYZER_ENABLED", nil, func(p Parts) bool { return p.AccessAnalyzer }},
	{"CD-39", "AUTOSCALING_LAUNCH_TEMPLATE", nil, nil},
	{"CD-39", "AUTOSCALING_MULTIPLE_AZ", nil, nil},
	{"CD-39", "AUTOSCALING_GROUP_ELB_HEALTHCHECK_REQUIRED", nil, nil},
	// As long as dev keeps them, the shortest.
	{"CD-41", "CW_LOGGROUP_RETENTION_PERIOD_CHECK", map[string]string{"MinRetentionTime": "14"}, nil},
	{"CD-42", "SECRETSMANAGER_USING_CMK", nil, nil},
	{"CD-43", "IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS", nil, nil},
	{"", "IAM_ROOT_ACCESS_KEY_CHECK", nil, nil},
	{"", "ROOT_ACCOUNT_MFA_ENABLED", nil, nil},
	{"", "MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS", nil, nil},
	{"", "ACCESS_KEYS_ROTATED", map[string]string{"maxAccessKeyAge": "90"}, nil}, // CIS v5.0.0, 1.13
	{"", "IAM_PASSWORD_POLICY", map[string]string{
		"MinimumPasswordLength": strconv.Itoa(passwordLength), "PasswordReusePrevention": strconv.Itoa(passwordsKept), "RequireLowercaseCharacters": "true",
		"RequireUppercaseCharacters": "true", "RequireNumbers": "true", "RequireSymbols": "true",
	}, func(p Parts) bool { return p.PasswordPolicy }},
	{"CD-44", "EC2_INSTANCE_MANAGED_BY_SSM", nil, nil},
	{"CD-44", "EC2_INSTANCE_PROFILE_ATTACHED", nil, nil},
	{"CD-46", "BACKUP_RECOVERY_POINT_ENCRYPTED", nil, nil},
	{"CD-47", "SNS_ENCRYPTED_KMS", nil, nil},
	{"CD-48", "REQUIRED_TAGS", requiredTags(), nil},
}

func trailOn(p Parts) bool { return p.Trail }

// rules are the rules that make sense with the parts that are on.
func rules(parts Parts) []rule {
	var on []rule
	for _, r := range allRules {
		if r.part == nil || r.part(parts) {
			on = append(on, r)
		}
	}
	return on
}

// requiredTags are the settings of the rule about tags. It takes six at most.
func requiredTags() map[string]string {
	all := map[string]string{}
	for i, key := range []string{"Project", "Environment", "Owner", "CostCenter", "ManagedBy"} {
		all[fmt.Sprintf("tag%dKey", i+1)] = key
	}
	return all
}
