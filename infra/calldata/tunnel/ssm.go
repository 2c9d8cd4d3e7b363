package tunnel

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
)

// awsCLI is the AWS CLI, plugin what it starts for a session.
const (
	awsCLI = "aws"
	plugin = "session-manager-plugin"
)

// command is what opens a session to t's SSH server and joins it to standard input and output.
// Source: AWS Systems Manager User Guide, "Allow and control permissions for SSH connections through Session Manager".
func command(t Target) []string {
	return []string{
		awsCLI, "ssm", "start-session", "--target", t.Instance, "--document-name", "AWS-StartSSHSession",
		"--parameters", "portNumber=" + strconv.Itoa(t.Port), "--region", t.Region,
	}
}

// Check fails unless this machine has the programs for the way, and says what installs those that it lacks.
func (w Way) Check() error {
	if w == Direct {
		return nil
	}
	const inside = "; inside the machines' network, " + Variable + "=" + string(Direct) + " does without"
	var errs []error
	for _, tool := range []struct{ name, install string }{
		{awsCLI, "install the AWS CLI, https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"},
		{plugin, "install it, https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"},
	} {
		if _, err := exec.LookPath(tool.name); err != nil {
			errs = append(errs, fmt.Errorf("%s is not on PATH: %s%s", tool.name, tool.install, inside))
		}
	}
	return errors.Join(errs...)
}
