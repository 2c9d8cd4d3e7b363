package baseline

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// trailNamespace is where the trail's metrics are.
const trailNamespace = "CallData/Trail"

// event is something in the trail that somebody should know of.
type event struct {
	// name is the metric's, and part of names of resources.
	name string
	// what is what happened, for whoever reads the alarm.
	what string
	// pattern finds it. Sources: CIS Amazon Web Services Foundations Benchmark v5.0.0, section 4; Amazon CloudWatch Logs User
	// Guide, "Filter pattern syntax for metric filters".
	pattern string
	// byDeployments says that our own deployments do it all the time, so that only what others do counts.
	byDeployments bool
	// threshold is how many in five minutes are worth an alarm.
	threshold int
}

// trailEvents are the events of CIS 4.1 to 4.15; 4.16 is Security Hub itself.
var trailEvents = []event{
	{"unauthorized-calls", "Many calls were refused (CIS 4.1)", // ten, since a preview that looks too far is refused now and then
		`($.errorCode="*UnauthorizedOperation") || ($.errorCode="AccessDenied*")`, false, 10},
	{"sign-in-without-mfa", "A user signed in to the console without a second factor (CIS 4.2)",
		`($.eventName="ConsoleLogin") && ($.additionalEventData.MFAUsed!="Yes") && ($.userIdentity.type="IAMUser") && ($.responseElements.ConsoleLogin="Success")`, false, 1},
	{"root", "The root user did something (CIS 4.3)",
		`$.userIdentity.type="Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType!="AwsServiceEvent"`, false, 1},
	{"iam-changes", "Rights were changed, but not by a deployment (CIS 4.4)",
		`($.eventSource="iam.amazonaws.com") && (($.eventName="Put*") || ($.eventName="Delete*") || ($.eventName="Attach*") || ($.eventName="Detach*") || ($.eventName="Create*") || ` +
			`($.eventName="Update*") || ($.eventName="Add*") || ($.eventName="Remove*"))`, true, 1},
	{"trail-changes", "CloudTrail was changed (CIS 4.5)",
		`($.eventName="CreateTrail") || ($.eventName="UpdateTrail") || ($.eventName="DeleteTrail") || ($.eventName="StartLogging") || ($.eventName="StopLogging")`, false, 1},
	{"sign-in-failures", "Signing in to the console failed several times (CIS 4.6)",
		`($.eventName="ConsoleLogin") && ($.errorMessage="Failed authentication")`, false, 3},
	{"key-loss", "A KMS key was disabled or is to be deleted (CIS 4.7)",
		`($.eventSource="kms.amazonaws.com") && (($.eventName="DisableKey") || ($.eventName="ScheduleKeyDeletion"))`, false, 1},
	{"bucket-policy-changes", "Who may reach a bucket was changed, but not by a deployment (CIS 4.8)",
		`($.eventSource="s3.amazonaws.com") && (($.eventName="PutBucketAcl") || ($.eventName="PutBucketPolicy") || ($.eventName="PutBucketCors") || ($.eventName="PutBucketLifecycle") || ` +
			`($.eventName="PutBucketReplication") || ($.eventName="DeleteBucketPolicy") || ($.eventName="DeleteBucketCors") || ($.eventName="DeleteBucketLifecycle") || ($.eventName="DeleteBucketReplication"))`, true, 1},
	{"config-changes", "AWS Config was changed (CIS 4.9)",
		`($.eventSource="config.amazonaws.com") && (($.eventName="StopConfigurationRecorder") || ($.eventName="DeleteDeliveryChannel") || ($.eventName="PutDeliveryChannel") || ` +
			`($.eventName="PutConfigurationRecorder"))`, false, 1},
	{"security-group-changes", "A firewall was changed, but not by a deployment (CIS 4.10)",
		`($.eventName="AuthorizeSecurityGroup*") || ($.eventName="RevokeSecurityGroup*") || ($.eventName="CreateSecurityGroup") || ($.eventName="DeleteSecurityGroup") || ($.eventName="ModifySecurityGroupRules")`, true, 1},
	{"network-acl-changes", "A network ACL was changed, but not by a deployment (CIS 4.11)",
		`($.eventName="CreateNetworkAcl*") || ($.eventName="DeleteNetworkAcl*") || ($.eventName="ReplaceNetworkAcl*")`, true, 1},
	{"gateway-changes", "A gateway was changed, but not by a deployment (CIS 4.12)",
		`($.eventName="CreateCustomerGateway") || ($.eventName="DeleteCustomerGateway") || ($.eventName="AttachInternetGateway") || ($.eventName="CreateInternetGateway") || ` +
			`($.eventName="DeleteInternetGateway") || ($.eventName="DetachInternetGateway")`, true, 1},
	{"route-changes", "A route was changed, but not by a deployment (CIS 4.13)",
		`($.eventSource="ec2.amazonaws.com") && (($.eventName="CreateRoute*") || ($.eventName="ReplaceRoute*") || ($.eventName="DeleteRoute*") || ($.eventName="DisassociateRouteTable"))`, true, 1},
	{"vpc-changes", "A network was changed, but not by a deployment (CIS 4.14)",
		`($.eventName="CreateVpc") || ($.eventName="DeleteVpc") || ($.eventName="ModifyVpcAttribute") || ($.eventName="*VpcPeeringConnection")`, true, 1},
	{"organization-changes", "The organisation was changed (CIS 4.15)",
		`($.eventSource="organizations.amazonaws.com") && ($.readOnly IS FALSE)`, false, 1},
}

// pattern is the filter of an event. Sessions of our workflows' roles, whose names begin with the project's, are left out
// where deployments do the same all the time; users and the root user have no session.
func (b *builder) pattern(e event) string {
	if !e.byDeployments {
		return "{ " + e.pattern + " }"
	}
	const issuer = "$.userIdentity.sessionContext.sessionIssuer.userName"
	return fmt.Sprintf(`{ (%s) && ((%s NOT EXISTS) || (%s!="%s-*")) }`, e.pattern, issuer, issuer, b.args.Tags.Project)
}

func (b *builder) trailAlarms(*Baseline) error {
	for _, e := range trailEvents {
		name := b.name + "-" + e.name
		if _, err := cloudwatch.NewLogMetricFilter(b.ctx, name, &cloudwatch.LogMetricFilterArgs{
			LogGroupName: b.shared.trailGroup, Pattern: pulumi.String(b.pattern(e)),
			MetricTransformation: cloudwatch.LogMetricFilterMetricTransformationArgs{Namespace: pulumi.String(trailNamespace), Name: pulumi.String(e.name), Value: pulumi.String("1")},
		}, b.parent); err != nil {
			return err
		}
		if _, err := cloudwatch.NewMetricAlarm(b.ctx, name, &cloudwatch.MetricAlarmArgs{
			AlarmDescription: pulumi.String(e.what), Namespace: pulumi.String(trailNamespace), MetricName: pulumi.String(e.name), Statistic: pulumi.String("Sum"),
			Period: pulumi.Int(300), EvaluationPeriods: pulumi.Int(1), ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"), Threshold: pulumi.Float64(float64(e.threshold)),
			// No event, no data.
			TreatMissingData: pulumi.String("notBreaching"), AlarmActions: pulumi.Array{b.shared.topic.ARN}, Tags: b.tags(name),
		}, b.parent, pulumi.DependsOn([]pulumi.Resource{b.shared.topic.Told})); err != nil {
			return err
		}
	}
	return nil
}
