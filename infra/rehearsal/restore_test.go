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

func TestDrillNeedsAMachineOfEachRole(t *testing.T) {
	t.Parallel()
	engine := stacks.Node{Name: "stage-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}}
	router := stacks.Node{Name: "stage-router-1", Roles: []stacks.Role{stacks.RoleC4Router}}
	r := &drill{d: &deployment{outputs: stacks.Outputs{Nodes: []stacks.Node{engine, router}}}}
	require.NoError(t, r.find())
	assert.Equal(t, []source{{engine, "stage-uc-1"}, {router, "database"}}, r.sources())
	r.d.outputs.Nodes = r.d.outputs.Nodes[:1]
	assert.ErrorContains(t, r.find(), "no machine of the role c4-router")
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

func TestRestoreIsForStage(t *testing.T) {
	t.Parallel()
	for stack, want := range map[string]string{"dev": "--restore is for stage", "prod": "prod is of the shape prod", "stage": ""} {
		_, err := Options{Stack: stack, Repo: "../..", CacheDir: t.TempDir(), Restore: true}.withDefaults()
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
	}
	_, err := Options{Stack: "stage", Repo: "../..", CacheDir: t.TempDir(), Restore: true, StopAfter: StageConfigure}.withDefaults()
	assert.ErrorContains(t, err, "give one of them")
}
