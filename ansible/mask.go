package ansible

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Masked stands where a secret was.
const Masked = "********"

// shortest is the length in bytes below which a value is not masked: it would blot out ordinary text, and Wazo takes no
// password shorter than this.
const shortest = 4

// Masker replaces known secrets in text. The zero value knows none.
type Masker struct {
	// secrets come with the longest first, so that a secret inside another one does not leave its rest behind.
	secrets [][]byte
}

// NewMasker makes a Masker for values and for the forms that they take in JSON, shells and URLs. Values of several lines
// are also masked line by line. Values shorter than 4 bytes are not masked.
func NewMasker(values ...string) *Masker {
	forms := map[string]bool{}
	add := func(v string) {
		v = strings.TrimSpace(v)
		quoted, err := json.Marshal(v)
		if err != nil {
			quoted = nil
		}
		for _, form := range []string{
			v, strings.Trim(string(quoted), `"`), url.QueryEscape(v), url.PathEscape(v),
			strings.ReplaceAll(v, "'", `'"'"'`), strings.ReplaceAll(v, "'", "''"), strings.ReplaceAll(v, `\`, `\\`),
		} {
			if len(form) >= shortest {
				forms[form] = true
			}
		}
	}
	for _, v := range values {
		add(v)
		for line := range strings.Lines(v) {
			if len(strings.TrimSpace(line)) >= 2*shortest {
				add(line)
			}
		}
	}
	m := &Masker{}
	for form := range forms {
		m.secrets = append(m.secrets, []byte(form))
	}
	slices.SortFunc(m.secrets, func(a, b []byte) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return bytes.Compare(a, b)
	})
	return m
}

// String is s without secrets.
func (m *Masker) String(s string) string {
	out, _ := m.scan([]byte(s), true)
	return string(out)
}

// scan masks b from left to right, the longest secret first. Unless b is final, it stops where a secret may have begun
// whose end is yet to come, and answers that rest.
func (m *Masker) scan(b []byte, final bool) (masked, rest []byte) {
	if m == nil || len(m.secrets) == 0 {
		return b, nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		matched := 0
		for _, secret := range m.secrets {
			if b[i] != secret[0] {
				continue
			}
			if bytes.HasPrefix(b[i:], secret) {
				matched = len(secret)
				break
			}
			if !final && bytes.HasPrefix(secret, b[i:]) {
				return out, b[i:]
			}
		}
		if matched > 0 {
			out = append(out, Masked...)
			i += matched
			continue
		}
		out = append(out, b[i])
		i++
	}
	return out, nil
}

// Writer passes on to w what is written to it, without secrets, also where one comes in pieces. Close passes on the rest.
// One goroutine may use it at a time.
func (m *Masker) Writer(w io.Writer) io.WriteCloser { return &maskWriter{m: m, w: w} }

type maskWriter struct {
	m       *Masker
	w       io.Writer
	pending []byte
}

// Write answers len(p) even when w fails, with w's error: the caller's data is consumed either way.
func (w *maskWriter) Write(p []byte) (int, error) {
	ready, rest := w.m.scan(append(w.pending, p...), false)
	_, err := w.w.Write(ready)
	w.pending = bytes.Clone(rest)
	return len(p), err
}

func (w *maskWriter) Close() error {
	ready, _ := w.m.scan(w.pending, true)
	w.pending = nil
	_, err := w.w.Write(ready)
	return err
}

// lockedWriter lets several goroutines share a writer, and remembers its first error.
type lockedWriter struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.w.Write(p)
	if l.err == nil {
		l.err = err
	}
	return n, err
}
