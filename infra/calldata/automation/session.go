package automation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// Session is a stack that one of the operator's commands has opened, with a log of its own. Close it.
type Session struct {
	*Stack
	// LogFile is the log, relative to the repository: all that the engine printed, secrets masked.
	LogFile string

	file *os.File
}

// Operate opens a stack of the repository at root for the command verb, with the operator's Pulumi. The log is
// .calldata/<stack>/logs/<verb>-<time>.log, of mode 0600. A stack that the backend does not know is cli.ExitUsage.
func Operate(ctx context.Context, root, stack, verb string) (*Session, error) {
	name := filepath.Join(".calldata", stack, "logs", verb+"-"+time.Now().UTC().Format("20060102T150405.000Z")+".log")
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // below the repository's .calldata
	if err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	opened, err := Open(ctx, Options{Dir: root, Stack: stack, Log: file})
	if err != nil {
		_ = file.Close()
		if IsUnknownStack(err) {
			err = cli.UsageErrorf("Pulumi knows no stack %s where it is logged in: `calldata bootstrap` prints the line that makes it", stack)
		}
		return nil, err
	}
	return &Session{Stack: opened, LogFile: name, file: file}, nil
}

// Close closes the log.
func (s *Session) Close() error { return s.file.Close() }
