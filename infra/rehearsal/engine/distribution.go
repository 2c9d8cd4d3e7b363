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

	"golang.org/x/mod/semver"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

const (
	// askTimeout bounds a question to the Pulumi command line.
	askTimeout = 30 * time.Second
	// stallTimeout is how long a download may stand still. Without a network it fails after this at the latest.
	stallTimeout = 10 * time.Second
	// stallPoll is how often a download is looked at.
	stallPoll = 250 * time.Millisecond
)

// distribution finds parts of Pulumi's own distribution on this machine, or downloads them.
type distribution struct {
	opts Options
	// cli is the command line found; empty until asked for. cliErr is why there is none.
	cli    Part
	cliErr error
	// unreachable is set once a download failed: the next would fail the same way, only later.
	unreachable bool
	// stall is how long a download may stand still.
	stall time.Duration
}

// find answers the part of a recipe, or why it is not to be had.
func (d *distribution) find(ctx context.Context, r recipe) (Part, error) {
	if d.cli.Path == "" && d.cliErr == nil {
		d.cli, d.cliErr = d.findCLI(ctx)
	}
	switch {
	case d.cliErr != nil:
		return Part{}, d.cliErr
	case r.name == cliProgram:
		return d.cli, nil
	case r.name == languageHost:
		return d.findLanguageHost()
	default:
		return d.findPlugin(ctx, r)
	}
}

// findCLI answers the `pulumi` on PATH if it is new enough: as new as the one this repository pins, since older ones
// have not been tried.
func (d *distribution) findCLI(ctx context.Context) (Part, error) {
	program, err := lookPath(d.opts.Env, cliProgram)
	if err != nil {
		return Part{}, errors.New("no pulumi on PATH")
	}
	if d.madeHere(program) {
		return Part{}, fmt.Errorf("%s is one that was built here", program)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := process{
		dir: d.opts.Root, env: append(slices.Clip(d.opts.Env), "PULUMI_SKIP_UPDATE_CHECK=true"),
		program: program, args: []string{"version"},
	}.run(ctx)
	if err != nil {
		return Part{}, fmt.Errorf("ask %s for its version: %w", program, err)
	}
	version := strings.TrimSpace(string(out))
	pinned, err := requiredVersion(filepath.Join(d.opts.Root, engineDir, "modules/cli/go.mod"), cliModule)
	if err != nil {
		return Part{}, err
	}
	if !semver.IsValid(version) || semver.Compare(version, "v"+pinned) < 0 {
		return Part{}, fmt.Errorf("%s is version %q; need v%s or later", program, version, pinned)
	}
	return Part{Name: cliProgram, Version: strings.TrimPrefix(version, "v"), Origin: OriginFound, Path: program}, nil
}

// madeHere tells whether a program lies in the cache: an engine that was put on PATH is not Pulumi's distribution.
func (d *distribution) madeHere(program string) bool {
	resolved, err := filepath.EvalSymlinks(program)
	if err != nil {
		return false
	}
	relative, err := filepath.Rel(d.opts.CacheDir, resolved)
	return err == nil && filepath.IsLocal(relative)
}

// findLanguageHost answers the language host that came with the command line.
func (d *distribution) findLanguageHost() (Part, error) {
	program, err := filepath.EvalSymlinks(d.cli.Path)
	if err != nil {
		return Part{}, fmt.Errorf("find the directory of %s: %w", d.cli.Path, err)
	}
	path := "PATH=" + filepath.Dir(program) + string(filepath.ListSeparator) + variable(d.opts.Env, "PATH")
	found, err := lookPath([]string{path}, languageHost)
	if err != nil {
		return Part{}, fmt.Errorf("no %s beside %s nor on PATH", languageHost, program)
	}
	return Part{Name: languageHost, Version: d.cli.Version, Origin: OriginFound, Path: found}, nil
}

// findPlugin answers a resource plugin that is installed, or downloads it into the cache.
func (d *distribution) findPlugin(ctx context.Context, r recipe) (Part, error) {
	part := Part{Name: r.name, Version: r.version, Origin: OriginOfficial}
	installed, err := d.installed(ctx, r)
	if err != nil {
		return Part{}, err
	}
	own := filepath.Join(d.opts.CacheDir, "official")
	for _, home := range []string{installed, own} {
		if home == "" {
			continue
		}
		if file, ok := pluginFile(home, r); ok {
			part.Path = file
			return part, nil
		}
	}
	if d.unreachable {
		return Part{}, errors.New("not tried: an earlier download from Pulumi failed")
	}
	start := time.Now()
	if err := d.download(ctx, own, r); err != nil {
		d.unreachable = true
		return Part{}, err
	}
	file, ok := pluginFile(own, r)
	if !ok {
		return Part{}, fmt.Errorf("pulumi installed plugin %s %s, but not as %s", r.plugin, r.version, file)
	}
	part.Path, part.Took = file, time.Since(start)
	return part, nil
}

// installed answers the person's Pulumi home if `pulumi plugin ls` says that the wanted plugin is there.
func (d *distribution) installed(ctx context.Context, r recipe) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := process{
		dir: d.opts.Root, env: d.opts.Env, program: d.cli.Path, args: []string{"plugin", "ls", "--json"},
	}.run(ctx)
	if err != nil {
		return "", fmt.Errorf("list the installed plugins: %w", err)
	}
	var plugins []struct{ Name, Kind, Version string }
	if err := json.Unmarshal(out, &plugins); err != nil {
		return "", fmt.Errorf("read the list of installed plugins: %w", err)
	}
	for _, p := range plugins {
		if p.Name == r.plugin && p.Kind == "resource" && strings.TrimPrefix(p.Version, "v") == r.version {
			if home := variable(d.opts.Env, "PULUMI_HOME"); home != "" {
				return home, nil
			}
			return filepath.Join(variable(d.opts.Env, "HOME"), ".pulumi"), nil
		}
	}
	return "", nil
}

// pluginFile answers a plugin's program under a Pulumi home, and whether it is there whole. Pulumi keeps a file with
// the ending "partial" beside a plugin that it is unpacking.
func pluginFile(home string, r recipe) (string, bool) {
	dir := filepath.Join(home, "plugins", fmt.Sprintf("resource-%s-v%s", r.plugin, r.version))
	file := filepath.Join(dir, r.name)
	if _, err := os.Stat(dir + ".partial"); err == nil {
		return file, false
	}
	_, err := os.Stat(file)
	return file, err == nil
}

// download has Pulumi install a plugin into home. It gives up when nothing arrives for a while.
func (d *distribution) download(ctx context.Context, home string, r recipe) (err error) {
	step := d.opts.Progress.Step(fmt.Sprintf("download plugin %s %s", r.plugin, r.version))
	defer func() {
		if err != nil && d.opts.Mode == Auto {
			step.Done(fmt.Errorf("%w: %s", progress.ErrSkipped, brief(err)))
			return
		}
		step.Done(err)
	}()
	if err := os.MkdirAll(home, 0o755); err != nil { //nolint:gosec // nothing secret
		return fmt.Errorf("make a directory for plugins: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(home, "lock"), step)
	if err != nil {
		return err
	}
	defer unlock()
	temp := filepath.Join(home, "tmp")
	// An interrupted download leaves its file here.
	if err := errors.Join(os.RemoveAll(temp), os.MkdirAll(temp, 0o755)); err != nil { //nolint:gosec // nothing secret
		return fmt.Errorf("make a directory for a download: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }() // else the next download does

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go watch(ctx, home, d.stall, func(bytes int64) { step.Progress(bytes, 0, "bytes") }, func() {
		cancel(fmt.Errorf("nothing arrived for %s: Pulumi's plugins cannot be reached from here", d.stall))
	})
	install := process{
		dir: d.opts.Root, env: append(slices.Clip(d.opts.Env), "PULUMI_HOME="+home, "TMPDIR="+temp, "PULUMI_SKIP_UPDATE_CHECK=true"),
		program: d.cli.Path, args: []string{"plugin", "install", "resource", r.plugin, "v" + r.version},
	}
	if _, err := install.run(ctx); err != nil {
		return fmt.Errorf("download plugin %s %s: %w", r.plugin, r.version, err)
	}
	return nil
}

// watch calls grown with the size of dir as it grows, and stalled once when it has not grown for a while.
func watch(ctx context.Context, dir string, stall time.Duration, grown func(int64), stalled func()) {
	size, since := int64(-1), time.Now()
	for {
		if now := treeSize(dir); now != size {
			size, since = now, time.Now()
			grown(size)
		} else if time.Since(since) > stall {
			stalled()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(stallPoll):
		}
	}
}

// treeSize answers the bytes of all files under dir. Files that vanish meanwhile do not count.
func treeSize(dir string) int64 {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}
