package main

import (
	"errors"
	"fmt"
	"strings"

	sdkschema "github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// An override changes what the bridge makes of one Terraform property.
type override struct {
	resource string
	// path is the dotted Terraform path of the property inside the resource.
	path string
	set  func(*tfbridge.SchemaInfo)
}

// overrides are the places where the AWS SDK v6 of Pulumi differs by hand from the bridge's default names and types.
// They were found by comparing this provider's schema with the structs of that SDK; the engine's schema test repeats
// the comparison.
func overrides() []override {
	all := []override{
		{"aws_cloudwatch_metric_alarm", "alarm_name", autoNamed("name", 255)},
		{"aws_dynamodb_table", "global_secondary_index", named("globalSecondaryIndexes")},
		{"aws_dynamodb_table", "local_secondary_index", named("localSecondaryIndexes")},
		{"aws_lb_target_group", "deregistration_delay", typed("integer")},
		{"aws_sns_topic_subscription", "topic_arn", named("topic")},
		{"aws_s3_bucket_legacy", "logging", asList},
		{"aws_s3_object", "source", asFileAsset},
	}
	for _, resource := range []string{"aws_security_group", "aws_default_security_group", "aws_network_acl", "aws_default_network_acl"} {
		all = append(all,
			override{resource, "ingress", named("ingress")},
			override{resource, "egress", named("egress")})
	}
	for _, path := range []string{
		"alias",
		"failover_routing_policy",
		"geolocation_routing_policy",
		"latency_routing_policy",
		"weighted_routing_policy",
	} {
		all = append(all, override{"aws_route53_record", path, asList})
	}
	for _, path := range []string{
		"rule.filter.object_size_greater_than",
		"rule.filter.object_size_less_than",
		"rule.noncurrent_version_expiration.newer_noncurrent_versions",
		"rule.noncurrent_version_transition.newer_noncurrent_versions",
	} {
		all = append(all, override{"aws_s3_bucket_lifecycle_configuration", path, typed("integer")})
	}
	// Statements of web ACL rules contain statements. Terraform writes that out three levels deep, in thousands of types;
	// the SDK has one type that contains itself.
	for _, in := range []string{
		"rule.statement",
		"rule.statement.managed_rule_group_statement.scope_down_statement",
		"rule.statement.rate_based_statement.scope_down_statement",
	} {
		for _, logic := range []string{"and", "or", "not"} {
			all = append(all, override{"aws_wafv2_web_acl", in + "." + logic + "_statement.statement",
				elements("aws:wafv2/WebAclRuleStatement:WebAclRuleStatement")})
		}
	}
	for _, target := range []string{"api_gateway", "app_runner_service", "cloudfront", "cognito_user_pool", "verified_access_instance"} {
		all = append(all, override{"aws_wafv2_web_acl", "association_config.request_body." + target, asList})
	}
	// BucketV2 keeps as lists what plain Bucket flattens.
	for _, path := range []string{
		"lifecycle_rule.expiration",
		"lifecycle_rule.noncurrent_version_expiration",
		"logging",
		"object_lock_configuration.rule",
		"object_lock_configuration.rule.default_retention",
		"replication_configuration",
		"replication_configuration.rules.destination",
		"replication_configuration.rules.destination.access_control_translation",
		"replication_configuration.rules.destination.metrics",
		"replication_configuration.rules.destination.replication_time",
		"replication_configuration.rules.filter",
		"replication_configuration.rules.source_selection_criteria",
		"replication_configuration.rules.source_selection_criteria.sse_kms_encrypted_objects",
		"server_side_encryption_configuration",
		"server_side_encryption_configuration.rule",
		"server_side_encryption_configuration.rule.apply_server_side_encryption_by_default",
		"versioning",
		"website",
	} {
		all = append(all, override{"aws_s3_bucket", path, asList})
	}
	return all
}

// identities are the properties that identify resources of the plugin framework whose schema has no id.
// Source: Pulumi's AWS SDK v6, "Import" of each.
var identities = map[string]resource.PropertyKey{"aws_chatbot_slack_channel_configuration": "chatConfigurationArn"}

func named(name string) func(*tfbridge.SchemaInfo) {
	return func(s *tfbridge.SchemaInfo) { s.Name = name }
}

// autoNamed makes a name of the resource's logical one where the program gives none. The bridge does that by itself for
// what is called name in Terraform too.
func autoNamed(name string, length int) func(*tfbridge.SchemaInfo) {
	return func(s *tfbridge.SchemaInfo) { *s = *tfbridge.AutoName(name, length, "-") }
}

func typed(t tokens.Type) func(*tfbridge.SchemaInfo) {
	return func(s *tfbridge.SchemaInfo) { s.Type = t }
}

func asList(s *tfbridge.SchemaInfo) { s.MaxItemsOne = tfbridge.False() }

// elements makes a list's elements a type that is there already.
func elements(t tokens.Type) func(*tfbridge.SchemaInfo) {
	return func(s *tfbridge.SchemaInfo) { s.Elem = &tfbridge.SchemaInfo{Type: t, OmitType: true} }
}

func asFileAsset(s *tfbridge.SchemaInfo) {
	s.Asset = &tfbridge.AssetTranslation{Kind: tfbridge.FileAsset}
}

// applyOverrides applies all overrides to info, and hides the input tagsAll, which the SDK does not have. Every
// override of a resource that the token table lacks is reported.
func applyOverrides(info *tfbridge.ProviderInfo, sdkResources map[string]*sdkschema.Resource) error {
	var errs []error
	for _, o := range overrides() {
		resource := info.Resources[o.resource]
		if resource == nil {
			errs = append(errs, fmt.Errorf("override of %s.%s: the resource is not in tokens.txt", o.resource, o.path))
			continue
		}
		o.set(field(resource, strings.Split(o.path, ".")))
	}
	for name, property := range identities {
		info.Resources[name].ComputeID = tfbridge.DelegateIDField(property, info.Name, "")
	}
	for name, resource := range info.Resources {
		// Resources of the plugin framework compute tags_all themselves; the mark is for those of the older SDK.
		if _, ok := sdkResources[strings.TrimSuffix(name, "_legacy")]; !ok {
			continue
		}
		if shimmed := info.P.ResourcesMap().Get(name); shimmed != nil {
			if _, ok := shimmed.Schema().GetOk("tags_all"); ok {
				field(resource, []string{"tags_all"}).MarkAsComputedOnly = tfbridge.True()
			}
		}
	}
	return errors.Join(errs...)
}

// field answers the settings of the property at path, made where they do not exist yet.
func field(resource *tfbridge.ResourceInfo, path []string) *tfbridge.SchemaInfo {
	if resource.Fields == nil {
		resource.Fields = map[string]*tfbridge.SchemaInfo{}
	}
	fields := resource.Fields
	for i, name := range path {
		s := fields[name]
		if s == nil {
			s = &tfbridge.SchemaInfo{}
			fields[name] = s
		}
		if i == len(path)-1 {
			return s
		}
		if s.Elem == nil {
			s.Elem = &tfbridge.SchemaInfo{}
		}
		if s.Elem.Fields == nil {
			s.Elem.Fields = map[string]*tfbridge.SchemaInfo{}
		}
		fields = s.Elem.Fields
	}
	return nil
}
