package workflows

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/rhysd/actionlint"
)

// Lint is what actionlint says of the workflows of the repository at root, and where it is installed shellcheck of their scripts.
func Lint(root string) ([]Finding, error) {
	shellcheck, _ := exec.LookPath("shellcheck") // without it only scripts stay unread
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: shellcheck, WorkingDir: root})
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(root, workflowDir, "*.yml"))
	if err != nil {
		return nil, err
	}
	errs, err := linter.LintFiles(paths, nil)
	if err != nil {
		return nil, fmt.Errorf("actionlint: %w", err)
	}
	var findings []Finding
	for _, e := range errs {
		findings = append(findings, Finding{Rule: "actionlint", Path: e.Filepath, Line: e.Line, Text: e.Message + " (" + e.Kind + ")"})
	}
	return findings, nil
}
