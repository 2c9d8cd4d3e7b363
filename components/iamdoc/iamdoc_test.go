package iamdoc

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDocument(t *testing.T) {
	t.Parallel()
	got, err := Document(
		Statement{Actions: []string{"logs:PutLogEvents"}, Resources: []string{"arn:aws:logs:*"}},
		Statement{Sid: "OnlyTLS", Effect: EffectDeny, Actions: []string{"s3:*"}, Resources: []string{"arn:aws:s3:::b"}, Principals: Everyone(),
			Conditions: map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}}},
		Statement{Effect: EffectDeny, Actions: []string{"s3:GetObject"}, NotResources: []string{"arn:aws:s3:::b/open/*"}},
	)
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["logs:PutLogEvents"],"Resource":["arn:aws:logs:*"]},
		{"Sid":"OnlyTLS","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],"Resource":["arn:aws:s3:::b"],"Condition":{"Bool":{"aws:SecureTransport":["false"]}}},
		{"Effect":"Deny","Action":["s3:GetObject"],"NotResource":["arn:aws:s3:::b/open/*"]}]}`, got)
}

func TestTrust(t *testing.T) {
	t.Parallel()
	got, err := Trust("ec2.amazonaws.com", "")
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Principal":{"Service":["ec2.amazonaws.com"]}}]}`, got)
	got, err = Trust("vpc-flow-logs.amazonaws.com", "123456789012")
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Principal":{"Service":["vpc-flow-logs.amazonaws.com"]},
		"Condition":{"StringEquals":{"aws:SourceAccount":["123456789012"]}}}]}`, got)
}
