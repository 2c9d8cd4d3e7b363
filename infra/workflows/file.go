package workflows

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"
)

// Directories of workflows and of actions, in the repository.
const (
	workflowDir = ".github/workflows"
	actionDir   = ".github/actions"
)

// File is a workflow, or an action that workflows share.
type File struct {
	// Path is relative to the repository.
	Path string
	// Workflow is nil for an action.
	Workflow *actionlint.Workflow
	// Jobs are those of a workflow by name; an action has one without a name.
	Jobs []Job

	text  string
	lines []string
}

// Job is a job of a workflow, or all of an action.
type Job struct {
	// Job is nil for an action.
	*actionlint.Job
	Name  string
	Steps []Step
}

// Step calls an action or runs a script.
type Step struct {
	// Line is where in the file what it does begins, from 1.
	Line int
	// Uses is the action, With its inputs by lower-case name.
	Uses string
	With map[string]string
	// Run is the script.
	Run string
	// Shell is the step's own shell.
	Shell string
}

// Read reads all workflows and actions of the repository at root.
func Read(root string) ([]File, error) {
	workflows, err := filepath.Glob(filepath.Join(root, workflowDir, "*.yml"))
	if err != nil {
		return nil, err
	}
	actions, err := filepath.Glob(filepath.Join(root, actionDir, "*", "action.yml"))
	if err != nil {
		return nil, err
	}
	var files []File
	var errs []error
	for _, path := range append(workflows, actions...) {
		data, err := os.ReadFile(path) //nolint:gosec // below the repository
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return nil, err
		}
		file, err := Parse(name, data)
		files, errs = append(files, file), append(errs, err)
	}
	return files, errors.Join(errs...)
}

// Parse reads a file of the name path, which says whether it is an action.
func Parse(path string, data []byte) (File, error) {
	f := File{Path: filepath.ToSlash(path), text: string(data), lines: strings.Split(string(data), "\n")}
	if filepath.Base(path) == "action.yml" {
		return f, f.parseAction(data)
	}
	workflow, errs := actionlint.Parse(data)
	if len(errs) > 0 {
		return f, fmt.Errorf("%s:%d: %s", path, errs[0].Line, errs[0].Message)
	}
	f.Workflow = workflow
	for name, job := range workflow.Jobs {
		j := Job{Job: job, Name: name}
		for _, s := range job.Steps {
			j.Steps = append(j.Steps, step(s))
		}
		f.Jobs = append(f.Jobs, j)
	}
	slices.SortFunc(f.Jobs, func(a, b Job) int { return a.Pos.Line - b.Pos.Line })
	return f, nil
}

func step(s *actionlint.Step) Step {
	out := Step{With: map[string]string{}}
	switch e := s.Exec.(type) {
	case *actionlint.ExecAction:
		out.Uses, out.Line = e.Uses.Value, e.Uses.Pos.Line
		for name, input := range e.Inputs {
			out.With[name] = input.Value.Value
		}
	case *actionlint.ExecRun:
		out.Run, out.Line = e.Run.Value, e.RunPos.Line
		if e.Shell != nil {
			out.Shell = e.Shell.Value
		}
	}
	return out
}

// parseAction reads a composite action, which actionlint has no type for.
func (f *File) parseAction(data []byte) error {
	var action struct {
		Runs struct {
			Using string
			Steps []yaml.Node
		}
	}
	if err := yaml.Unmarshal(data, &action); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	if action.Runs.Using != "composite" {
		return fmt.Errorf("%s: it is %q, want a composite action", f.Path, action.Runs.Using)
	}
	var job Job
	for _, node := range action.Runs.Steps {
		var s struct {
			Uses, Run, Shell string
			With             map[string]string
		}
		if err := node.Decode(&s); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		job.Steps = append(job.Steps, Step{Line: lineOf(node), Uses: s.Uses, With: s.With, Run: s.Run, Shell: s.Shell})
	}
	f.Jobs = []Job{job}
	return nil
}

// lineOf is the line of a step's key uses or run.
func lineOf(step yaml.Node) int {
	for i := 0; i+1 < len(step.Content); i += 2 {
		if key := step.Content[i]; key.Value == "uses" || key.Value == "run" {
			return key.Line
		}
	}
	return step.Line
}

// Triggers are the events that start the workflow.
func (f File) Triggers() []string {
	var names []string
	if f.Workflow != nil {
		for _, event := range f.Workflow.On {
			names = append(names, event.EventName())
		}
	}
	return names
}

// line is the text of a line, from 1.
func (f File) line(n int) string {
	if n < 1 || n > len(f.lines) {
		return ""
	}
	return f.lines[n-1]
}
