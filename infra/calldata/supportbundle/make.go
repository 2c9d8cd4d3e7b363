package supportbundle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/redact"
	"github.com/calldata/calldata-foundation/infra/calldata/version"
	"github.com/calldata/calldata-foundation/stacks"
)

// secretVariables hold secrets themselves, where they are set.
var secretVariables = []string{
	"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CALLDATA_VAULT_PASSWORD", "GH_TOKEN", "GITHUB_TOKEN", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE",
}

// site is what parts collect from.
type site struct {
	*Options
	root string
	// stack is what the stack's outputs say, and deployed whether there are any.
	stack    stacks.Outputs
	deployed bool
	out      *archive

	mu      sync.Mutex
	missing []string
}

// lacks notes what could not be had.
func (s *site) lacks(what string, err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing = append(s.missing, s.out.redactor.String(strings.ReplaceAll(fmt.Sprintf("%s: %v", what, err), "\n", "; ")))
}

func (o *Options) make(ctx context.Context, root string, report progress.Reporter) (Result, error) {
	known, secretsErr := configure.KnownSecrets(ctx, o.IO.Getenv, root, o.Source.Stack)
	for _, name := range secretVariables {
		known = append(known, o.IO.Getenv(name))
	}
	redactor, err := redact.New(root, known...)
	if err != nil {
		return Result{}, err
	}
	at := o.now().UTC()
	path := o.File
	if path == "" {
		path = fmt.Sprintf("calldata-%s-%s.tar.gz", o.Source.Stack, at.Format("20060102T150405Z"))
	}
	out, err := create(path, redactor, at)
	if err != nil {
		return Result{}, err
	}
	s := &site{Options: o, root: root, out: out}
	s.lacks("secrets that are taken out by name", secretsErr)
	s.stack, err = o.Source.Load(ctx, o.IO.In)
	s.deployed = err == nil
	s.lacks("outputs.json", err)

	var all sync.WaitGroup
	for _, p := range o.parts {
		all.Go(func() {
			step := report.Step(p.name)
			err := p.collect(ctx, s)
			step.Done(err)
			if !errors.Is(err, progress.ErrSkipped) {
				s.lacks(p.name, err)
			}
		})
	}
	all.Wait()
	slices.Sort(s.missing)
	out.text("README.txt", s.readme(at))
	size, err := out.close(path)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return Result{}, err
	}
	return Result{Stack: o.Source.Stack, File: path, Bytes: size, Files: out.files, Missing: append([]string{}, s.missing...)}, nil
}

func (s *site) readme(at time.Time) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "Stack %s at %s, by %s.\n", s.Source.Stack, at.Format(time.RFC3339), version.Get())
	b.WriteString("Passwords, tokens, keys and digests are replaced by ***.\n")
	if len(s.missing) > 0 {
		b.WriteString("\nWhat could not be had:\n")
	}
	for _, m := range s.missing {
		b.WriteString("- " + m + "\n")
	}
	return b.String()
}
