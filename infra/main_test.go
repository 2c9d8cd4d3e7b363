package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/components/componenttest"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func TestProgram(t *testing.T) {
	config, err := json.Marshal(map[string]string{
		"aws:region":                       "us-east-1",
		"calldata-foundation:adminCidrs":   `["203.0.113.1/32"]`,
		"calldata-foundation:sshPublicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0XrBZBSp3BzStLHTvHHAH8cUYgqyNIJ8TwIrbDlvB",
	})
	require.NoError(t, err)
	t.Setenv(pulumi.EnvConfig, string(config))
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(program))
	command := rec.One(t, "command:local:Command")
	inv, err := ansible.ParseInventory([]byte(command.Inputs["stdin"].(string)))
	require.NoError(t, err)
	assert.NoError(t, inv.Validate())
	assert.Contains(t, command.Inputs["stdin"], componenttest.PublicIP)
	assert.Len(t, command.Inputs["environment"].(map[string]any)["CALLDATA_CONTENT_HASH"], 64, "changed playbooks must run again")
}

// Machines of a fleet read one inventory, which is no stack's: what is changed for stacks replaces none of them.
func TestBundleHasTheInventoryOfFleets(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		file := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	put("infra/main.go", "package main\n")
	put("ansible/inventories/fleet/hosts.yml", "a")
	put("ansible/inventories/prod/group_vars/all/vault.yml", "a")
	t.Chdir(filepath.Join(root, "infra"))
	first, err := bundle("prod")
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(root, ".calldata/prod/bundle.tar.gz"))
	for _, stack := range []string{"dev", "prod", "prod-drill"} {
		put("ansible/inventories/"+stack+"/group_vars/all/vault.yml", "b")
	}
	again, err := bundle("prod")
	require.NoError(t, err)
	assert.Equal(t, first, again)
	put("ansible/inventories/fleet/hosts.yml", "b")
	next, err := bundle("prod")
	require.NoError(t, err)
	assert.NotEqual(t, first.SHA256, next.SHA256)
}

func TestProgramWithoutSettingsNamesThemAll(t *testing.T) {
	t.Setenv(pulumi.EnvConfig, `{"aws:region":"us-east-1"}`)
	rec := &componenttest.Recorder{}
	err := rec.Run(program)
	assert.ErrorContains(t, err, "adminCidrs is not set")
	assert.ErrorContains(t, err, "sshPublicKey is not set")
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}
