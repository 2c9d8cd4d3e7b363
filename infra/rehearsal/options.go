package rehearsal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/stacks"
)

// Stages that a rehearsal can stop after.
const (
	StageProvision = "provision"
	StageConfigure = "configure"
)

// Options says what to rehearse and how.
type Options struct {
	// Stack names the stack; there has to be a Pulumi.<stack>.yaml in Repo.
	Stack string
	// Repo is the root of the repository.
	Repo string
	// Twice deploys and configures a second time, and demands that nothing changes.
	Twice bool
	// Keep leaves the platform running after the checks, also when one failed, until Hold returns.
	Keep bool
	// Hold is called when Keep is set and the platform stands. It blocks until the person has had enough.
	Hold func(Access)
	// StopAfter ends the rehearsal early: StageProvision, StageConfigure, or empty for all of it.
	StopAfter string
	// Calls says how much calling there is: CallsQuick (the default), CallsFull, or CallsNone.
	Calls string
	// Training then does the exercises of docs/training.md, as a reader does. For stacks of the shape stage; needs calls.
	Training bool
	// Restore loses the engine with its data after the calls, and brings it back from a backup; where the stack has a database of RDS,
	// the Router and the database, too, and then it brings that back to the second before a mistake. For stacks of the shapes dev and stage.
	Restore bool
	// Drill then makes the stack afresh beside itself from a backup and a snapshot, as a drill for the loss of a region does, and takes that down.
	// For stacks of the shape stage; needs calls.
	Drill bool
	// Rollback then deploys a commit that breaks the SBC and rolls it back, and repairs a damaged state. For stacks of the shape stage;
	// needs calls and git.
	Rollback bool
	// Release brings up the other colour of the fleets while calls are up, has the calls go back by themselves, moves them there by a
	// second try, and removes the colour that was there before. For stacks of the shape prod.
	Release bool
	// Zone loses everything in the first engine's availability zone at once, and brings the zone back. For stacks of the shape prod;
	// needs calls.
	Zone bool
	// CacheDir holds what every rehearsal shares: engine, image, environments. Default: see cache.Default.
	CacheDir string
	// Calldata is the calldata binary that the configuration stage and the checks run. Default: this process's own.
	Calldata string
	// Progress receives and remembers every step.
	Progress *progress.Recorder

	// kind is the stack's shape.
	kind stacks.Kind
}

// Access says how a person reaches a kept platform.
type Access struct {
	// SSH is a command per node that logs in.
	SSH []string
	// Shell is a command that opens a shell in which pulumi and calldata work on the platform.
	Shell string
	// Stop is the command that removes everything.
	Stop string
	// Web is the engine's URL, reachable from inside the network.
	Web string
}

// withDefaults fills what was left out and reports every mistake at once.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	if !slices.Contains([]string{"", StageProvision, StageConfigure}, o.StopAfter) {
		errs = append(errs, fmt.Errorf("--stop-after is %q: use %s or %s, or leave it out", o.StopAfter, StageProvision, StageConfigure))
	}
	if o.Calls == "" {
		o.Calls = CallsQuick
	}
	if !slices.Contains([]string{CallsNone, CallsQuick, CallsFull}, o.Calls) {
		errs = append(errs, fmt.Errorf("--calls is %q: use %s, %s or %s", o.Calls, CallsNone, CallsQuick, CallsFull))
	}
	if o.Stack == "" || strings.ContainsAny(o.Stack, "/. ") {
		errs = append(errs, fmt.Errorf("stack is %q: name one that has a Pulumi.<stack>.yaml, for example dev", o.Stack))
	} else if _, err := os.Stat(filepath.Join(o.Repo, "Pulumi."+o.Stack+".yaml")); err != nil {
		errs = append(errs, fmt.Errorf("stack is %q, but there is no Pulumi.%s.yaml: run from the repository, and name a stack that it has", o.Stack, o.Stack))
	} else {
		kind, err := kindOf(o.Repo, o.Stack)
		errs = append(errs, err)
		o.kind = kind
		for _, d := range o.drills() {
			if err == nil && !slices.Contains(d.kinds, kind) {
				errs = append(errs, fmt.Errorf("%s is for stacks of the shape %s; %s is of the shape %s", d.flag, d.shapes(), o.Stack, kind))
			}
		}
	}
	if o.Release && o.Calls == CallsNone {
		errs = append(errs, errors.New("--release comes after the calls, which --calls none leaves out: give one of them"))
	}
	if o.StopAfter != "" {
		for _, d := range o.drills() {
			errs = append(errs, fmt.Errorf("%s comes after the checks, which --stop-after leaves out: give one of them", d.flag))
		}
	}
	if o.Drill && o.Calls == CallsNone {
		errs = append(errs, errors.New("--drill calls by what the calls set up, which --calls none leaves out: give one of them"))
	}
	if o.Training && o.Calls == CallsNone {
		errs = append(errs, errors.New("--training calls by what the calls set up, which --calls none leaves out: give one of them"))
	}
	if o.Zone && o.Calls == CallsNone {
		errs = append(errs, errors.New("--zone measures when calls work again, and --calls none sets up none: give one of them"))
	}
	if o.Rollback {
		if o.Calls == CallsNone {
			errs = append(errs, errors.New("--rollback measures when calls work again, and --calls none sets up none: give one of them"))
		}
		if _, err := exec.LookPath("git"); err != nil {
			errs = append(errs, errors.New("--rollback makes a clone, and git is not on PATH: install it"))
		}
	}
	if o.CacheDir == "" {
		dir, err := cache.Default()
		errs = append(errs, err)
		o.CacheDir = dir
	}
	if o.Calldata == "" {
		exe, err := os.Executable()
		errs = append(errs, err)
		o.Calldata = exe
	}
	if o.Progress == nil {
		o.Progress = progress.NewRecorder(nil)
	}
	return o, cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

// option is one that only some shapes of stacks have.
type option struct {
	flag  string
	kinds []stacks.Kind
}

func (o option) shapes() string {
	var names []string
	for _, k := range o.kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, " or ")
}

// drills are what a rehearsal does after its checks, as far as it is asked for.
func (o Options) drills() []option {
	var asked []option
	if o.Training {
		asked = append(asked, option{"--training", []stacks.Kind{stacks.KindStage}})
	}
	if o.Restore {
		asked = append(asked, option{"--restore", []stacks.Kind{stacks.KindDev, stacks.KindStage}})
	}
	if o.Drill {
		asked = append(asked, option{"--drill", []stacks.Kind{stacks.KindStage}})
	}
	if o.Rollback {
		asked = append(asked, option{"--rollback", []stacks.Kind{stacks.KindStage}})
	}
	if o.Zone {
		asked = append(asked, option{"--zone", []stacks.Kind{stacks.KindProd}})
	}
	if o.Release {
		asked = append(asked, option{"--release", []stacks.Kind{stacks.KindProd}})
	}
	return asked
}

// id is the name that everything of a stack's rehearsal derives from.
func id(stack string) string { return "cd-" + stack }
