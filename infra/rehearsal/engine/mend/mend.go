// Package mend corrects a fault in a library of the Terraform AWS provider that shows against an emulator and hardly ever
// against AWS. It writes a replacement of a source file for `go build -overlay`.
//
// The fault: smithy-go closes a request's body as soon as a response is there. net/http may not have looked by then
// whether the body has more than its stated length. A closed body answers that look with io.EOF from WriteTo, where the
// contract of io.WriterTo wants no error, and net/http takes it for a failed request and closes the connection, with the
// response still in it: "use of closed network connection". A server that answers within the time that a thread waits for
// a processor, as one on the same machine does, breaks about one call in a thousand that way.
package mend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// bodyFile is the file of smithy-go, and closedBody its fault. What follows the fault's lines is left as it is.
const (
	bodyFile   = "transport/http/internal/io/safe.go"
	closedBody = `	if r.safeReadCloser.closed {
		return 0, io.EOF
	}
`
	emptyBody = `	if r.safeReadCloser.closed {
		return 0, nil
	}
`
)

// Overlay writes the corrected file of smithy-go to directory out, which must exist, and answers the "Replace" object of
// the overlay file. The module's unmodified source is in source; the build reaches it at at. Source that is not as
// expected, because a version changed, is an error: the fault may be mended there, or live elsewhere.
func Overlay(source, at, out string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(source, bodyFile)) //nolint:gosec // the path is inside the module that the build chose
	if err != nil {
		return nil, fmt.Errorf("read the request bodies of smithy-go: %w", err)
	}
	if n := strings.Count(string(text), closedBody); n != 1 {
		return nil, fmt.Errorf("%s answers io.EOF for a closed body %d times, want once: the version of smithy-go changed", bodyFile, n)
	}
	to := filepath.Join(out, "mend_"+filepath.Base(bodyFile))
	if err := os.WriteFile(to, []byte(strings.Replace(string(text), closedBody, emptyBody, 1)), 0o600); err != nil { //nolint:gosec // a file of the build's own directory
		return nil, fmt.Errorf("write an overlay file: %w", err)
	}
	return map[string]string{filepath.Join(at, bodyFile): to}, nil
}
