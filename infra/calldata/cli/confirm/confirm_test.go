package confirm

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

func TestPossible(t *testing.T) {
	t.Parallel()
	require.NoError(t, Possible(&cli.IO{InIsTerminal: true}, false))
	require.NoError(t, Possible(&cli.IO{}, true))
	err := Possible(&cli.IO{}, false)
	require.ErrorContains(t, err, "--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for answer, agreed := range map[string]bool{"y\n": true, "YES\n": true, "yes": true, "\n": false, "n\n": false, "prod\n": false, "": false} {
		var err bytes.Buffer
		got := Ask(t.Context(), &cli.IO{In: strings.NewReader(answer), Err: &err}, "Deploy?")
		assert.Equal(t, agreed, got == nil, "%q", answer)
		assert.Equal(t, "Deploy? [y/N] ", err.String())
		if !agreed {
			assert.Equal(t, cli.ExitDeclined, cli.Code(got))
		}
	}
	for answer, agreed := range map[string]bool{"prod\n": true, "  prod \n": true, "Prod\n": false, "y\n": false, "\n": false, "": false} {
		got := Type(t.Context(), &cli.IO{In: strings.NewReader(answer), Err: io.Discard}, "All goes.", "prod")
		assert.Equal(t, agreed, got == nil, "%q", answer)
	}
}

func TestInterruptEndsTheWait(t *testing.T) {
	t.Parallel()
	in, _ := io.Pipe() // nobody ever types
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Ask(ctx, &cli.IO{In: in, Err: io.Discard}, "Deploy?")
	assert.Equal(t, cli.ExitInterrupted, cli.Code(err))
}
