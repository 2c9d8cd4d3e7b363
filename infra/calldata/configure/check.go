package configure

import (
	"context"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// CheckTools answers everything that this machine lacks for a configuration run: ssh, git, Ansible in a version that the
// playbooks work with, and their collections. Content is the directory of the Ansible content; an empty binary is the
// ansible-playbook on PATH.
func CheckTools(ctx context.Context, content, binary string) []error {
	return (&settings{content: content}).findTools(ctx, binary, progress.Discard)
}
