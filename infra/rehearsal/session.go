package rehearsal

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
)

// sessionScript stands in for the AWS CLI. As the agent of Systems Manager does, it joins a session to the machine's own 127.0.0.1:
// no port of the machine is open to whoever has it.
// Source: AWS Systems Manager User Guide, "Allow and control permissions for SSH connections through Session Manager".
const sessionScript = `#!/bin/sh
case "$*" in
"ssm start-session --target i-"*" --document-name AWS-StartSSHSession --parameters portNumber="*" --region "*) ;;
*) echo "aws: a rehearsal plays nothing but ssm start-session with AWS-StartSSHSession" >&2; exit 252 ;;
esac
if ! leader=$(cat %[1]s/"$4"/%[2]s 2>/dev/null); then
  echo "An error occurred (TargetNotConnected) when calling the StartSession operation: $4 is not connected." >&2
  exit 254
fi
exec nsenter --net="/proc/$leader/ns/net" %[3]s tunnel --via direct --instance "$4" --region "${10}" --host 127.0.0.1 --port "${8#portNumber=}"
`

// writeSessions makes a directory for PATH that opens sessions of Systems Manager: what stands in for the AWS CLI, and for its
// plugin, which the former does not need but the command asks for.
func (w *world) writeSessions(calldata string) (string, error) {
	dir := filepath.Join(w.dir, "sessions")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for name, text := range map[string]string{
		"aws":                    fmt.Sprintf(sessionScript, quote(w.machinesDir()), machines.LeaderFile, quote(calldata)),
		"session-manager-plugin": "#!/bin/sh\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil { //nolint:gosec // programs
			return "", err
		}
	}
	return dir, nil
}
