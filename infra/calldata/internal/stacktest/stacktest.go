// Package stacktest is a deployed stack for tests of commands that work from outputs.
package stacktest

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/stacks"
)

// Instance ids of the stack's machines, Member that of its fleet.
const (
	Engine = "i-0aaaaaaaaaaaaaaa1"
	Router = "i-0aaaaaaaaaaaaaaa2"
	Member = "i-0aaaaaaaaaaaaaaa3"
)

// Stack is a stack with an engine and a Router, which are reached through tunnels, and a fleet of SBCs. Every machine is at
// 127.0.0.1, where a test's SSH server is, but the Router, which does not answer.
func Stack() stacks.Outputs {
	firewall := []ports.Opening{{Name: "ssh", Protocol: "tcp", From: 22, To: 22, Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	node := func(name, id, address string, role stacks.Role) stacks.Node {
		return stacks.Node{
			Name: name, Roles: []stacks.Role{role}, InstanceID: id, PrivateIP: address, User: sshtest.User, Access: stacks.AccessSSM, Firewall: firewall,
		}
	}
	return stacks.Outputs{
		Stack: "trial", Region: "eu-west-1", VpcCIDR: netip.MustParsePrefix("127.0.0.0/8"),
		Nodes: []stacks.Node{
			node("trial-uc-1", Engine, "127.0.0.1", stacks.RoleUCEngine), node("trial-router-1", Router, "127.0.0.9", stacks.RoleC4Router),
		},
		Fleets:    []stacks.Fleet{{Name: "trial-sbc", Role: stacks.RoleC4SBC}},
		Endpoints: stacks.Endpoints{Web: "https://127.0.0.1:1", SIP: "sip:127.0.0.1:5060;transport=udp"},
		Backups:   &stacks.Backups{Bucket: "trial-backups", KeyARN: "arn:aws:kms:eu-west-1:123456789012:key/1"},
	}
}

// Members stands for fleet.Members: one SBC runs.
func Members(_ context.Context, _ stacks.Outputs, role stacks.Role) ([]stacks.Node, error) {
	if role != stacks.RoleC4SBC {
		return nil, nil
	}
	return []stacks.Node{{
		Name: Member, Roles: []stacks.Role{role}, InstanceID: Member, PrivateIP: "127.0.0.1", User: sshtest.User, Access: stacks.AccessSSM,
	}}, nil
}

// Write writes outputs into a file, as `pulumi stack output --json` does.
func Write(t *testing.T, o stacks.Outputs) string {
	t.Helper()
	data, err := json.Marshal(o)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "outputs.json")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// Environment is one in which the machines at server are reached straight, and known.
func Environment(server *sshtest.Server) map[string]string {
	return map[string]string{"CALLDATA_TUNNEL": "direct", "CALLDATA_SSH_KEY": server.KeyFile, "CALLDATA_KNOWN_HOSTS": server.KnownHosts}
}
