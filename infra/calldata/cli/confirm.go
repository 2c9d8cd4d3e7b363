package cli

import (
	"bufio"
	"fmt"
	"strings"
)

// Confirm asks a person to type name, what is to be destroyed or overwritten, after saying what will happen. With yes nobody is
// asked. Any other answer, or nobody to ask, is a usage error: nothing was changed.
func (s *IO) Confirm(yes bool, name, what string) error {
	if yes {
		return nil
	}
	_, _ = fmt.Fprintf(s.Err, "%s\nType %s to go on: ", what, name)
	line, err := bufio.NewReader(s.In).ReadString('\n')
	switch answer := strings.TrimSpace(line); {
	case answer == name:
		return nil
	case err != nil && answer == "":
		return UsageErrorf("nothing was changed: there is nobody to ask, give --yes")
	default:
		return UsageErrorf("nothing was changed: the answer was %q, not %q", answer, name)
	}
}
