package logs

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// journalctl is the command that prints the journal. Units were checked to be words.
func (o *Options) journalctl() string {
	args := []string{
		"sudo", "-n", "journalctl", "--quiet", "--no-pager", "--output=json", "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM",
		fmt.Sprintf("--since=-%ds", int(max(o.Since, time.Second)/time.Second)),
	}
	if o.Lines > 0 {
		args = append(args, "--lines="+strconv.Itoa(o.Lines))
	} else {
		args = append(args, "--no-tail")
	}
	if o.Unit != "" {
		args = append(args, "--unit="+o.Unit)
	}
	if o.Follow {
		args = append(args, "--follow")
	}
	return strings.Join(args, " ")
}

// journal passes on the machine's journal. Began tells whether the machine could be logged in to.
func (r *reader) journal(ctx context.Context, n stacks.Node, emit func(Line)) (began bool, err error) {
	client, closed, err := login.To(ctx, r.stack, n, r.IO.Getenv, r.port)
	if err != nil {
		return false, fmt.Errorf("%s: cannot log in: %w", n.Name, err)
	}
	defer closed()
	out, in := io.Pipe()
	parsed := make(chan struct{})
	go func() {
		defer close(parsed)
		parse(out, n.Name, emit)
	}()
	err = login.Stream(ctx, client, r.journalctl(), in)
	_ = in.Close()
	<-parsed
	if err != nil {
		return true, fmt.Errorf("%s: journalctl: %w", n.Name, err)
	}
	return true, nil
}

// parse reads what `journalctl --output=json` prints. Source: systemd.journal-fields(7), and "JSON" in journalctl's
// documentation of its formats: a field is a text, or an array of bytes where it is none, or null where it is too long.
func parse(r io.Reader, node string, emit func(Line)) {
	lines := bufio.NewReader(r)
	for {
		text, err := lines.ReadBytes('\n')
		var entry struct {
			At      string          `json:"__REALTIME_TIMESTAMP"`
			Message json.RawMessage `json:"MESSAGE"`
			Who     string          `json:"SYSLOG_IDENTIFIER"`
			Command string          `json:"_COMM"`
		}
		if json.Unmarshal(text, &entry) == nil {
			micros, _ := strconv.ParseInt(entry.At, 10, 64)
			emit(Line{
				Time: time.UnixMicro(micros).UTC(), Node: node, Log: string(Journal), Program: cmp.Or(entry.Who, entry.Command, "kernel"), Text: message(entry.Message),
			})
		}
		if err != nil {
			return
		}
	}
}

func message(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
		return text
	}
	var numbers []int
	if json.Unmarshal(raw, &numbers) == nil && numbers != nil {
		data := make([]byte, len(numbers))
		for i, n := range numbers {
			data[i] = byte(n) //nolint:gosec // journalctl writes bytes
		}
		return strings.ToValidUTF8(string(data), "?")
	}
	return "(too long to be shown)"
}
