package machines

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// lineWriter cuts a program's output into lines and remembers the last ones for an error text.
type lineWriter struct {
	each func(string)
	rest []byte
	tail []string
}

// tailLines is how much of a program's output an error tells.
const tailLines = 8

// Write takes any piece of output. It never fails.
func (w *lineWriter) Write(data []byte) (int, error) {
	w.rest = append(w.rest, data...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			return len(data), nil
		}
		text := strings.TrimRight(string(line), "\r ")
		w.rest = rest
		if text == "" {
			continue
		}
		if w.tail = append(w.tail, text); len(w.tail) > tailLines {
			w.tail = w.tail[1:]
		}
		if w.each != nil {
			w.each(text)
		}
	}
}

// debMeter turns the output of apt-get and debootstrap into progress, by package.
type debMeter struct {
	report      func(done, total int64, what string)
	done, total int64
}

var newlyInstalled = regexp.MustCompile(`(\d+) newly installed`)

// aptLine reads a line of `apt-get -q`: its plan, then either downloads ("Get:") or installations, which take two lines
// per package.
func (m *debMeter) aptLine(line string) {
	if found := newlyInstalled.FindStringSubmatch(line); found != nil {
		m.total, _ = strconv.ParseInt(found[1], 10, 64)
		m.total *= 2
		return
	}
	words := strings.Fields(line)
	switch {
	case strings.HasPrefix(line, "Get:") && len(words) > 4 && m.total > 0:
		m.step(2, words[4])
	case strings.HasPrefix(line, "Unpacking ") && len(words) > 1, strings.HasPrefix(line, "Setting up ") && len(words) > 2:
		m.step(1, strings.ToLower(words[0])+" "+name(words))
	}
}

// debootstrapLine reads a line such as "I: Extracting libc6..." or "I: Configuring libc6...".
func (m *debMeter) debootstrapLine(line string) {
	line, found := strings.CutPrefix(line, "I: ")
	if !found {
		return
	}
	for _, verb := range []string{"Extracting ", "Unpacking ", "Configuring "} {
		if rest, found := strings.CutPrefix(line, verb); found {
			m.step(1, strings.ToLower(verb)+strings.TrimRight(rest, "."))
		}
	}
}

func (m *debMeter) step(n int64, what string) {
	m.done = min(m.done+n, max(m.total, m.done))
	m.report(m.done, m.total, what)
}

// name is the package in "Unpacking NAME (1.0) ..." and in "Setting up NAME (1.0) ...".
func name(words []string) string {
	if words[0] == "Setting" {
		return words[2]
	}
	return words[1]
}
