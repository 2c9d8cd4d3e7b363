package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// A build is a recipe on its way into the cache.
type build struct {
	recipe
	index int
	key   string
	// dir is where the finished part lies.
	dir string
}

func (b build) part(took time.Duration) Part {
	return Part{
		Name: b.name, Version: b.builtVersion(), Origin: OriginBuilt, Path: filepath.Join(b.dir, b.name), Took: took,
	}
}

// finished tells whether the part is in the cache. Parts come there whole, by a rename.
func (b build) finished() bool {
	_, err := os.Stat(filepath.Join(b.dir, b.name))
	return err == nil
}

// buildParts builds those of the recipes that the cache lacks, and fills in their parts.
func buildParts(ctx context.Context, opts Options, recipes []recipe, indexes []int, parts []Part) error {
	goTool, err := lookPath(opts.Env, "go")
	if err != nil {
		return fmt.Errorf("build the engine: %w; install Go, or Pulumi with its plugins", err)
	}
	env := goEnv(opts.Env)
	out, err := process{dir: opts.Root, env: env, program: goTool, args: []string{"env", "-json", "GOVERSION", "GOOS", "GOARCH"}}.run(ctx)
	if err != nil {
		return fmt.Errorf("ask Go for its version: %w", err)
	}
	var tools toolchain
	if err := json.Unmarshal(out, &tools); err != nil {
		return fmt.Errorf("ask Go for its version: %w", err)
	}
	var builds []build
	for _, i := range indexes {
		key, err := recipes[i].key(opts.Root, tools)
		if err != nil {
			return err
		}
		dir := filepath.Join(opts.CacheDir, "parts", recipes[i].name+"-"+key)
		builds = append(builds, build{recipe: recipes[i], index: i, key: key, dir: dir})
	}
	if err := os.MkdirAll(filepath.Join(opts.CacheDir, "parts"), 0o755); err != nil { //nolint:gosec // nothing secret
		return fmt.Errorf("make the cache: %w", err)
	}
	if slices.ContainsFunc(builds, func(b build) bool { return !b.finished() }) {
		unlock, err := lock(ctx, filepath.Join(opts.CacheDir, "lock"), opts.Progress)
		if err != nil {
			return err
		}
		defer unlock()
	}
	took := map[string]time.Duration{}
	if left := slices.DeleteFunc(slices.Clone(builds), build.finished); len(left) > 0 {
		if took, err = makeAll(ctx, opts, goTool, env, left); err != nil {
			return err
		}
	}
	for _, b := range builds {
		parts[b.index] = b.part(took[b.name])
	}
	return nil
}

// makeAll fetches modules for all builds side by side and compiles one build after the other: the first waits for the
// network, the second uses every processor. The caller holds the cache's lock.
func makeAll(ctx context.Context, opts Options, goTool string, env []string, builds []build) (map[string]time.Duration, error) {
	work := filepath.Join(opts.CacheDir, "work")
	// What is there was left by a call that was killed. Go's own cache keeps what that call had compiled.
	if err := os.RemoveAll(work); err != nil {
		return nil, fmt.Errorf("remove what an earlier call left: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // else the next call does
	temp := filepath.Join(work, "tmp")
	if err := os.MkdirAll(temp, 0o755); err != nil { //nolint:gosec // nothing secret
		return nil, fmt.Errorf("make a working directory: %w", err)
	}
	env = append(slices.Clip(env), "GOTMPDIR="+temp)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	type fetched struct {
		plan plan
		err  error
	}
	shops, results := make([]workshop, len(builds)), make([]chan fetched, len(builds))
	for i, b := range builds {
		dir := filepath.Join(work, b.name)
		shops[i] = workshop{
			ctx: ctx, goTool: goTool, env: env, dir: dir, source: filepath.Join(dir, "source"),
			replaced: map[string]string{}, step: opts.Progress.Step(b.name + " " + b.version),
		}
		results[i] = make(chan fetched, 1)
		go func() {
			plan, err := shops[i].fetch(opts.Root, b.recipe)
			results[i] <- fetched{plan, err}
		}()
	}
	took := map[string]time.Duration{}
	var failure error
	for i, b := range builds {
		result := <-results[i]
		err := result.err
		start := time.Now()
		if failure == nil && err == nil {
			err = shops[i].compile(b, result.plan)
		}
		if err != nil {
			err = fmt.Errorf("build %s: %w", b.name, err)
			if failure == nil {
				failure = err
				cancel(errors.New("another part could not be built"))
			}
		}
		if failure != nil && err == nil {
			err = fmt.Errorf("%w: another part could not be built", progress.ErrSkipped)
		}
		took[b.name] = time.Since(start)
		shops[i].step.Done(err)
	}
	return took, failure
}

// goEnv answers the environment for the go command. The person's settings for proxies and caches are kept; those that
// would change what comes out are not.
func goEnv(env []string) []string {
	return append(slices.Clip(env),
		// go.mod and go.sum are committed and are law.
		"GOFLAGS=-mod=readonly -buildvcs=false",
		"GOWORK=off",
		// Checksum databases behind mirrors lack entries; what counts is in go.sum.
		"GONOSUMDB=*",
		// No C compiler needed, and a result that runs on any Linux.
		"CGO_ENABLED=0",
		// Compilers live for seconds: collecting less often is faster.
		"GOGC=400",
	)
}

// copyModule copies a module's sources, so that nothing the build writes reaches the repository.
func copyModule(from, to string) error {
	files, err := sources(from)
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(from, file)) //nolint:gosec // a file of this repository
		if err != nil {
			return err
		}
		target := filepath.Join(to, file)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // nothing secret
			return err
		}
		if err := os.WriteFile(target, content, 0o600); err != nil { //nolint:gosec // a copy in the cache
			return err
		}
	}
	return nil
}

// linkParts answers a directory that holds all parts under their names. Its own name says which parts, so one that is
// there is right; it comes there whole, by a rename.
func linkParts(cache string, parts []Part) (string, error) {
	var names []string
	for _, part := range parts {
		names = append(names, part.Origin+" "+part.Name+"="+part.Path)
	}
	bin := filepath.Join(cache, "bin")
	dir := filepath.Join(bin, digest(strings.Join(names, "\n")))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(bin, 0o755); err != nil { //nolint:gosec // nothing secret
		return "", fmt.Errorf("make the engine's directory: %w", err)
	}
	temporary, err := os.MkdirTemp(bin, ".new-")
	if err != nil {
		return "", fmt.Errorf("make the engine's directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(temporary) }() // gone already, unless a concurrent call was first
	for _, part := range parts {
		if err := linkPart(part, filepath.Join(temporary, part.Name)); err != nil {
			return "", fmt.Errorf("link %s: %w", part.Name, err)
		}
	}
	if err := os.Chmod(temporary, 0o755); err != nil { //nolint:gosec // nothing secret
		return "", fmt.Errorf("open the engine's directory to all: %w", err)
	}
	if err := os.Rename(temporary, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("move the engine's directory to its place: %w", err)
	}
	return dir, nil
}

// linkPart makes a part reachable as file. A command line built here gets a hard link: Pulumi looks for the language
// host beside its own resolved path, and warns about one found on PATH. All other parts must resolve to their own
// directory, where their companions are.
func linkPart(part Part, file string) error {
	if part.Name == cliProgram && part.Origin == OriginBuilt {
		return os.Link(part.Path, file)
	}
	return os.Symlink(part.Path, file)
}
