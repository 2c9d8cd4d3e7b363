package progress

import "errors"

// ErrSkipped marks a step that was left out on purpose. Wrap it with the reason: fmt.Errorf("%w: cached", ErrSkipped).
var ErrSkipped = errors.New("skipped")
