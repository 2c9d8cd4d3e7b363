// Package confirm asks a person before something is done that matters.
package confirm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// Possible fails, as wrong usage, where nobody can be asked: neither yes was given nor is the input a terminal. Call it before
// anything else, so that automation learns at once.
func Possible(io *cli.IO, yes bool) error {
	if yes || io.InIsTerminal {
		return nil
	}
	return cli.UsageErrorf("nobody can be asked, since the input is no terminal: give --yes to go on without")
}

// Ask asks a question that y or yes answers. Everything else is no, an error with the code cli.ExitDeclined.
func Ask(ctx context.Context, io *cli.IO, question string) error {
	return ask(ctx, io, question+" [y/N] ", func(answer string) bool {
		return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes")
	})
}

// Type wants word to be typed, for what cannot be taken back. Everything else is no, an error with the code cli.ExitDeclined.
func Type(ctx context.Context, io *cli.IO, question, word string) error {
	return ask(ctx, io, fmt.Sprintf("%s Type %s to go on: ", question, word), func(answer string) bool { return answer == word })
}

// Unless asks for word as Type does, unless yes was given. Where nobody can be asked it fails as Possible does.
func Unless(ctx context.Context, yes bool, io *cli.IO, question, word string) error {
	if err := Possible(io, yes); err != nil || yes {
		return err
	}
	return Type(ctx, io, question, word)
}

func ask(ctx context.Context, io *cli.IO, prompt string, agreed func(string) bool) error {
	_, _ = fmt.Fprint(io.Err, prompt)
	lines := make(chan string, 1)
	go func() { // a terminal that waits for a line cannot be told to stop
		line, _ := bufio.NewReader(io.In).ReadString('\n')
		lines <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(io.Err)
		return ctx.Err()
	case line := <-lines:
		if agreed(line) {
			return nil
		}
		return cli.WithCode(cli.ExitDeclined, errors.New("declined: nothing was changed"))
	}
}
