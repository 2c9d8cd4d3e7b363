// Package pyenv makes the Python virtual environment that the rehearsal runs the AWS emulator and Ansible from. Its
// packages are pinned with hashes in requirements.txt; the environment is a cache entry named after that file.
package pyenv

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the pinned requirements
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
)

//go:embed requirements.txt
var requirements string

// Env is a virtual environment that is complete.
type Env struct {
	// Dir is its root.
	Dir string
}

// Bin is the path of a program in the environment, for example "ansible-playbook".
func (e *Env) Bin(name string) string { return filepath.Join(e.Dir, "bin", name) }

// Python is the path of the environment's interpreter.
func (e *Env) Python() string { return e.Bin("python") }

// Prepare answers the environment in dir, a part of the cache, and makes it first when it is missing (about half a minute with a
// warm network, 460 MB). Several processes may ask at once; one builds. It needs a Python between 3.11 and 3.12 with
// its venv module, and pip's package index.
func Prepare(ctx context.Context, dir string, p progress.Reporter) (*Env, error) {
	step := p.Step("Python environment")
	python, err := findPython(ctx)
	if err != nil {
		step.Done(err)
		return nil, err
	}
	key := cache.Key(requirements, python.version, python.path)
	if env := filepath.Join(dir, key); cache.Complete(env) {
		step.Done(fmt.Errorf("%w: cached", progress.ErrSkipped))
		return &Env{Dir: env}, nil
	}
	dir, err = cache.Entry(ctx, dir, key, step, func(ctx context.Context, dir string) error {
		return build(ctx, python.path, dir, step)
	})
	step.Done(err)
	if err != nil {
		return nil, fmt.Errorf("make Python environment: %w", err)
	}
	return &Env{Dir: dir}, nil
}

// build makes the environment from nothing: a package that was half installed when a build was killed looks installed
// to pip. What was downloaded is in pip's own cache and is not fetched again.
func build(ctx context.Context, python, dir string, step progress.Step) error {
	if err := cache.Clear(dir); err != nil {
		return err
	}
	if err := run(ctx, exec.CommandContext(ctx, python, "-m", "venv", dir), nil); err != nil {
		return fmt.Errorf("%w: on Debian install python3-venv", err)
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirements), 0o600); err != nil {
		return err
	}
	meter := &pipMeter{total: int64(len(packages(requirements))), report: step.Progress}
	// Every package is pinned, so there is nothing to resolve (--no-deps). Byte code is written on first use, for the
	// few modules that are used, which is faster than compiling the 30,000 that are there.
	pip := exec.CommandContext(ctx, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--no-input",
		"--disable-pip-version-check", "--progress-bar", "off", "--no-compile", "--no-deps", "--require-hashes", "-r", list)
	if err := run(ctx, pip, meter.line); err != nil {
		return fmt.Errorf("%w: check that pip reaches its package index (pip config list), then run the same command again", err)
	}
	return nil
}

// run runs cmd and hands each line of its output to each. A failure tells the last lines.
func run(ctx context.Context, cmd *exec.Cmd, each func(string)) error {
	cmd.Env = cleanEnv(os.Environ())
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	var tail []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if each != nil {
				each(lines.Text())
			}
			if tail = append(tail, lines.Text()); len(tail) > 5 {
				tail = tail[1:]
			}
		}
		_, _ = io.Copy(io.Discard, r)
	}()
	err := cmd.Run()
	_ = w.Close()
	<-done
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args[:min(len(cmd.Args), 4)], " "), err, strings.Join(tail, " / "))
	}
	return nil
}

// cleanEnv drops the settings that would make pip install somewhere else, or Python look elsewhere for modules.
func cleanEnv(env []string) []string {
	var out []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIREMENT", "PIP_CONSTRAINT", "VIRTUAL_ENV":
			continue
		}
		out = append(out, kv)
	}
	return out
}

// packages are the "name==version" pins of a requirements file.
func packages(requirements string) []string {
	var out []string
	for line := range strings.Lines(requirements) {
		if line != "" && !strings.HasPrefix(line, " ") && strings.Contains(line, "==") {
			out = append(out, strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "\\")))
		}
	}
	return out
}

// pipMeter turns pip's lines into progress: it collects the packages one by one, then installs them together.
type pipMeter struct {
	total, done int64
	report      func(done, total int64, what string)
}

func (m *pipMeter) line(line string) {
	what, found := strings.CutPrefix(line, "Collecting ")
	switch {
	case found:
		m.done++
		// Installing takes about as long as collecting: it is the second half.
		m.report(m.done, 2*m.total, what)
	case strings.HasPrefix(line, "Installing collected packages"):
		m.report(m.total, 2*m.total, fmt.Sprintf("installing %d packages", m.total))
	case strings.HasPrefix(line, "Successfully installed"):
		m.report(2*m.total, 2*m.total, "installed")
	}
}

// interpreter is a Python that can make the environment.
type interpreter struct{ path, version string }

// findPython takes the system's own Python first: others (pyenv, conda) come and go under a path that stays.
func findPython(ctx context.Context) (interpreter, error) {
	var errs []error
	for _, name := range []string{"/usr/bin/python3", "python3.11", "python3.12", "python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: not found", name))
			continue
		}
		cmd := exec.CommandContext(ctx, path, "-c",
			"import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3]); sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))")
		out, err := cmd.Output()
		version := string(bytes.TrimSpace(out))
		if err == nil {
			return interpreter{path: path, version: version}, nil
		}
		if version == "" {
			errs = append(errs, fmt.Errorf("%s: lacks the venv module", path))
		} else {
			errs = append(errs, fmt.Errorf("%s: version %s", path, version))
		}
	}
	return interpreter{}, fmt.Errorf("no Python 3.11 or 3.12 with its venv module (on Debian: apt-get install python3-venv): %w", errors.Join(errs...))
}
