package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// IO is what a command reads from and writes to: results go to Out, everything said on the way to Err, so that
// `calldata health --json | jq` works while a person sees progress.
type IO struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// InIsTerminal tells whether somebody can be asked.
	InIsTerminal bool
	// ErrIsTerminal tells whether progress may move the cursor; Colour whether it may be coloured.
	ErrIsTerminal bool
	Colour        bool
	// Width answers the columns of the terminal, 0 when unknown.
	Width func() int
	// Getenv reads the environment.
	Getenv func(string) string
}

// System is the process's own streams. NO_COLOR (https://no-color.org) and TERM=dumb switch colours off.
func System() *IO {
	tty := term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb"
	return &IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InIsTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		ErrIsTerminal: tty,
		Colour:        tty && os.Getenv("NO_COLOR") == "",
		Width: func() int {
			w, _, err := term.GetSize(int(os.Stderr.Fd()))
			if err != nil {
				return 80
			}
			return w
		},
		Getenv: os.Getenv,
	}
}

// Reporter draws progress on Err in the way that suits it, and remembers it. Call the second result when the work is
// over.
func (s *IO) Reporter() (*progress.Recorder, func()) {
	if s.ErrIsTerminal {
		sink := progress.NewTerminal(s.Err, s.Width, s.Colour)
		return progress.NewRecorder(sink), sink.Close
	}
	return progress.NewRecorder(progress.NewLines(s.Err)), func() {}
}

// Quiet are the streams for a command within another one: what it prints is progress, since the result is that of the other.
func (s *IO) Quiet() *IO {
	quiet := *s
	quiet.Out = s.Err
	return &quiet
}

// Print writes a command's result to Out: as indented JSON, or in the words that text writes for a person.
func (s *IO) Print(asJSON bool, result any, text func(io.Writer) error) error {
	var err error
	if asJSON {
		encoder := json.NewEncoder(s.Out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(result)
	} else {
		err = text(s.Out)
	}
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
