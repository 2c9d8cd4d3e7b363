package ansible

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPairIsPaused runs the tasks that upgrade.yml pauses a pair of engines with, on two engines that are this machine.
func TestPairIsPaused(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs ansible-playbook")
	}
	const (
		master = "# made by sysconfd\n0 * * * * root /usr/sbin/xivo-master-slave-db-replication 10.0.0.2 >/dev/null\n\n0 * * * * root /usr/bin/wazo-sync >/dev/null\n"
		slave  = "* * * * * root /usr/sbin/xivo-check-master-status 10.0.0.1 >/dev/null\n"
		mark   = "# paused by an upgrade: "
	)
	dir := t.TempDir()
	tasks, err := filepath.Abs("playbooks/tasks/pair.yml")
	require.NoError(t, err)
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	look := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(data)
	}
	put("play.yml", fmt.Sprintf(`- hosts: uc-2
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: %s
`, tasks))
	put("inventory.yml", "all:\n  hosts: {uc-1: {}, uc-2: {}}\n  vars: {ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}\n")
	put("xivo-ha-master", master)
	put("xivo-ha-slave", slave)
	run := func(paused bool, pair []string, files ...string) {
		vars, err := json.Marshal(map[string]any{"pair_paused": paused, "pair_files": files, "pair_directory": dir, "uc_engine_pair": pair})
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(library(t)), "ansible-playbook"), "-i", filepath.Join(dir, "inventory.yml"),
			"-e", string(vars), filepath.Join(dir, "play.yml"))
		cmd.Env = append(os.Environ(), "ANSIBLE_HOME="+filepath.Join(dir, "home"), "ANSIBLE_LOCALHOST_WARNING=false")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	pair := []string{"uc-1", "uc-2"}
	for range 2 { // what is paused already stays as it is
		run(true, pair, "xivo-ha-master", "xivo-ha-slave", "xivo-ha-none")
		assert.Equal(t, "# made by sysconfd\n"+mark+"0 * * * * root /usr/sbin/xivo-master-slave-db-replication 10.0.0.2 >/dev/null\n\n"+
			mark+"0 * * * * root /usr/bin/wazo-sync >/dev/null\n", look("xivo-ha-master"))
		assert.Equal(t, mark+slave, look("xivo-ha-slave"))
	}
	run(false, pair, "xivo-ha-slave")
	assert.Equal(t, slave, look("xivo-ha-slave"))
	assert.NotEqual(t, master, look("xivo-ha-master"))
	for range 2 {
		run(false, pair, "xivo-ha-master")
		assert.Equal(t, master, look("xivo-ha-master"))
	}
	run(true, []string{}, "xivo-ha-master") // an engine of its own
	assert.Equal(t, master, look("xivo-ha-master"))
}
