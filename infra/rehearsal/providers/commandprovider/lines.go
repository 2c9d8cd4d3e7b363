package main

import (
	"bytes"
	"strings"
)

// maxLine is where a line without an end is cut for the log. The captured output is not cut.
const maxLine = 64 << 10

// A lineWriter keeps all that is written and hands it on line by line as it comes.
type lineWriter struct {
	copyTo *bytes.Buffer
	// line gets each line without its end; nil for none.
	line    func(string)
	pending []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.copyTo.Write(p)
	if w.line == nil {
		return len(p), nil
	}
	w.pending = append(w.pending, p...)
	for {
		end := bytes.IndexByte(w.pending, '\n')
		switch {
		case end >= 0:
			w.emit(w.pending[:end])
			w.pending = w.pending[end+1:]
		case len(w.pending) >= maxLine:
			w.flush()
		default:
			return len(p), nil
		}
	}
}

// flush hands on what has no line end yet.
func (w *lineWriter) flush() {
	if len(w.pending) > 0 && w.line != nil {
		w.emit(w.pending)
		w.pending = nil
	}
}

func (w *lineWriter) emit(line []byte) {
	// The engine's messages are UTF-8 by protocol; a program's output may not be.
	w.line(strings.TrimSuffix(strings.ToValidUTF8(string(line), "\uFFFD"), "\r"))
}
