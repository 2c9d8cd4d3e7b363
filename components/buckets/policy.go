package buckets

import (
	"fmt"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// place is where a bucket is.
type place struct{ account, region string }

// policyOf is the policy of the bucket with this ARN.
func policyOf(arn string, writers []Writer, p place) (string, error) {
	whole := []string{arn, arn + "/*"}
	statements := []iamdoc.Statement{
		{Sid: "OnlyTLS", Effect: iamdoc.EffectDeny, Actions: []string{"s3:*"}, Resources: whole, Principals: iamdoc.Everyone(),
			Conditions: map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}}},
		{Sid: "OnlyTLS12", Effect: iamdoc.EffectDeny, Actions: []string{"s3:*"}, Resources: whole, Principals: iamdoc.Everyone(),
			Conditions: map[string]map[string][]string{"NumericLessThan": {"s3:TlsVersion": {"1.2"}}}},
	}
	for _, w := range writers {
		statements = append(statements, p.admit(w, arn)...)
	}
	return iamdoc.Document(statements...)
}

// admit are the statements that let a writer do what AWS documents for it, with the conditions of the same documents.
// The sources stand with the writers' names.
func (p place) admit(w Writer, arn string) []iamdoc.Statement {
	bucket, ours := []string{arn}, map[string][]string{"aws:SourceAccount": {p.account}}
	// Whatever prefix a log has, its way goes on with the account.
	logs := []string{arn + "/AWSLogs/" + p.account + "/*", arn + "/*/AWSLogs/" + p.account + "/*"}
	// The writer leaves the objects to the bucket's owner.
	given := map[string][]string{"s3:x-amz-acl": {"bucket-owner-full-control"}, "aws:SourceAccount": {p.account}}
	switch w {
	case WriterELB:
		// Without a condition: the path is what binds it to the account, and load balancers do not state their source
		// for every object.
		return []iamdoc.Statement{
			{Sid: "ALBLogs", Actions: []string{"s3:PutObject"}, Resources: logs, Principals: service("logdelivery.elasticloadbalancing.amazonaws.com")},
		}
	case WriterNLB:
		source := map[string][]string{"aws:SourceArn": {fmt.Sprintf("arn:aws:logs:%s:%s:*", p.region, p.account)}}
		delivery := service("delivery.logs.amazonaws.com")
		return []iamdoc.Statement{
			{Sid: "LogDeliveryLooks", Actions: []string{"s3:GetBucketAcl", "s3:ListBucket"}, Resources: bucket, Principals: delivery,
				Conditions: map[string]map[string][]string{"StringEquals": ours, "ArnLike": source}},
			{Sid: "LogDeliveryWrites", Actions: []string{"s3:PutObject"}, Resources: logs, Principals: delivery,
				Conditions: map[string]map[string][]string{"StringEquals": given, "ArnLike": source}},
		}
	case WriterS3AccessLogs:
		return []iamdoc.Statement{
			{Sid: "S3AccessLogs", Actions: []string{"s3:PutObject"}, Resources: []string{arn + "/*"}, Principals: service("logging.s3.amazonaws.com"),
				Conditions: map[string]map[string][]string{"StringEquals": ours, "ArnLike": {"aws:SourceArn": {"arn:aws:s3:::*"}}}},
		}
	case WriterCloudTrail:
		trails := map[string][]string{"aws:SourceArn": {fmt.Sprintf("arn:aws:cloudtrail:*:%s:trail/*", p.account)}}
		cloudtrail := service("cloudtrail.amazonaws.com")
		return []iamdoc.Statement{
			{Sid: "CloudTrailLooks", Actions: []string{"s3:GetBucketAcl"}, Resources: bucket, Principals: cloudtrail,
				Conditions: map[string]map[string][]string{"ArnLike": trails}},
			{Sid: "CloudTrailWrites", Actions: []string{"s3:PutObject"}, Resources: logs, Principals: cloudtrail,
				Conditions: map[string]map[string][]string{"StringEquals": {"s3:x-amz-acl": given["s3:x-amz-acl"]}, "ArnLike": trails}},
		}
	case WriterConfig:
		config := service("config.amazonaws.com")
		return []iamdoc.Statement{
			{Sid: "ConfigLooks", Actions: []string{"s3:GetBucketAcl", "s3:ListBucket"}, Resources: bucket, Principals: config,
				Conditions: map[string]map[string][]string{"StringEquals": ours}},
			{Sid: "ConfigWrites", Actions: []string{"s3:PutObject"}, Resources: logs, Principals: config,
				Conditions: map[string]map[string][]string{"StringEquals": given}},
		}
	}
	return nil
}

func service(name string) map[string][]string { return map[string][]string{"Service": {name}} }
