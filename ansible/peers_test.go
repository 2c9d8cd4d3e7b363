package ansible

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// peers runs calldata-peers with root as its system, and answers what it said.
func peers(t *testing.T, root, verb string) (string, error) {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "roles/c4_peers/files/calldata-peers", verb)
	cmd.Env = append(os.Environ(), "CALLDATA_ROOT="+root, "PYTHONPATH="+root, "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), mode)) // #nosec G306 -- a test's own
}

func TestPeersAreAppliedOnce(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, root+"/etc/calldata/peers.json", "{}", 0o600)
	put(t, root+"/etc/calldata/peers.d/50-a", "#!/bin/sh\necho a >>"+root+"/ran\n[ ! -e "+root+"/broken ]\n", 0o700)
	put(t, root+"/etc/calldata/peers.d/60-b", "#!/bin/sh\necho b >>"+root+"/ran\n", 0o700)
	put(t, root+"/etc/calldata/peers.d/README", "no program", 0o600)
	put(t, root+"/broken", "", 0o600)
	ran := func(want string) {
		t.Helper()
		text, _ := os.ReadFile(root + "/ran") //nolint:gosec // the test's own
		assert.Equal(t, want, string(text))
	}
	out, err := peers(t, root, "apply")
	require.Error(t, err)
	assert.Contains(t, out, "50-a: ended with code 1")
	ran("a\nb\n")
	require.NoError(t, os.Remove(root+"/broken"))
	_, err = peers(t, root, "apply")
	require.NoError(t, err, "what failed runs again")
	ran("a\nb\na\nb\n")
	_, err = peers(t, root, "apply")
	require.NoError(t, err)
	ran("a\nb\na\nb\n")
	put(t, root+"/etc/calldata/peers.json", `{"c4-sbc": ["10.0.0.5"]}`, 0o600)
	_, err = peers(t, root, "apply")
	require.NoError(t, err)
	ran("a\nb\na\nb\na\nb\n")
}

// TestPeersFollowEC2 gives the program a boto3 that answers what EC2 does: two machines, then a failure, then one.
func TestPeersFollowEC2(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, root+"/boto3.py", `
import itertools, json, sys
ROUNDS = itertools.count()
def machine(role, address):
    return {"Tags": [{"Key": "Role", "Value": role}], "PrivateIpAddress": address}
class Client:
    def get_paginator(self, name):
        assert name == "describe_instances"
        return self
    def paginate(self, Filters):
        assert {"Name": "tag:Environment", "Values": ["prod"]} in Filters and {"Name": "instance-state-name", "Values": ["running"]} in Filters
        n = next(ROUNDS)
        if n == 1: raise RuntimeError("RequestLimitExceeded")
        if n == 3: raise KeyboardInterrupt
        yield {"Reservations": [{"Instances": [machine("c4-sbc", "10.0.0.9")]}]}
        if n == 0: yield {"Reservations": [{"Instances": [machine("c4-sbc", "10.0.0.10"), machine("c4-router", "10.0.1.5")]}]}
def client(name, config, verify):
    assert name == "ec2"
    return Client()
`, 0o600)
	put(t, root+"/botocore/config.py", "def Config(**settings):\n    assert settings['region_name'] == 'us-east-1'\n", 0o600)
	put(t, root+"/botocore/__init__.py", "", 0o600)
	put(t, root+"/etc/calldata/peers-watch.json", `{"stack": "prod", "region": "us-east-1", "seconds": 0.05}`, 0o600)
	put(t, root+"/etc/calldata/peers.d/50-a", "#!/bin/sh\ntr -d ' \\n' <"+root+"/etc/calldata/peers.json >>"+root+"/ran\necho >>"+root+"/ran\n", 0o700)
	out, err := peers(t, root, "watch")
	require.Error(t, err, "KeyboardInterrupt ends it")
	assert.Contains(t, out, "the last known peers stay: RequestLimitExceeded")
	assert.Contains(t, out, "EC2 answers again")
	ran, err := os.ReadFile(root + "/ran") //nolint:gosec // the test's own
	require.NoError(t, err)
	assert.Equal(t, `{"c4-router":["10.0.1.5"],"c4-sbc":["10.0.0.10","10.0.0.9"],"uc-engine":[]}
{"c4-router":[],"c4-sbc":["10.0.0.9"],"uc-engine":[]}
`, string(ran))
}
