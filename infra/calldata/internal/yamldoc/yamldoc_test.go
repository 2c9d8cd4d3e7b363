package yamldoc

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	var d struct {
		Port int
		Name string
	}
	require.NoError(t, Decode([]byte("port: 5060\nname: a\n"), &d))
	assert.Equal(t, 5060, d.Port)
	assert.EqualError(t, Decode([]byte("port: x\nplace: b\n"), &d), "line 1: cannot unmarshal !!str `x` into int\nline 2: field place not found in type struct { Port int; Name string }")
	assert.ErrorContains(t, Decode([]byte("port: [\n"), &d), "did not find")
	assert.ErrorIs(t, Decode(nil, &d), io.EOF)
}
