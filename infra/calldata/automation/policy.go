package automation

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// Mandatory is the enforcement level of the engine that stops a deployment.
const Mandatory = "mandatory"

// Violation says in a line what a policy found, and of which resource.
func Violation(e apitype.PolicyEvent) string {
	text := e.PolicyName + ": " + e.Message
	if e.ResourceURN != "" {
		text = e.PolicyName + ": " + Name(e.ResourceURN) + ": " + e.Message
	}
	return text
}

// PolicyPack is the package of the policy pack.
const PolicyPack = "./infra/policy/pack"

// Policies compiles the policy pack of the repository at root and answers the program. The engine takes a program and starts it
// directly; a directory it would compile on every run.
func Policies(ctx context.Context, root string, step progress.Step) (string, error) {
	to := filepath.Join(root, ".calldata", "bin", "policies")
	return to, Compile(ctx, root, PolicyPack, to, step)
}

// Compile builds a package of the repository at root into the file to. The Go tool's own cache makes the second time quick.
func Compile(ctx context.Context, root, pkg, to string, step progress.Step) error {
	step.Progress(0, 0, "go build "+pkg)
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-p", "2", "-o", to, pkg)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out[:min(len(out), maxText)])
	}
	return nil
}
