package rehearsal

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestNewestBackup(t *testing.T) {
	t.Parallel()
	list := []byte(`[
		{"id": "database/20261129T010000Z-aaaa", "source": "database", "failed": {}},
		{"id": "database/20261129T020000Z-bbbb", "source": "database", "failed": {"database": "cut off"}},
		{"id": "stage-router-1/20261129T030000Z-cccc", "source": "stage-router-1", "failed": {}},
		{"id": "database/20261128T230000Z-dddd", "damaged": "no JSON", "parts": [], "failed": {}}]`)
	id, err := newestBackup(list, backup.SharedSource)
	require.NoError(t, err)
	assert.Equal(t, "database/20261129T010000Z-aaaa", id)
	_, err = newestBackup(list, "stage-uc-1")
	require.ErrorContains(t, err, "none of 4 backups is a whole one of stage-uc-1")
	_, err = newestBackup([]byte("none"), backup.SharedSource)
	assert.ErrorContains(t, err, "not JSON")
}

func TestDigestsTellWhatHasChanged(t *testing.T) {
	t.Parallel()
	before, now := digests{}, digests{}
	before.add([]byte("aa  /var/lib/wazo-double/state.json\nbb  database c4\ncc  /usr/share/wazo-certs/server.key\n"))
	now.add([]byte("aa  /var/lib/wazo-double/state.json\nb0  database c4\n"))
	require.Len(t, before, 3)
	same := before.same(now)
	assert.Equal(t, []string{"/var/lib/wazo-double/state.json"}, same)
	assert.Equal(t, []string{"/usr/share/wazo-certs/server.key", "database c4"}, before.without(same))
}

func TestWhatADrillLoses(t *testing.T) {
	t.Parallel()
	node := func(name string, role stacks.Role) stacks.Node {
		return stacks.Node{Name: name, Roles: []stacks.Role{role}}
	}
	engine, router := node("x-uc-1", stacks.RoleUCEngine), node("x-router-1", stacks.RoleC4Router)
	r := &drill{d: &deployment{outputs: stacks.Outputs{
		Nodes: []stacks.Node{router, engine, node("x-sbc-1", stacks.RoleC4SBC)}, Database: &stacks.Database{},
	}}}
	require.NoError(t, r.find())
	assert.Equal(t, []lostMachine{{engine, "x-uc-1"}, {router, "database"}}, r.lost, "the engine first")
	r.database = &calls.Machine{}
	assert.Equal(t, "x-uc-1, x-router-1 and the database", r.what())

	r.d.outputs.Nodes = r.d.outputs.Nodes[1:]
	require.ErrorContains(t, r.find(), "no machine of the role c4-router")
	r.d.outputs.Database, r.database = nil, nil
	require.NoError(t, r.find(), "without a database of RDS, the engine is what a backup brings back")
	assert.Equal(t, []string{"x-uc-1"}, r.names())
	assert.Equal(t, "x-uc-1", r.what())
	r.d.outputs.Nodes = nil
	assert.ErrorContains(t, r.find(), "no machine of the role uc-engine")
}

func TestMachinesOfTheState(t *testing.T) {
	t.Parallel()
	urn := func(kind, name string) resource.URN {
		return resource.URN("urn:pulumi:stage::calldata-foundation::calldata:wazonode:WazoNode$" + kind + "::" + name)
	}
	s := automation.State{Resources: []apitype.ResourceV3{
		{Type: instanceType, URN: urn(instanceType, "stage-uc-1")},
		{Type: instanceType, URN: urn(instanceType, "stage-uc-1"), Delete: true}, // one that an earlier run has not got to delete
		{Type: "aws:ec2/eip:Eip", URN: urn("aws:ec2/eip:Eip", "stage-uc-1")},
		{Type: instanceType, URN: urn(instanceType, "stage-sbc-1")},
	}}
	assert.Equal(t, []string{string(urn(instanceType, "stage-uc-1"))}, instances(s, "stage-uc-1", "stage-router-1"))
}

func TestRestoreIsForDevAndStage(t *testing.T) {
	t.Parallel()
	for stack, want := range map[string]string{"dev": "", "pr": "", "stage": "", "prod": "--restore is for stacks of the shape dev or stage; prod is of the shape prod"} {
		_, err := Options{Stack: stack, Repo: "../..", CacheDir: t.TempDir(), Restore: true}.withDefaults()
		if want == "" {
			require.NoError(t, err, stack)
			continue
		}
		require.ErrorContains(t, err, want)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
	}
	_, err := Options{Stack: "dev", Repo: "../..", CacheDir: t.TempDir(), Restore: true, StopAfter: StageConfigure}.withDefaults()
	assert.ErrorContains(t, err, "give one of them")
}
