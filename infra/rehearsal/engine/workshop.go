package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// A workshop is where one part is built: a copy of its module, and the go command.
type workshop struct {
	ctx    context.Context
	goTool string
	env    []string
	// dir is the workshop, source the copied module in it.
	dir, source string
	step        progress.Step
	// replaced maps modules to directories that stand in for them.
	replaced map[string]string
}

// A plan is what a build will do.
type plan struct {
	flags []string
	// weights holds the size of each package to be compiled, in bytes of source: compile time follows it.
	weights map[string]int64
}

// fetch readies the module, downloads what it needs and answers what there is to compile.
func (w workshop) fetch(root string, r recipe) (plan, error) {
	if err := copyModule(filepath.Join(root, r.module), w.source); err != nil {
		return plan{}, fmt.Errorf("copy module %s: %w", r.module, err)
	}
	flags := append([]string{"-trimpath"}, r.flags...)
	if r.arrange != nil {
		more, err := r.arrange(w)
		if err != nil {
			return plan{}, err
		}
		flags = append(flags, more...)
	}
	for module, dir := range w.replaced {
		if _, err := w.run("mod", "edit", "-replace", module+"="+dir); err != nil {
			return plan{}, err
		}
	}
	// EmbedFiles is not read, but without it go does not hash embedded files, and calls finished packages stale.
	list := append([]string{"list", "-deps", "-json=ImportPath,Dir,GoFiles,EmbedFiles,Stale,StaleReason"}, flags...)
	out, err := w.run(append(list, r.pkg)...)
	if err != nil {
		return plan{}, err
	}
	weights, err := weigh(out)
	return plan{flags: flags, weights: weights}, err
}

// weigh reads the output of `go list` and answers the sizes of the packages that are not in Go's cache.
func weigh(list []byte) (map[string]int64, error) {
	weights := map[string]int64{}
	for decoder := json.NewDecoder(bytes.NewReader(list)); ; {
		var pkg struct {
			ImportPath, Dir, StaleReason string
			GoFiles                      []string
			Stale                        bool
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return weights, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		if !pkg.Stale || strings.Contains(pkg.StaleReason, "available in build cache") {
			continue
		}
		weights[pkg.ImportPath] = 1
		for _, file := range pkg.GoFiles {
			// Files of an overlay are not there; the estimate can do without.
			if info, err := os.Stat(filepath.Join(pkg.Dir, file)); err == nil {
				weights[pkg.ImportPath] += info.Size()
			}
		}
	}
}

// compile builds the part into a directory of its own and moves that to its place when all is done.
func (w workshop) compile(b build, p plan) error {
	out := filepath.Join(w.dir, "out")
	if err := os.MkdirAll(out, 0o755); err != nil { //nolint:gosec // nothing secret
		return fmt.Errorf("make a directory for the program: %w", err)
	}
	args := append([]string{"build", "-v", "-p", strconv.Itoa(jobs()), "-o", filepath.Join(out, b.name)}, p.flags...)
	meter := newMeter(p.weights, w.step)
	run := process{dir: w.source, env: w.env, program: w.goTool, args: append(args, b.pkg), line: meter.line}
	if _, err := run.run(w.ctx); err != nil {
		return err
	}
	if b.complete != nil {
		if err := b.complete(w, out); err != nil {
			return err
		}
	}
	if err := os.Rename(out, b.dir); err != nil {
		return fmt.Errorf("move the finished part into the cache: %w", err)
	}
	return nil
}

// run runs the go command in the copied module and answers its output. Downloads are shown.
func (w workshop) run(args ...string) ([]byte, error) {
	var downloads int64
	line := func(line string) bool {
		rest, ok := strings.CutPrefix(line, "go: downloading ")
		if ok {
			downloads++
			w.step.Progress(downloads, 0, "downloading "+rest)
		}
		return !ok
	}
	return process{dir: w.source, env: w.env, program: w.goTool, args: args, line: line}.run(w.ctx)
}

// output runs a program that was built here and answers its output.
func (w workshop) output(dir, program string, args ...string) ([]byte, error) {
	return process{dir: dir, env: w.env, program: program, args: args}.run(w.ctx)
}

// A meter tells from the lines of `go build -v`, one per package as its compilation starts, how far a build is.
type meter struct {
	weights        map[string]int64
	done, total    int64
	current        int64
	packages, seen int64
	step           progress.Step
}

func newMeter(weights map[string]int64, step progress.Step) *meter {
	m := &meter{weights: weights, step: step, packages: int64(len(weights))}
	for _, weight := range weights {
		m.total += weight
	}
	return m
}

// line takes a line and answers whether it belongs in the text of an error.
func (m *meter) line(line string) bool {
	weight, ok := m.weights[line]
	if !ok {
		return !strings.HasPrefix(line, "go: downloading ") && (strings.Contains(line, " ") || strings.HasPrefix(line, "#"))
	}
	// Starting a package says that the one before is done, more or less.
	m.done, m.current = m.done+m.current, weight
	m.seen++
	// In packages, but so that a large one counts for what it takes.
	m.step.Progress(int64(float64(m.done)/float64(m.total)*float64(m.packages)), m.packages,
		fmt.Sprintf("package %d, %s", m.seen, line))
	return false
}

// memoryPerJob is what the largest packages of the AWS provider need to compile, with room; measured 2.4 GB for two.
const memoryPerJob = 1200 << 20

// jobs answers how many compilers may run at once: one per processor, fewer where memory is short.
func jobs() int {
	limit := runtime.NumCPU()
	if available := availableMemory(); available > 0 {
		limit = min(limit, int(available/memoryPerJob))
	}
	return max(1, limit)
}

// availableMemory answers how many bytes programs can take without swapping, 0 when the system does not say.
func availableMemory() int64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(info)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemAvailable:" {
			kibibytes, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0
			}
			return kibibytes << 10
		}
	}
	return 0
}
