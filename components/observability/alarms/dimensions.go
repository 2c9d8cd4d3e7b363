package alarms

import "github.com/calldata/calldata-foundation/components/metrics"

const (
	dimBalancer = "LoadBalancer"
	dimTargets  = "TargetGroup"
)

// dimensions are those of each kind's metrics.
// Source: the CloudWatch pages of the services' guides, "Dimensions".
var dimensions = map[Subject][]string{
	Machine: {metrics.DimInstance}, Fleet: {metrics.DimGroup}, Web: {dimBalancer}, WebTargets: {dimBalancer, dimTargets},
	CarrierTargets: {dimBalancer, dimTargets}, Database: {"DBInstanceIdentifier"}, WebCertificate: {"CertificateArn"}, Outside: {metrics.DimStack},
}

// Dimensions are the names of CloudWatch's dimensions that say which thing of this kind a metric is of. A kind that is not known has
// none.
func (s Subject) Dimensions() []string { return dimensions[s] }

// Dimensions are those of the thing's metrics in a namespace, with their values; ids has those of its kind. What machines write of
// themselves has their role besides.
func Dimensions[V any](t Thing, namespace string, ids map[string]V, text func(string) V) map[string]V {
	found := map[string]V{}
	for _, name := range dimensions[t.Kind] {
		found[name] = ids[name]
	}
	if t.Kind == Machine && namespace == metrics.Namespace {
		found[metrics.DimRole] = text(t.Role)
	}
	return found
}
