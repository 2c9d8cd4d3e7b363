package alb

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// certificate answers the ARN of the certificate to show: the one that was given, or one that is made for the domain and
// proven by a record in its zone.
func (b *builder) certificate() (pulumi.StringOutput, error) {
	if b.args.CertificateARN != "" {
		return pulumi.String(b.args.CertificateARN).ToStringOutput(), nil
	}
	certificate, err := acm.NewCertificate(b.ctx, b.name, &acm.CertificateArgs{
		DomainName: pulumi.String(b.args.Domain.Name), ValidationMethod: pulumi.String("DNS"), Tags: b.tags(b.name),
	}, b.parent)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	// One name, so one proof.
	proof := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	record, err := route53.NewRecord(b.ctx, b.name+"-validation", &route53.RecordArgs{
		ZoneId: b.args.Domain.ZoneID, Name: proof.ResourceRecordName().Elem(), Type: proof.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{proof.ResourceRecordValue().Elem()}, Ttl: pulumi.Int(60),
		// ACM asks for the same record for every certificate of one name in one account, so it may be there already.
		AllowOverwrite: pulumi.Bool(true),
	}, b.parent)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	valid, err := acm.NewCertificateValidation(b.ctx, b.name, &acm.CertificateValidationArgs{
		CertificateArn: certificate.Arn, ValidationRecordFqdns: pulumi.StringArray{record.Fqdn},
	}, b.parent)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return valid.CertificateArn, nil
}

// names registers the domain's records. Without a domain, AWS's own name has to do.
func (b *builder) names() error {
	if b.args.Domain.Name == "" {
		b.self.URL = pulumi.Sprintf("https://%s", b.self.DNSName)
		return nil
	}
	b.self.URL = pulumi.String("https://" + b.args.Domain.Name).ToStringOutput()
	types := []string{"A"}
	if b.args.DualStack {
		types = append(types, "AAAA")
	}
	for _, kind := range types {
		_, err := route53.NewRecord(b.ctx, b.name+"-"+strings.ToLower(kind), &route53.RecordArgs{
			ZoneId: b.args.Domain.ZoneID, Name: pulumi.String(b.args.Domain.Name), Type: pulumi.String(kind),
			Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
				Name: b.self.DNSName, ZoneId: b.self.ZoneID, EvaluateTargetHealth: pulumi.Bool(true),
			}},
		}, b.parent)
		if err != nil {
			return err
		}
	}
	return nil
}
