// Package cli holds what every command shares: exit codes, streams and drawing.
package cli

import (
	"context"
	"errors"
	"fmt"
)

// Exit codes of the calldata command. Scripts may rely on them.
const (
	// ExitOK: everything asked for was done.
	ExitOK = 0
	// ExitError: something failed that has no code of its own.
	ExitError = 1
	// ExitUsage: a flag, an argument, a setting or an input file is wrong; nothing was touched.
	ExitUsage = 2
	// ExitUnhealthy: the checks ran, and at least one failed.
	ExitUnhealthy = 3
	// ExitUnreachable: a machine could not be reached.
	ExitUnreachable = 4
	// ExitTimeout: the work did not end within its time limit and was stopped.
	ExitTimeout = 5
	// ExitPreflight: this machine lacks something that the work needs; the message says what installs it.
	ExitPreflight = 6
	// ExitChanges: something would change where nothing was to.
	ExitChanges = 7
	// ExitDeclined: somebody was asked and said no; nothing was changed.
	ExitDeclined = 8
	// ExitInterrupted: stopped by Ctrl-C or SIGTERM, after cleaning up.
	ExitInterrupted = 130
)

// ErrSilent is in an error whose reason a program that was started has told already: it is not told again.
var ErrSilent = errors.New("see above")

// CodedError carries the exit code that an error should end the process with.
type CodedError struct {
	// Code is one of the Exit constants.
	Code int
	// Err is what happened.
	Err error
}

// Error is the message of the wrapped error.
func (e *CodedError) Error() string { return e.Err.Error() }

// Unwrap gives the wrapped error.
func (e *CodedError) Unwrap() error { return e.Err }

// WithCode wraps err so that the process ends with code. A nil err stays nil.
func WithCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &CodedError{Code: code, Err: err}
}

// UsageErrorf is an error of the caller's making: nothing was touched.
func UsageErrorf(format string, args ...any) error {
	return WithCode(ExitUsage, fmt.Errorf(format, args...))
}

// Code answers the exit code for err.
func Code(err error) int {
	var coded *CodedError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &coded):
		return coded.Code
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		return ExitTimeout
	}
	return ExitError
}
