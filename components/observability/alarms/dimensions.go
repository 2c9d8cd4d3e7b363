package alarms

import (
	"github.com/calldata/calldata-foundation/components/machinelogs/counts"
	"github.com/calldata/calldata-foundation/components/metrics"
)

const (
	dimBalancer = "LoadBalancer"
	dimTargets  = "TargetGroup"
	// DimVault is the name of a vault of AWS Backup.
	DimVault = "BackupVaultName"
	// DimSource is the name of the bucket that S3 copies from.
	DimSource = "SourceBucket"
	// DimDestination is the name of the bucket that S3 copies to.
	DimDestination = "DestinationBucket"
	// DimRule is the id of the rule by which it copies.
	DimRule = "RuleId"
)

// dimensions are those of each kind's metrics.
// Source: the CloudWatch pages of the services' guides, "Dimensions".
var dimensions = map[Subject][]string{
	Machine: {metrics.DimInstance}, Fleet: {metrics.DimGroup}, Web: {dimBalancer}, WebTargets: {dimBalancer, dimTargets},
	CarrierTargets: {dimBalancer, dimTargets}, Database: {"DBInstanceIdentifier"}, WebCertificate: {"CertificateArn"},
	Outside: {metrics.DimStack}, Logs: {}, Vault: {DimVault}, Copies: {DimSource, DimDestination, DimRule},
	Arrivals: {DimSource, DimDestination, DimRule},
}

// Dimensions are the names of CloudWatch's dimensions that say which thing of this kind a metric is of. A kind that is not known has
// none.
func (s Subject) Dimensions() []string { return dimensions[s] }

// Known reports whether there are things of this kind.
func (s Subject) Known() bool { return dimensions[s] != nil }

// Namespace is where CloudWatch has the thing's metrics that alarms know by a namespace: each stack's counts have one of their own.
func (t Thing) Namespace(namespace string) string {
	if namespace == counted {
		return counts.Namespace(t.Name)
	}
	return namespace
}

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
