package iamdoc

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAllow(t *testing.T) {
	t.Parallel()
	got, err := Allow(Statement{Actions: []string{"logs:PutLogEvents"}, Resources: []string{"arn:aws:logs:*"}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:PutLogEvents"],"Resource":["arn:aws:logs:*"]}]}`, got)
}

func TestTrust(t *testing.T) {
	t.Parallel()
	got, err := Trust("ec2.amazonaws.com", "")
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}`, got)
	got, err = Trust("vpc-flow-logs.amazonaws.com", "123456789012")
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"vpc-flow-logs.amazonaws.com"},
		"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`, got)
}
