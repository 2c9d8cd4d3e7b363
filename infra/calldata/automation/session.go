package automation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/semver"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// Session is a stack that one of the operator's commands has opened, with a log of its own. Close it.
type Session struct {
	*Stack
	// LogFile is the log, relative to the repository: all that the engine printed, secrets masked.
	LogFile string

	file *os.File
}

// PolicyVersion is the oldest Pulumi that runs the policy pack: its rules over whole stacks need it.
// Source: Pulumi's CHANGELOG, 3.258.0.
const PolicyVersion = "v3.258.0"

// Operate opens a stack of the repository at root for the command verb, with the operator's Pulumi. The log is
// .calldata/<stack>/logs/<verb>-<time>.log, of mode 0600. A Pulumi older than PolicyVersion is cli.ExitPreflight, a stack that the
// backend does not know cli.ExitUsage.
func Operate(ctx context.Context, root, stack, verb string) (*Session, error) {
	pulumi, err := Operator()
	if err != nil {
		return nil, err
	}
	if version := "v" + pulumi.Version().String(); semver.Compare(version, PolicyVersion) < 0 {
		return nil, cli.WithCode(cli.ExitPreflight, fmt.Errorf("pulumi is %s, and policies need %s or later: upgrade it", version, PolicyVersion))
	}
	name := filepath.Join(".calldata", stack, "logs", verb+"-"+time.Now().UTC().Format("20060102T150405.000Z")+".log")
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // below the repository's .calldata
	if err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	opened, err := Open(ctx, Options{Dir: root, Stack: stack, Pulumi: pulumi, Log: file})
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Session{Stack: opened, LogFile: name, file: file}, nil
}

// Close closes the log.
func (s *Session) Close() error { return s.file.Close() }
