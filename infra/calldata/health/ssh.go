package health

import (
	"context"

	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/infra/calldata/login"
)

// maxOutput bounds what is read of an answer, in bytes.
const maxOutput = 1 << 20

// host is an open SSH connection.
type host struct {
	client *ssh.Client
}

// run runs a shell command and answers what it printed. A non-zero exit is an error that carries its message.
func (h *host) run(ctx context.Context, command string) (string, error) {
	return login.Output(ctx, h.client, command)
}
