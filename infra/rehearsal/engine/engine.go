// Package engine finds or makes the programs that run a Pulumi deployment: the Pulumi command line, its language host
// for Go, the AWS provider and the command provider.
//
// A machine with Pulumi's installer has them, or can download them. A machine that reaches nothing but a Go module
// proxy has not: then the package builds them from Go modules whose versions and hashes are committed. What it built
// is kept in a cache, under the hash of all that went into it.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine/fastwait"
)

// Mode says where the programs come from.
type Mode string

// The modes.
const (
	// Auto takes each program from Pulumi's own distribution if it is there or can be downloaded, and builds it if not.
	Auto Mode = "auto"
	// Official takes Pulumi's own distribution, and fails where it is not to be had.
	Official Mode = "official"
	// Build builds everything from Go modules.
	Build Mode = "build"
)

// Where a part came from.
const (
	OriginFound    = "found on PATH"
	OriginOfficial = "official"
	OriginBuilt    = "built from Go modules"
)

// ProgramVariable names the environment variable that gives the built language host a compiled Pulumi program (an
// absolute path), so that not every engine command compiles it again. Pulumi's own `runtime.options.binary` does not
// reach the language host that can be built, and Pulumi's own language host ignores this variable.
const ProgramVariable = "CALLDATA_REHEARSAL_PROGRAM"

// Options are the input of Prepare.
type Options struct {
	// Root is the directory of this repository; the sources of the providers and the pinned modules are read there.
	Root string
	// CacheDir keeps what was built. Default: engine in cache.Default.
	CacheDir string
	// Mode says where the programs come from. Default: Auto.
	Mode Mode
	// Progress hears what happens. Default: silence.
	Progress progress.Reporter
	// Env is the environment in which go and pulumi run, as os.Environ gives it, which is the default.
	Env []string
}

// Part is one program of the engine.
type Part struct {
	// Name is the program's file name, as pulumi-resource-aws.
	Name string
	// Version is the program's own, and for the built AWS provider the Terraform provider's inside it.
	Version string
	// Origin is OriginFound, OriginOfficial or OriginBuilt.
	Origin string
	// Path is the program's file.
	Path string
	// Took is how long it took to build or download, 0 when it was there already.
	Took time.Duration
}

// Engine is ready to run a deployment.
type Engine struct {
	// Dir holds all the programs; put it first on PATH.
	Dir string
	// Parts are the programs: command line, language host, AWS provider, command provider.
	Parts []Part
	// FastWait is true when the AWS provider is the built one, whose fixed waits Env cuts. Results of such a run say
	// nothing about how long AWS takes, and a report must say so.
	FastWait bool

	path string
}

// Prepare answers an engine, building what is missing. Building all takes about ten minutes on two cores and 3 GB of
// memory, and is done once per version. Concurrent calls on one cache wait for each other; a call that was killed is
// gone on with by the next one. Errors name the part and what to do.
func Prepare(ctx context.Context, opts Options) (*Engine, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	step := opts.Progress.Step("Pulumi engine and providers")
	opts.Progress = step
	engine, err := prepare(ctx, opts)
	step.Done(err)
	return engine, err
}

func prepare(ctx context.Context, opts Options) (*Engine, error) {
	recipes, err := recipes(opts.Root)
	if err != nil {
		return nil, err
	}
	engine := &Engine{path: variable(opts.Env, "PATH"), Parts: make([]Part, len(recipes))}
	var missing []int
	distribution := distribution{opts: opts, stall: stallTimeout}
	for i, r := range recipes {
		if opts.Mode == Build {
			missing = append(missing, i)
			continue
		}
		part, err := distribution.find(ctx, r)
		switch {
		case err == nil:
			engine.Parts[i] = part
			opts.Progress.Logf("%s %s: %s, %s", part.Name, part.Version, part.Origin, part.Path)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case opts.Mode == Official:
			return nil, fmt.Errorf("%s is not to be had from Pulumi: %w; install it, or let the engine be built", r.name, err)
		default:
			opts.Progress.Logf("%s is built from Go modules: %s", r.name, brief(err))
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 {
		if err := buildParts(ctx, opts, recipes, missing, engine.Parts); err != nil {
			return nil, err
		}
	}
	for _, part := range engine.Parts {
		if part.Name == awsPlugin {
			engine.FastWait = part.Origin == OriginBuilt
		}
	}
	engine.Dir, err = linkParts(opts.CacheDir, engine.Parts)
	return engine, err
}

// Env answers the variables that make a child process use this engine, to be added after all others. Home becomes
// PULUMI_HOME: the caller's own directory, so that the person's plugins and credentials are neither used nor changed.
func (e *Engine) Env(home string) []string {
	env := []string{
		"PATH=" + e.Dir + string(os.PathListSeparator) + e.path,
		"PULUMI_HOME=" + home,
		"PULUMI_SKIP_UPDATE_CHECK=true",
		// All plugins are on PATH; without this Pulumi would look for newer ones on the internet.
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
		"PULUMI_IGNORE_AMBIENT_PLUGINS=false",
	}
	if e.FastWait {
		env = append(env, fastwait.Variable+"=1")
	}
	return env
}

// complete fills in defaults and answers everything that is wrong.
func (o Options) complete() (Options, error) {
	var errs []error
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.Progress == nil {
		o.Progress = progress.Discard
	}
	switch o.Mode {
	case "":
		o.Mode = Auto
	case Auto, Official, Build:
	default:
		errs = append(errs, fmt.Errorf("engine mode %q: want %s, %s or %s", o.Mode, Auto, Official, Build))
	}
	root, err := filepath.Abs(o.Root)
	if err == nil {
		_, err = os.Stat(filepath.Join(root, providersDir))
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("find the providers' sources in repository %q: %w", o.Root, err))
	}
	o.Root = root
	if o.CacheDir == "" {
		dir, err := cache.Default()
		errs = append(errs, err)
		o.CacheDir = filepath.Join(dir, "engine")
	}
	// Links and module replacements need absolute paths.
	o.CacheDir, err = filepath.Abs(o.CacheDir)
	errs = append(errs, err)
	return o, errors.Join(errs...)
}

// variable answers the value of an environment variable; of several the last counts.
func variable(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(env[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// brief answers the first line of an error; those of tools go on with what the tool wrote.
func brief(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(line, ":")
}

// lookPath finds an executable on the PATH of env.
func lookPath(env []string, name string) (string, error) {
	for _, dir := range filepath.SplitList(variable(env, "PATH")) {
		if !filepath.IsAbs(dir) {
			continue // a program from the working directory is a surprise
		}
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%w: %s", exec.ErrNotFound, name)
}
