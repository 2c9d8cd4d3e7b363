package iamdoc

import (
	"encoding/json"
	"fmt"
)

// version is the current version of the policy language.
// Source: AWS IAM User Guide, "IAM JSON policy elements: Version".
const version = "2012-10-17"

// Statement allows Actions on Resources.
type Statement struct {
	// Actions are API actions, for example "logs:PutLogEvents".
	Actions []string
	// Resources are ARNs, wildcards included.
	Resources []string
}

// Allow answers the document of an identity policy that allows statements and nothing else.
func Allow(statements ...Statement) (string, error) {
	list := make([]map[string]any, len(statements))
	for i, s := range statements {
		list[i] = map[string]any{"Effect": "Allow", "Action": s.Actions, "Resource": s.Resources}
	}
	return document(list)
}

// Trust answers the document of a trust policy: the AWS service may take the role on. A non-empty account limits that to
// the service working for this account, against the confused deputy.
// Source: AWS IAM User Guide, "The confused deputy problem".
func Trust(service, account string) (string, error) {
	statement := map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]string{"Service": service}}
	if account != "" {
		statement["Condition"] = map[string]any{"StringEquals": map[string]string{"aws:SourceAccount": account}}
	}
	return document([]map[string]any{statement})
}

func document(statements []map[string]any) (string, error) {
	out, err := json.Marshal(map[string]any{"Version": version, "Statement": statements})
	if err != nil {
		return "", fmt.Errorf("write IAM policy document: %w", err)
	}
	return string(out), nil
}
