package permission

import (
	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/metrics"
)

// CallsRole is the role of calls from outside, and CallsEnvironment the GitHub environment that it trusts.
func (s Scope) CallsRole() string { return s.named("calls") }

// CallsEnvironment is the GitHub environment of an environment's calls from outside.
func CallsEnvironment(environment string) string { return environment + "-calls" }

// CallsSecret is the secret with the password of the phone that calls.
func CallsSecret(environment string) string { return "calldata/" + environment + "/calls" }

// Calls is what places calls from outside and tells what came of them, with nothing beside it: the stack's outputs, which Pulumi keeps
// in the state, the phone's password, and a namespace of metrics that nothing else is in.
// Source: Amazon CloudWatch User Guide, "Using condition keys to limit access to CloudWatch namespaces".
func (s Scope) Calls() []Policy {
	return []Policy{{Name: "calls", Statements: append(s.readState(),
		// Secrets Manager ends a secret's ARN in six letters of its own.
		iamdoc.Statement{Sid: "Password", Actions: []string{"secretsmanager:GetSecretValue"}, Resources: s.arns("secretsmanager", "secret:"+CallsSecret(s.Environment)+"-??????")},
		iamdoc.Statement{Sid: "Tell", Actions: []string{"cloudwatch:PutMetricData"}, Resources: []string{"*"}, Conditions: conditions{"StringEquals": {
			"aws:RequestedRegion": s.regions(), "cloudwatch:namespace": {metrics.OutsideNamespace},
		}}},
	)}}
}
