package calls

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// shell runs a script on a machine of the platform, as root, and answers what it printed.
func (t *Trial) shell(ctx context.Context, m Machine, script string) (string, error) {
	cmd := t.plan.SSH.Command(ctx, m)
	cmd.Stdin = strings.NewReader(script)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("on %s: %w: %s", m.Name, err, lastLine(errOut.String()))
	}
	return out.String(), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// needsMachines skips what has to log in where nobody may.
func needsMachines(p Plan) string {
	if p.SSH == nil {
		return "the plan names no way into the machines"
	}
	return ""
}
