package linkedrole

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "arn:aws:iam::123456789012:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig", Config.ARN("123456789012"))
	assert.Equal(t, "aws iam create-service-linked-role --aws-service-name autoscaling.amazonaws.com", AutoScaling.Command())
	seen := map[string]bool{}
	for _, r := range All() {
		assert.NotEmpty(t, r.Needed, r.Name)
		assert.False(t, seen[r.Service], "an account has one role of %s", r.Service)
		seen[r.Service] = true
	}
}
