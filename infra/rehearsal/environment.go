package rehearsal

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/infra/rehearsal/doubles"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/stacks"
)

// pulumiRoot is the directory whose bin/pulumi enters the rehearsal's network before it becomes the real one: all that
// Pulumi starts, down to ssh, is then inside.
func (w *world) pulumiRoot() string { return filepath.Join(w.dir, "pulumi") }

// environment is what every child process of the rehearsal gets on top of the caller's environment. It holds names of
// files, never what is in them.
func (w *world) environment(o Options, t *Tools) (map[string]string, error) {
	content, err := doubles.Extract(filepath.Join(w.dir, "doubles"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(w.pulumiRoot(), "bin"), 0o750); err != nil {
		return nil, err
	}
	wrapper := fmt.Sprintf("#!/bin/sh\nexec nsenter --net=/run/netns/%s %s/pulumi \"$@\"\n", w.network.Name(), t.Engine.Dir)
	if err := os.WriteFile(filepath.Join(w.pulumiRoot(), "bin", "pulumi"), []byte(wrapper), 0o700); err != nil { //nolint:gosec // a program
		return nil, err
	}
	env := map[string]string{}
	for _, pairs := range [][]string{t.Engine.Env(filepath.Join(w.dir, "home")), w.emulator.Env()} {
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
	}
	env["PATH"] = t.Python.Dir + "/bin" + string(os.PathListSeparator) + env["PATH"]
	env[engine.ProgramVariable] = t.Program
	env["PULUMI_BACKEND_URL"] = w.emulator.BackendURL(stateBucket)
	env["PULUMI_CONFIG_PASSPHRASE_FILE"] = w.secrets.passphrase
	env["CALLDATA_BIN"] = o.Calldata
	env["CALLDATA_SSH_KEY"] = w.secrets.key
	env["CALLDATA_SECRETS_FILE"] = w.secrets.vars
	env["CALLDATA_WAZO_ANSIBLE"] = content
	env["CALLDATA_KNOWN_HOSTS"] = filepath.Join(w.dir, "known_hosts")
	env["CALLDATA_ANSIBLE_PLAYBOOK"] = t.Python.Bin("ansible-playbook")
	// The rehearsal is inside the network.
	env[tunnel.Variable] = string(tunnel.Direct)
	env["ANSIBLE_HOME"] = filepath.Join(w.dir, "ansible")
	return env, nil
}

// settings are the stack settings that the rehearsal lays over Pulumi.<stack>.yaml.
func (w *world) settings(o Options) map[string]any {
	s := EmulatorSettings()
	maps.Copy(s, w.emulator.Settings())
	maps.Copy(s, SceneSettings(o.Stack, o.kind, w.secrets.publicKey))
	if o.StopAfter == StageProvision && o.kind != stacks.KindAccount {
		s[stacks.Project+":configure"] = "false"
	}
	return s
}
