package rehearsal

import (
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

// Tools is what has to be on the machine before anything is deployed. All of it is cached and shared by clones.
type Tools struct {
	Engine *engine.Engine
	Python *pyenv.Env
	Image  *machines.Image
	// Program is the compiled Pulumi program, Policies the compiled policy pack.
	Program, Policies string
}

// Prepare fetches or builds the tools, side by side: the parts that wait for the network run while others compile.
func Prepare(ctx context.Context, repo, cache string, report progress.Reporter) (*Tools, error) {
	if err := preflight(); err != nil {
		return nil, err
	}
	bin := filepath.Join(repo, ".calldata", "bin")
	t := &Tools{Program: filepath.Join(bin, "program"), Policies: filepath.Join(bin, "policies")}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		t.Engine, err = engine.Prepare(ctx, engine.Options{Root: repo, CacheDir: filepath.Join(cache, "engine"), Progress: report})
		return err
	})
	group.Go(func() (err error) {
		t.Python, err = pyenv.Prepare(ctx, filepath.Join(cache, "venv"), report)
		return err
	})
	group.Go(func() (err error) {
		t.Image, err = machines.EnsureImage(ctx, filepath.Join(cache, "image"), report)
		return err
	})
	group.Go(func() error {
		err := buildProgram(ctx, repo, pulumiProgram, t.Program, report)
		if err == nil {
			err = buildProgram(ctx, repo, policyPack, t.Policies, report)
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return t, nil
}

// preflight names everything that this machine lacks, with the command that installs it.
func preflight() error {
	missing := machines.Preflight()
	if len(missing) == 0 {
		return nil
	}
	text := "this machine lacks what a rehearsal needs:"
	for _, m := range missing {
		text += "\n  " + m.String()
	}
	return cli.WithCode(cli.ExitPreflight, errors.New(text))
}

// program is one that Pulumi starts: its package, and what people call it.
type program struct{ pkg, name string }

var (
	pulumiProgram = program{"./infra", "Pulumi program"}
	policyPack    = program{automation.PolicyPack, "policy pack"}
)

// buildProgram compiles a program. The Go tool's own cache makes the second time quick.
func buildProgram(ctx context.Context, repo string, p program, to string, report progress.Reporter) (err error) {
	step := report.Step(p.name)
	defer func() { step.Done(err) }()
	return automation.Compile(ctx, repo, p.pkg, to, step)
}
