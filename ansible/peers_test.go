package ansible

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// askPeers is what the machine at an address knows of a stack: arguments are the program, the address, and the machines in JSON, each
// with its role, its address and whether it stands aside.
const askPeers = `
import importlib.machinery, importlib.util, json, sys
loader = importlib.machinery.SourceFileLoader("peers", sys.argv[1])
peers = importlib.util.module_from_spec(importlib.util.spec_from_loader("peers", loader))
loader.exec_module(peers)
class Client:
    def get_paginator(self, operation):
        assert operation == "describe_instances", operation
        return self
    def paginate(self, Filters):
        assert {"Name": "tag:Environment", "Values": ["prod"]} in Filters, Filters
        for role, address, aside in json.loads(sys.argv[3]):
            tags = {"Role": role, **({"Service": "aside"} if aside else {})}
            yield {"Reservations": [{"Instances": [{"PrivateIpAddress": address, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]}]}
print(json.dumps(peers.find(Client(), "prod", sys.argv[2])))
`

func TestPeersStandApart(t *testing.T) {
	t.Parallel()
	type machine = []any
	all := []machine{
		{"c4-sbc", "10.0.0.1", false}, {"c4-router", "10.0.0.2", false}, {"uc-engine", "10.0.0.3", false},
		{"prometheus", "10.0.0.4", false},
		{"c4-sbc", "10.0.1.1", true}, {"c4-router", "10.0.1.2", true},
	}
	ask := func(address string, machines []machine) map[string]any {
		data, err := json.Marshal(machines)
		require.NoError(t, err)
		out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-B", "-c", askPeers, "roles/c4_peers/files/calldata-peers", address, string(data)).CombinedOutput()
		require.NoError(t, err, string(out))
		found := map[string]any{}
		require.NoError(t, json.Unmarshal(out, &found), string(out))
		return found
	}
	everybody := func(more map[string]any) map[string]any {
		found := map[string]any{"c4-sbc": []any{"10.0.0.1", "10.0.1.1"}, "c4-router": []any{"10.0.0.2", "10.0.1.2"}, "prometheus": []any{"10.0.0.4"}, "uc-engine": []any{"10.0.0.3"}}
		for k, v := range more {
			found[k] = v
		}
		return found
	}
	assert.Equal(t, everybody(map[string]any{"apart": []any{"10.0.1.1", "10.0.1.2"}}), ask("10.0.0.1", all), "who is in service passes over those that stand aside")
	assert.Equal(t, everybody(map[string]any{"apart": []any{"10.0.0.1", "10.0.0.2"}, "aside": true}), ask("10.0.1.2", all), "and the other way round")
	for _, m := range all {
		m[2] = false
	}
	assert.Equal(t, everybody(nil), ask("10.0.0.1", all), "without a release nothing is said")
}

// connectLate is a machine whose role's credentials come after its programs.
const connectLate = `
import importlib.machinery, importlib.util, sys, types
loader = importlib.machinery.SourceFileLoader("peers", sys.argv[1])
peers = importlib.util.module_from_spec(importlib.util.spec_from_loader("peers", loader))
loader.exec_module(peers)
class NoCredentialsError(Exception):
    pass
there = []
class Session:
    def get_credentials(self):
        return there[0] if there else None
    def client(self, name, **_):
        return name, self.get_credentials()
sys.modules |= {
    "boto3": types.SimpleNamespace(session=types.SimpleNamespace(Session=Session)), "botocore": types.ModuleType("botocore"),
    "botocore.config": types.SimpleNamespace(Config=lambda **_: None), "botocore.exceptions": types.SimpleNamespace(NoCredentialsError=NoCredentialsError),
}
try:
    print("a client without credentials, which never gets any:", peers.connect({"region": "us-east-1"}))
except NoCredentialsError:
    there.append("role")
    print(*peers.connect({"region": "us-east-1"}))
`

func TestPeersWaitForCredentials(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-B", "-c", connectLate, "roles/c4_peers/files/calldata-peers").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "ec2 role\n", string(out))
}
