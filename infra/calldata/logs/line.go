package logs

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Line is one line of a log.
type Line struct {
	// Time is when it was logged, by the machine's clock.
	Time time.Time `json:"time"`
	// Node is the machine's name.
	Node string `json:"node"`
	// Log is "journal", or the name of the log group.
	Log string `json:"log"`
	// Program is who logged it, where that is known apart from the text.
	Program string `json:"program,omitempty"`
	// Text is what was logged.
	Text string `json:"text"`
}

// String is the line for a person. Control characters, which a stranger may have sent to a SIP port, do not reach the terminal.
func (l Line) String() string {
	text := l.Text
	if l.Program != "" {
		text = l.Program + ": " + text
	}
	text = strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0)) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return fmt.Sprintf("%s %s %s", l.Time.UTC().Format("2006-01-02T15:04:05.000Z"), l.Node, text)
}

// printer writes lines, one at a time.
type printer struct {
	w    io.Writer
	json bool

	mu  sync.Mutex
	err error
}

func (p *printer) print(l Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	if p.json {
		p.err = json.NewEncoder(p.w).Encode(l)
		return
	}
	_, p.err = fmt.Fprintln(p.w, l)
}
