package alarms

import "github.com/calldata/calldata-foundation/components/metrics"

const day = 24 * 60 * 60

func certificate() []Alarm {
	return []Alarm{
		// Routers have none.
		ours("certificate", metrics.CertificateLeft, Minimum).on(Engine, SBC).every(300).line(Below, 21*day, 2, 2).notice("a certificate of a machine ends within 21 days"),
		ours("certificate-ends", metrics.CertificateLeft, Minimum).on(Engine, SBC).every(300).line(Below, 3*day, 2, 2).page("a certificate of a machine ends within three days"),
		// ACM renews 60 days before the end. Source: AWS Certificate Manager User Guide, "Supported CloudWatch metrics": twice a
		// day while the certificate is in use.
		ours("web-certificate", "DaysToExpiry", Minimum).from("AWS/CertificateManager").of(WebCertificate).every(day).line(Below, 30, 1, 1).
			notice("the web certificate ends within 30 days, and is not renewed"),
	}
}
