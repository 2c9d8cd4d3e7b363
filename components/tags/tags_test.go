package tags

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func full() Tags {
	return Tags{Project: "p", Environment: "dev", Role: "network", Owner: "Téléphonie team", CostCenter: "cc-1"}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	base := Tags{Project: "p", Environment: "dev", Owner: "o", CostCenter: "c"}
	assert.Equal(t, map[string]string{
		"Name": "dev-vpc", "Project": "p", "Environment": "dev", "Role": "network", "Owner": "o", "CostCenter": "c", "ManagedBy": "pulumi",
	}, base.WithRole("network").Named("dev-vpc"))
	assert.Empty(t, base.Role, "WithRole must leave its receiver alone")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, full().Validate())
	bad := full()
	bad.Owner, bad.CostCenter, bad.Environment = "", "a<b", strings.Repeat("x", 257)
	err := bad.Validate()
	require.Error(t, err)
	assert.Equal(t, "tag CostCenter: \"a<b\" has a character that AWS refuses in tags, use letters, digits, spaces and . _ : / = + - @\n"+
		"tag Environment: the value has 257 characters, AWS allows 256\n"+
		"tag Owner: the value is empty", err.Error())
}
