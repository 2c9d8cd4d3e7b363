package bootstrap

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// Sids of our statements, by which a later run knows them again.
const (
	sidTLS     = "CalldataDenyPlainHttp"
	sidOldTLS  = "CalldataDenyOldTls"
	sidAccount = "CalldataDenyOtherAccounts"
)

// statements close the bucket to plain HTTP, to TLS before 1.2, and to every other account. AWS's own services, which act
// for no account, are let in only where another statement says so.
// Source: AWS Security Hub, control S3.5; Amazon S3 User Guide, "Bucket policy examples using condition keys", s3:TlsVersion;
// IAM User Guide, "AWS global condition context keys", aws:PrincipalAccount and aws:PrincipalIsAWSService.
func (f *foundation) statements() []iamdoc.Statement {
	arn := f.bucketARN()
	deny := func(sid string, conditions map[string]map[string][]string) iamdoc.Statement {
		return iamdoc.Statement{Sid: sid, Effect: iamdoc.EffectDeny, Actions: []string{"s3:*"}, Resources: []string{arn, arn + "/*"},
			Principals: iamdoc.Everyone(), Conditions: conditions}
	}
	return []iamdoc.Statement{
		deny(sidTLS, map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}}),
		deny(sidOldTLS, map[string]map[string][]string{"NumericLessThan": {"s3:TlsVersion": {"1.2"}}}),
		deny(sidAccount, map[string]map[string][]string{
			"StringNotEquals": {"aws:PrincipalAccount": {f.id.Account}},
			"BoolIfExists":    {"aws:PrincipalIsAWSService": {"false"}},
		}),
	}
}

func (f *foundation) policy(ctx context.Context, there bool) (mend.Setting, error) {
	s := mend.Setting{Want: "TLS 1.2 or newer, and nobody outside account " + f.id.Account, Missing: true}
	text := ""
	if there {
		out, err := f.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(f.bucket)})
		if err != nil && !awsapi.Is(err, "NoSuchBucketPolicy") {
			return s, err
		}
		if err == nil {
			text = aws.ToString(out.Policy)
		}
	}
	want, changed, err := mergePolicy(text, f.statements())
	if err != nil {
		return s, fmt.Errorf("its policy cannot be read: %w", err)
	}
	if s.Missing, s.Found = text == "", sids(text); !changed {
		return s, nil
	}
	s.Mend = func(ctx context.Context) error {
		_, err := f.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(f.bucket), Policy: aws.String(want)})
		return err
	}
	return s, nil
}

// policyDocument is a policy whose statements are not looked into.
type policyDocument struct {
	Version   string `json:",omitempty"`
	ID        string `json:"Id,omitempty"`
	Statement []any
}

func parsePolicy(text string) (policyDocument, error) {
	var raw struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return policyDocument{}, err
	}
	document := policyDocument{Version: raw.Version, ID: raw.ID}
	if err := json.Unmarshal(raw.Statement, &document.Statement); err == nil {
		return document, nil
	}
	var single map[string]any // the policy language allows one statement without a list
	err := json.Unmarshal(raw.Statement, &single)
	document.Statement = []any{single}
	return document, err
}

// mergePolicy puts our statements into a policy, in place of those with the same Sid, and tells whether that changes it.
func mergePolicy(text string, ours []iamdoc.Statement) (string, bool, error) {
	added, err := iamdoc.Document(ours...)
	if err != nil {
		return "", false, err
	}
	if text == "" {
		return added, true, nil
	}
	has, err := parsePolicy(text)
	if err != nil {
		return "", false, err
	}
	wanted, err := parsePolicy(added)
	if err != nil {
		return "", false, err
	}
	merged := policyDocument{Version: wanted.Version, ID: has.ID}
	for _, statement := range has.Statement {
		if !slices.ContainsFunc(ours, func(s iamdoc.Statement) bool { return s.Sid == sid(statement) }) {
			merged.Statement = append(merged.Statement, statement)
		}
	}
	merged.Statement = append(merged.Statement, wanted.Statement...)
	out, err := json.Marshal(merged)
	return string(out), canonical(has) != canonical(merged), err
}

func sid(statement any) string {
	fields, _ := statement.(map[string]any)
	text, _ := fields["Sid"].(string)
	return text
}

// sids names the statements of a policy.
func sids(text string) string {
	document, err := parsePolicy(text)
	if err != nil {
		return ""
	}
	names := make([]string, len(document.Statement))
	for i, statement := range document.Statement {
		names[i] = sid(statement)
		if names[i] == "" {
			names[i] = "(unnamed)"
		}
	}
	return "statements " + strings.Join(names, ", ")
}

// canonical is a policy in the one form that all its spellings share: the policy language takes a text for a list of one,
// "*" for {"AWS": "*"}, true for "true", and any order. S3 answers in a spelling of its own.
func canonical(document policyDocument) string {
	statements := make([]string, len(document.Statement))
	for i, statement := range document.Statement {
		fields, _ := statement.(map[string]any)
		normal := map[string]any{}
		for key, value := range fields {
			if everyone := key == "Principal" || key == "NotPrincipal"; everyone && value == "*" {
				value = map[string]any{"AWS": "*"}
			}
			normal[key] = listed(value)
		}
		text, _ := json.Marshal(normal) // of values that came from JSON
		statements[i] = string(text)
	}
	slices.Sort(statements)
	return document.Version + strings.Join(statements, "\n")
}

// listed answers value with every scalar as a list of one text, and every list in order.
func listed(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			out[key] = listed(inner)
		}
		return out
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = fmt.Sprint(item)
		}
		slices.Sort(texts)
		return texts
	}
	return []string{fmt.Sprint(value)}
}
