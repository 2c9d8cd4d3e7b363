package supportbundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/doctor"
	"github.com/calldata/calldata-foundation/infra/calldata/health"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/logs"
	"github.com/calldata/calldata-foundation/infra/calldata/version"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	// newest is how many logs of deployments and configurations are taken.
	newest = 10
	// maxFile bounds what is taken of a file, in bytes: its end.
	maxFile = 1 << 20
)

// part is one thing that a bundle holds.
type part struct {
	name    string
	collect func(context.Context, *site) error
}

func parts() []part {
	return []part{
		{"doctor", machineHere}, {"settings", settings}, {"outputs", deployment}, {"health", state}, {"reports", reports}, {"machines", machines},
	}
}

// errNotDeployed skips what only a deployed stack has.
var errNotDeployed = fmt.Errorf("%w: the stack has no outputs", progress.ErrSkipped)

func machineHere(ctx context.Context, s *site) error {
	if err := s.out.json("version.json", version.Get()); err != nil {
		return err
	}
	report, err := doctor.Examine(ctx, s.IO, s.root, s.Source.Stack)
	if err != nil {
		return err
	}
	return s.out.json("doctor.json", report)
}

// settings are the stack's own, whose secrets Pulumi has encrypted.
func settings(_ context.Context, s *site) error {
	for _, name := range []string{"Pulumi.yaml", "Pulumi." + s.Source.Stack + ".yaml"} {
		if err := s.take(name, filepath.Join(s.root, name)); err != nil {
			return err
		}
	}
	return nil
}

func deployment(_ context.Context, s *site) error {
	if !s.deployed {
		return errNotDeployed
	}
	outputs := s.stack
	outputs.Inventory = "" // a file of its own
	if err := s.out.json("outputs.json", outputs); err != nil {
		return err
	}
	inventory, err := ansible.FromOutputs(s.stack)
	if err != nil {
		return err
	}
	text, err := inventory.YAML()
	if err == nil {
		s.out.text("inventory.yml", string(text))
	}
	return err
}

func state(ctx context.Context, s *site) error {
	if !s.deployed {
		return errNotDeployed
	}
	report, err := health.Check(ctx, s.IO, s.stack, 0, progress.Discard.Step("health"))
	if len(report.Checks) == 0 { // a report of an ill stack comes with an error, and is what the bundle is for
		return err
	}
	return s.out.json("health.json", report)
}

// reports are the newest logs, and what the last rehearsal says of itself.
func reports(_ context.Context, s *site) error {
	dir := filepath.Join(s.root, ".calldata", s.Source.Stack)
	files, err := filepath.Glob(filepath.Join(dir, "logs", "*.log"))
	if err != nil {
		return err
	}
	// Their names end with the time.
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(stamp(b), stamp(a)) })
	var errs []error
	for _, file := range files[:min(newest, len(files))] {
		errs = append(errs, s.take("reports/"+filepath.Base(file), file))
	}
	if rehearsal := filepath.Join(dir, "rehearsal", "report.json"); exists(rehearsal) {
		errs = append(errs, s.take("reports/rehearsal.json", rehearsal))
	}
	return errors.Join(errs...)
}

// stamp is the time in the name of a log, VERB-TIME.log.
func stamp(file string) string { return file[strings.LastIndexByte(file, '-')+1:] }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// take adds the end of a file.
func (s *site) take(name, path string) error {
	file, err := os.Open(path) //nolint:gosec // the repository's own
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	most := cmp.Or(s.most, maxFile)
	begin := max(0, info.Size()-most)
	data, err := io.ReadAll(io.NewSectionReader(file, begin, most))
	if err != nil {
		return err
	}
	text := strings.ToValidUTF8(string(data), "?")
	if begin > 0 { // half a line may be half a secret, which nothing would find
		_, text, _ = strings.Cut(text, "\n")
	}
	s.out.text(name, text)
	return nil
}

// looks are what a machine is asked, each a command that changes nothing.
var looks = []string{
	"uptime", "systemctl list-units --failed --plain --no-legend --no-pager", "df -h -x tmpfs -x devtmpfs", "free -m", "cat /etc/debian_version",
	"sudo -n nft list ruleset | head -n 200", "command -v c4-maintenance >/dev/null && sudo -n c4-maintenance status", "cat /var/lib/calldata/backup/last.json",
}

// machines are the fixed ones, and those of fleets that run now.
func machines(ctx context.Context, s *site) error {
	if !s.deployed {
		return errNotDeployed
	}
	nodes := slices.Clone(s.stack.Nodes)
	var errs []error
	asked := map[stacks.Role]bool{}
	for _, f := range s.stack.Fleets {
		if asked[f.Role] { // the other colour has the same one
			continue
		}
		asked[f.Role] = true
		running, err := s.members(ctx, s.stack, f.Role)
		errs = append(errs, err)
		nodes = append(nodes, running...)
	}
	quiet := *s.IO
	quiet.Err = io.Discard // what is missing is said once, at the end
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			s.lacks("machines/"+n.Name+".txt", s.look(ctx, n))
			lines, err := logs.Collect(ctx, logs.Request{IO: &quiet, Stack: s.stack, Nodes: []stacks.Node{n}, Since: s.Since, Lines: s.Lines, Port: s.port})
			s.lacks("logs/"+n.Name+".txt", err)
			var b strings.Builder
			for _, l := range lines {
				b.WriteString(l.String() + "\n")
			}
			if len(lines) > 0 {
				s.out.text("logs/"+n.Name+".txt", b.String())
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// look asks a machine everything. A command that fails is shown with its error.
func (s *site) look(ctx context.Context, n stacks.Node) error {
	client, closed, err := login.To(ctx, s.stack, n, s.IO.Getenv, s.port)
	if err != nil {
		return err
	}
	defer closed()
	var b strings.Builder
	for _, command := range looks {
		out, err := login.Output(ctx, client, command)
		_, _ = fmt.Fprintf(&b, "$ %s\n%s", command, out)
		if err != nil {
			_, _ = fmt.Fprintf(&b, "(%v)\n", err)
		}
		b.WriteString("\n")
	}
	s.out.text("machines/"+n.Name+".txt", b.String())
	return ctx.Err()
}
