package userdata

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestText(t *testing.T) {
	t.Parallel()
	file, command := SSMAgent("eu-west-1")
	text, err := Config{Base: "hostname: x\n", AuthorizedKeys: []string{"ssh-ed25519 AAAA"}, Files: []File{file}, Commands: [][]string{command, {"a", "b c"}}}.Text()
	require.NoError(t, err)
	require.Regexp(t, `^#cloud-config\nhostname: x\n`, text)
	assert.Contains(t, text, "content: |\n", "a script must stay legible")
	var got map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &got))
	assert.Equal(t, map[string]any{
		"hostname": "x", "ssh_authorized_keys": []any{"ssh-ed25519 AAAA"},
		"write_files": []any{map[string]any{"path": "/usr/local/sbin/calldata-ssm-agent", "permissions": "0755", "content": ssmAgent}},
		"runcmd":      []any{[]any{"/usr/local/sbin/calldata-ssm-agent", "eu-west-1"}, []any{"a", "b c"}},
	}, got)

	plain, err := Config{Base: "hostname: x\n"}.Text()
	require.NoError(t, err)
	assert.Equal(t, "#cloud-config\nhostname: x\n", plain)

	_, err = Config{Base: "# " + strings.Repeat("x", MaxBytes)}.Text()
	assert.ErrorContains(t, err, "EC2 takes 16384")
}

// TestSSMAgent runs the script with stand-ins for what it calls.
func TestSSMAgent(t *testing.T) {
	t.Parallel()
	const url = "https://s3.eu-west-1.amazonaws.com/amazon-ssm-eu-west-1/latest/debian_amd64/amazon-ssm-agent.deb"
	for name, c := range map[string]struct {
		curl, dpkg, systemctl string
		want                  []string
		calls                 map[string]int
	}{
		"installed":           {curl: "", calls: map[string]int{"curl": 1, "dpkg": 1, "systemctl": 1, "sleep": 0}},
		"no route at first":   {curl: `[ "$(grep -c ^curl "$LOG")" -gt 2 ] || exit 7`, calls: map[string]int{"curl": 3, "dpkg": 1, "systemctl": 1, "sleep": 2}},
		"locked at first":     {dpkg: `[ "$(grep -c ^dpkg "$LOG")" -gt 1 ] || exit 2`, calls: map[string]int{"curl": 2, "dpkg": 2, "systemctl": 1, "sleep": 1}},
		"never a route":       {curl: "exit 6", want: []string{"goes on without it"}, calls: map[string]int{"curl": 10, "dpkg": 0, "sleep": 10}},
		"refused by S3":       {curl: "exit 22", want: []string{"goes on without it"}, calls: map[string]int{"curl": 1, "dpkg": 0, "sleep": 0}},
		"does not start ever": {systemctl: "exit 1", want: []string{"goes on without it"}, calls: map[string]int{"curl": 10, "systemctl": 10}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			log := filepath.Join(dir, "log")
			for tool, body := range map[string]string{"curl": c.curl, "dpkg": c.dpkg, "systemctl": c.systemctl, "sleep": ""} {
				script := "#!/bin/sh\necho \"" + tool + " $*\" >>\"$LOG\"\n" + body + "\n"
				require.NoError(t, os.WriteFile(filepath.Join(dir, tool), []byte(script), 0o700)) // #nosec G306 -- a program
			}
			cmd := exec.Command("/bin/sh", "-c", ssmAgent, "calldata-ssm-agent", "eu-west-1")
			cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "LOG=" + log, "TMPDIR=" + t.TempDir()}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "the boot must not fail: %s", out)
			for _, want := range c.want {
				assert.Contains(t, string(out), want)
			}
			text, err := os.ReadFile(log)
			require.NoError(t, err)
			assert.Contains(t, string(text), url)
			for tool, want := range c.calls {
				assert.Equal(t, want, strings.Count(string(text), tool+" "), tool)
			}
		})
	}
}

func TestIsPublicKey(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"ssh-ed25519 AAAAC3Nz": true, "ssh-rsa AAAAB3Nz== a person's": true,
		"": false, "ssh-ed25519 AAAA\nruncmd: [x]": false, "ecdsa-sha2-nistp256 AAAA": false, "-----BEGIN OPENSSH PRIVATE KEY-----": false,
	} {
		assert.Equal(t, want, IsPublicKey(line), line)
	}
}
