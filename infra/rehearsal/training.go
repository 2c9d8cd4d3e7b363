package rehearsal

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/pages"
)

const (
	// trainingPage has the exercises.
	trainingPage = "docs/training.md"
	// operatorMark is on blocks for the shell of a kept rehearsal, machineMark on those for the shell of a machine that the block
	// before has logged in to.
	operatorMark, machineMark = "operator", "machine"
	// exerciseTime is how long one exercise may take.
	exerciseTime = 10 * time.Minute
)

// exercise is what somebody types who does one.
type exercise struct {
	title  string
	script string
	// onMachine is typed once the script's last command has logged in.
	onMachine string
}

// exercises are those of a page whose commands are for an operator's shell.
func exercises(path, text string) []exercise {
	var all []exercise
	lines := strings.Split(text, "\n")
	fences := pages.Parse(path, text).Fences
	for i, f := range fences {
		if f.Mark != operatorMark {
			continue
		}
		e := exercise{script: f.Text.Text}
		for _, line := range lines[:f.Line] {
			if title, ok := strings.CutPrefix(line, "## "); ok {
				e.title = title
			}
		}
		if i+1 < len(fences) && fences[i+1].Mark == machineMark {
			e.onMachine = fences[i+1].Text.Text
		}
		all = append(all, e)
	}
	return all
}

// trained does the exercises of the training as its reader does, in the operator's shell, and ends at the first that does not work.
func (w *world) trained(ctx context.Context, o Options, step progress.Step) Check {
	c := Check{Name: "exercises"}
	s := step.Step(c.Name)
	err := func() error {
		text, err := os.ReadFile(filepath.Join(o.Repo, trainingPage))
		if err != nil {
			return err
		}
		all := exercises(trainingPage, string(text))
		if len(all) == 0 {
			return fmt.Errorf("%s has none", trainingPage)
		}
		var took []string
		for _, e := range all {
			begin, p := time.Now(), s.Step(e.title)
			err := w.exercise(ctx, e)
			p.Done(err)
			if err != nil {
				return fmt.Errorf("%s: %w", e.title, err)
			}
			took = append(took, fmt.Sprintf("%s %s", e.title, progress.Short(time.Since(begin))))
		}
		c.Detail = strings.Join(took, ", ")
		return nil
	}()
	s.Done(err)
	if c.OK = err == nil; !c.OK {
		c.Detail = err.Error()
	}
	return c
}

func (w *world) exercise(ctx context.Context, e exercise) error {
	ctx, cancel := context.WithTimeout(ctx, exerciseTime)
	defer cancel()
	script := fmt.Sprintf(". %s\nset -euo pipefail\n%s", quote(w.operatorFile()), e.script)
	_, err := w.run(w.network.Command(ctx, "bash", "-c", script), io.Discard, []byte(e.onMachine), []string{e.title})
	return err
}
