package rehearsal

import "strings"

// broken are the words of a connection to the emulator that broke in the middle of an answer. The AWS provider does not
// retry once it has seen a status of 200: on a busy machine that was seen once in some thousand calls. Its cause is not
// known: it is more frequent with a server that keeps connections open, and was never seen with the SDK alone.
var broken = []string{"use of closed network connection", "connection reset by peer", "unexpected EOF"}

// steady runs an operation of the engine again, once, when its connection to the emulator broke. A failed operation
// leaves a state from which the same one goes on.
func steady(say func(format string, args ...any), operation func() error) error {
	err := operation()
	if err == nil {
		return nil
	}
	if words := brokenBy(err); words != "" {
		say("once more, because a connection to the emulator broke: %s", words)
		return operation()
	}
	return err
}

// brokenBy are the words of err that tell of a broken connection, empty if there are none.
func brokenBy(err error) string {
	for _, words := range broken {
		if err != nil && strings.Contains(err.Error(), words) {
			return words
		}
	}
	return ""
}
