package baseline

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/accessanalyzer"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/guardduty"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/securityhub"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// protections are what GuardDuty looks at besides the trail, flows and DNS. A new detector has most of them on, so that
// those that have nothing to look at here are turned off: we run no Kubernetes and no Lambda. Runtime monitoring, which
// wants an agent and costs by the vCPU, is off unless somebody turns it on.
// Source: Amazon GuardDuty API Reference, DetectorFeatureConfiguration.
var protections = []struct {
	feature string
	on      bool
}{
	{"S3_DATA_EVENTS", true},
	{"EBS_MALWARE_PROTECTION", true},
	{"RDS_LOGIN_EVENTS", true},
	{"EKS_AUDIT_LOGS", false},
	{"LAMBDA_NETWORK_LOGS", false},
}

// severe is where GuardDuty's severity begins to be high.
// Source: Amazon GuardDuty User Guide, "Severity levels of GuardDuty findings".
const severe = 7

func (b *builder) guardDuty(*Baseline) error {
	name := b.name + "-guardduty"
	detector, err := guardduty.NewDetector(b.ctx, name, &guardduty.DetectorArgs{
		Enable: pulumi.Bool(true), FindingPublishingFrequency: pulumi.String("FIFTEEN_MINUTES"), Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return err
	}
	for _, p := range protections {
		status := "DISABLED"
		if p.on {
			status = "ENABLED"
		}
		if _, err := guardduty.NewDetectorFeature(b.ctx, name+"-"+strings.ToLower(p.feature), &guardduty.DetectorFeatureArgs{
			DetectorId: detector.ID(), Name: pulumi.String(p.feature), Status: pulumi.String(status),
		}, b.parent); err != nil {
			return err
		}
	}
	return b.tell(finding{
		name: "guardduty-findings", description: "GuardDuty's severe findings",
		pattern: map[string]any{
			"source": []string{"aws.guardduty"}, "detail-type": []string{"GuardDuty Finding"},
			"detail": map[string]any{"severity": []any{map[string]any{"numeric": []any{">=", severe}}}},
		},
		paths: map[string]string{"severity": "$.detail.severity", "title": "$.detail.title", "description": "$.detail.description", "region": "$.region", "account": "$.account"},
		text:  "GuardDuty, severity <severity>, account <account>, <region>: <title>. <description>",
	})
}

// standards are what Security Hub checks the account against, by a name of ours. The provider takes the ARN of any
// standard, and AWS has had version 5.0.0 of CIS's since 2025.
// Source: AWS Security Hub User Guide, "CIS AWS Foundations Benchmark in Security Hub CSPM".
var standards = map[string]string{
	"fsbp": "standards/aws-foundational-security-best-practices/v/1.0.0",
	"cis":  "standards/cis-aws-foundations-benchmark/v/5.0.0",
}

func (b *builder) securityHub(*Baseline) error {
	name := b.name + "-securityhub"
	hub, err := securityhub.NewAccount(b.ctx, name, &securityhub.AccountArgs{
		// Its defaults are an older CIS: ours are below.
		EnableDefaultStandards: pulumi.Bool(false), AutoEnableControls: pulumi.Bool(true), ControlFindingGenerator: pulumi.String("SECURITY_CONTROL"),
	}, b.parent)
	if err != nil {
		return err
	}
	for _, standard := range sorted(standards) {
		if _, err := securityhub.NewStandardsSubscription(b.ctx, name+"-"+standard, &securityhub.StandardsSubscriptionArgs{
			StandardsArn: pulumi.Sprintf("arn:aws:securityhub:%s::%s", b.region, standards[standard]),
		}, b.parent, pulumi.DependsOn([]pulumi.Resource{hub})); err != nil {
			return err
		}
	}
	return b.tell(finding{
		name: "securityhub-findings", description: "What Security Hub itself finds critical and nobody has looked at yet",
		pattern: map[string]any{
			"source": []string{"aws.securityhub"}, "detail-type": []string{"Security Hub Findings - Imported"},
			"detail": map[string]any{"findings": map[string]any{
				// GuardDuty and Access Analyzer, which Security Hub repeats, have rules of their own.
				"ProductName": []string{"Security Hub"}, "Severity": map[string]any{"Label": []string{"CRITICAL"}}, "Compliance": map[string]any{"Status": []string{"FAILED"}},
				"Workflow": map[string]any{"Status": []string{"NEW"}}, "RecordState": []string{"ACTIVE"},
			}},
		},
		paths: map[string]string{"title": "$.detail.findings[0].Title", "resource": "$.detail.findings[0].Resources[0].Id", "region": "$.region", "account": "$.account"},
		text:  "Security Hub, critical, account <account>, <region>: <title>: <resource>",
	})
}

func (b *builder) accessAnalyzer(*Baseline) error {
	name := b.name + "-access"
	if _, err := accessanalyzer.NewAnalyzer(b.ctx, name, &accessanalyzer.AnalyzerArgs{
		AnalyzerName: pulumi.String(name), Type: pulumi.String("ACCOUNT"), Tags: b.tags(name),
	}, b.parent); err != nil {
		return err
	}
	return b.tell(finding{
		name: "access-findings", description: "What outsiders can reach",
		pattern: map[string]any{
			"source": []string{"aws.access-analyzer"}, "detail-type": []string{"Access Analyzer Finding"}, "detail": map[string]any{"status": []string{"ACTIVE"}},
		},
		paths: map[string]string{"resource": "$.detail.resource", "principal": "$.detail.principal", "action": "$.detail.action", "region": "$.region", "account": "$.account"},
		text:  "Access Analyzer, account <account>, <region>: outsiders (<principal>) can reach <resource> (<action>)",
	})
}
