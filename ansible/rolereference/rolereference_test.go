package rolereference

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the variables of the roles' READMEs anew")

const roles = "../roles"

func TestGoldenReadmes(t *testing.T) {
	t.Parallel()
	all, err := Roles(roles)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, r := range all {
		want, err := r.Readme()
		require.NoError(t, err)
		file := filepath.Join(roles, r.Name, "README.md")
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
		}
		have, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, want, string(have), "%s: run `make golden` and read the diff", r.Name)
	}
}

// withoutScenario are roles that something else tries: wazo_api is part of uc_engine's scenario, and every rehearsal of dev places
// a call through smoke_line.
var withoutScenario = map[string]bool{"wazo_api": true, "smoke_line": true}

func TestEveryRoleIsWhole(t *testing.T) {
	t.Parallel()
	all, err := Roles(roles)
	require.NoError(t, err)
	for _, r := range all {
		assert.Empty(t, r.Unspecified(), "%s: defaults that meta/argument_specs.yml does not have", r.Name)
		if withoutScenario[r.Name] {
			continue
		}
		for _, file := range []string{"molecule/default/machines.yml", "molecule/default/molecule.yml", "molecule/default/converge.yml", "molecule/default/verify.yml"} {
			assert.True(t, r.Has(file), "%s has no %s", r.Name, file)
		}
	}
}

func TestReadme(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, content string) {
		file := filepath.Join(dir, "pbx", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
	put("README.md", "# pbx\n\nProse.\n\n## Variables\n\nold\n")
	put("defaults/main.yml", "---\npbx_port: 5060\npbx_list: [a, b]\npbx_forgotten: 1\n")
	put("meta/argument_specs.yml", `
argument_specs:
  main:
    short_description: A switch
    description: [One., Two.]
    options:
      pbx_port: {description: Port of SIP., type: int}
      pbx_list: {description: "Letters, a|b.", type: list, elements: str, choices: [a, b]}
      pbx_secret: {description: Password., required: true, no_log: true}
      pbx_users:
        description: [People., All of them.]
        type: list
        elements: dict
        options:
          name: {description: Login., type: str, required: true}
`)
	all, err := Roles(dir)
	require.NoError(t, err)
	require.Len(t, all, 1)
	got, err := all[0].Readme()
	require.NoError(t, err)
	assert.Equal(t, "# pbx\n\nProse.\n\n## Variables\n\n"+
		"<!-- Generated from meta/argument_specs.yml and defaults/main.yml by `make golden`; do not edit below. -->\n\n"+
		"| variable | type | default | meaning |\n|---|---|---|---|\n"+
		"| `pbx_port` | int | `5060` | Port of SIP. |\n"+
		"| `pbx_list` | list of str | `[a, b]` | Letters, a\\|b. One of `a`, `b`. |\n"+
		"| `pbx_secret` | str | required | Password. Secret. |\n"+
		"| `pbx_users` | list of dict |  | People. All of them. |\n"+
		"| `pbx_users[].name` | str | required | Login. |\n", got)
	assert.Equal(t, []string{"pbx_forgotten"}, all[0].Unspecified())

	require.NoError(t, os.Remove(filepath.Join(dir, "pbx", "meta", "argument_specs.yml")))
	_, err = Roles(dir)
	assert.ErrorContains(t, err, "role pbx: ")
}
