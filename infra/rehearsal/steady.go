package rehearsal

import (
	"strings"
)

// broken are the words of a connection to the emulator that broke in the middle of an answer. The AWS provider does not
// retry after a status of 200, and moto's server ends each connection after one answer: about one call in several
// thousands is lost on a busy machine.
var broken = []string{"use of closed network connection", "connection reset by peer", "unexpected EOF"}

// steady runs an operation of the engine again, once, when its connection to the emulator broke. A failed operation
// leaves a state from which the same one goes on.
func steady(say func(format string, args ...any), operation func() error) error {
	err := operation()
	if err == nil {
		return nil
	}
	for _, words := range broken {
		if strings.Contains(err.Error(), words) {
			say("once more, because a connection to the emulator broke: %s", words)
			return operation()
		}
	}
	return err
}
