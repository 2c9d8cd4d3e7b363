package iamdoc

import (
	"encoding/json"
	"fmt"
)

// version is the current version of the policy language.
// Source: AWS IAM User Guide, "IAM JSON policy elements: Version".
const version = "2012-10-17"

// Effect is what a statement does with the requests that it matches.
type Effect string

// The effects of the policy language.
const (
	EffectAllow Effect = "Allow"
	EffectDeny  Effect = "Deny"
)

// Statement is one statement of a policy.
type Statement struct {
	// Sid names the statement within its document. Optional: letters and digits.
	Sid string
	// Effect is EffectAllow by default.
	Effect Effect
	// Actions are API actions, for example "logs:PutLogEvents".
	Actions []string
	// Resources are ARNs, wildcards included. Trust policies have none.
	Resources []string
	// NotResources, in place of Resources, are the ARNs that the statement is not about. It belongs into statements that
	// deny.
	NotResources []string
	// Principals are who the statement is about, by kind: "AWS", "Service" or "Federated". Identity policies have none.
	Principals map[string][]string
	// Conditions are the values of condition keys by operator, for example
	// {"StringEquals": {"aws:SourceAccount": {"123456789012"}}}.
	Conditions map[string]map[string][]string
}

// MarshalJSON writes the statement in the policy language, without the parts that it has not.
func (s Statement) MarshalJSON() ([]byte, error) {
	effect := s.Effect
	if effect == "" {
		effect = EffectAllow
	}
	return json.Marshal(struct {
		Sid         string                         `json:",omitempty"`
		Effect      Effect                         `json:""`
		Principal   map[string][]string            `json:",omitempty"`
		Action      []string                       `json:""`
		Resource    []string                       `json:",omitempty"`
		NotResource []string                       `json:",omitempty"`
		Condition   map[string]map[string][]string `json:",omitempty"`
	}{s.Sid, effect, s.Principals, s.Actions, s.Resources, s.NotResources, s.Conditions})
}

// Everyone are all principals. It belongs into statements that deny.
func Everyone() map[string][]string { return map[string][]string{"AWS": {"*"}} }

// Document answers the policy document of statements.
func Document(statements ...Statement) (string, error) {
	out, err := json.Marshal(map[string]any{"Version": version, "Statement": statements})
	if err != nil {
		return "", fmt.Errorf("write IAM policy document: %w", err)
	}
	return string(out), nil
}

// Trust answers the document of a trust policy: the AWS service may take the role on. A non-empty account limits that to
// the service working for this account, against the confused deputy.
// Source: AWS IAM User Guide, "The confused deputy problem".
func Trust(service, account string) (string, error) {
	statement := Statement{Actions: []string{"sts:AssumeRole"}, Principals: map[string][]string{"Service": {service}}}
	if account != "" {
		statement.Conditions = map[string]map[string][]string{"StringEquals": {"aws:SourceAccount": {account}}}
	}
	return Document(statement)
}
