package automation

import "strings"

// maxText bounds the text of an error, in bytes.
const maxText = 4000

// firstDiagnostic shortens the Automation API's errors, which repeat the whole output.
func firstDiagnostic(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if _, after, ok := strings.Cut(text, "stderr: "); ok {
		if after = strings.TrimSpace(after); after != "" {
			text = after
		}
	}
	if len(text) > maxText {
		text = text[:maxText] + " ... (the rest is in the log)"
	}
	return &wrapped{text: strings.TrimSpace(text), err: err}
}

type wrapped struct {
	text string
	err  error
}

func (w *wrapped) Error() string { return w.text }
func (w *wrapped) Unwrap() error { return w.err }
