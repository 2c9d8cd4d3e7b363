package stacks

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

func TestWhatIsToldByTopology(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]alarms.Level{KindDev: alarms.Few, KindStage: alarms.Notices, KindProd: alarms.Pages} {
		c, err := ReadConfig(string(kind), of(kind, "alertEmails", `["ops@example.com"]`, "businessHours", "8-18"))
		require.NoError(t, err)
		top, err := New(string(kind), c)
		require.NoError(t, err)
		require.NotNil(t, top.Alarms, kind)
		assert.Equal(t, AlarmsSpec{Level: want, Emails: []string{"ops@example.com"}, Hours: &alarms.Hours{From: 8, Until: 18}, Dashboards: kind != KindDev}, *top.Alarms)
		assert.Contains(t, top.Keys, KeyNotices)

		c, err = ReadConfig(string(kind), of(kind, "alarms", "none"))
		require.NoError(t, err)
		top, err = New(string(kind), c)
		require.NoError(t, err)
		assert.Nil(t, top.Alarms)
		assert.NotContains(t, top.Keys, KeyNotices)
	}
}

func TestDashboardsKnowTheRunbookAndAlarmsTheChannel(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig("dev", of(KindDev, "dashboards", "true", "githubRepository", "example/calldata-foundation", "slackChannel", "T07EA123LEP/C07EZ1ABC23"))
	require.NoError(t, err)
	top, err := New("dev", c)
	require.NoError(t, err)
	assert.True(t, top.Alarms.Dashboards)
	assert.Equal(t, "https://github.com/example/calldata-foundation/blob/HEAD/docs/runbook.md", top.Alarms.Runbook)
	assert.Equal(t, notices.Slack{Workspace: "T07EA123LEP", Channel: "C07EZ1ABC23"}, top.Alarms.Slack)
}

func TestMistakesInWhatIsTold(t *testing.T) {
	t.Parallel()
	_, err := ReadConfig("dev", of(KindDev, "alarms", "none", "dashboards", "true"))
	require.ErrorContains(t, err, `calldata-foundation:dashboards is "true": they show what alarms watch, and the stack has no alarms; fix it with: pulumi config set calldata-foundation:alarms few -s dev`)
	_, err = ReadConfig("dev", of(KindDev, "alarms", "none", "slackChannel", "T07EA123LEP/C07EZ1ABC23"))
	require.ErrorContains(t, err, `slackChannel is "T07EA123LEP/C07EZ1ABC23": the stack has no alarms; fix it with: pulumi config set calldata-foundation:alarms few -s dev`)
	_, err = ReadConfig("stage", of(KindStage, "alarms", "none", "sipEdges", `["carriers"]`, "carrierCidrs", `["198.51.100.0/24"]`, "syntheticCalls", "true"))
	require.ErrorContains(t, err, `syntheticCalls is "true": the stack has no alarms; fix it with: pulumi config set calldata-foundation:alarms few -s stage`)
	require.ErrorContains(t, err, `syntheticCalls is "true": they come as a phone's, and no phone reaches the stack; fix it with: pulumi config set --path 'calldata-foundation:sipEdges[0]' phones -s stage`)
	for name, tt := range map[string]struct{ setting, value, want string }{
		"unknown level":         {"alarms", "loud", `calldata-foundation:alarms is "loud": want none or one of [few notices pages]; fix it with: pulumi config set calldata-foundation:alarms notices -s dev`},
		"hours the wrong way":   {"businessHours", "18-8", `calldata-foundation:businessHours is "18-8": want two hours of one day in UTC, like 8-18; fix it with:`},
		"hours of no day":       {"businessHours", "8-25", `is "8-25"`},
		"dashboards perhaps":    {"dashboards", "perhaps", `dashboards is "perhaps": want true, false, or nothing`},
		"no hours":              {"businessHours", "always", `is "always"`},
		"a pager for nobody":    {"pagerUrl", "https://events.example.com/hidden", `calldata-foundation:pagerUrl is "[secret]": the stack's alarms are "few", which call nobody; fix it with:`},
		"a channel by its name": {"slackChannel", "#alarms", `calldata-foundation:slackChannel is "#alarms": want WORKSPACE/CHANNEL in Slack's IDs, the end of the channel's link; fix it with: pulumi config set calldata-foundation:slackChannel T07EA123LEP/C07EZ1ABC23 -s dev`},
		"a pager without HTTP":  {"pagerUrl", "ftp://events.example.com/hidden", `calldata-foundation:pagerUrl is "[secret]": want https://HOST/PATH`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadConfig("dev", of(KindDev, tt.setting, tt.value))
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "hidden")
		})
	}
}

func TestThePagerIsInNoPrint(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig("prod", of(KindProd, "pagerUrl", "https://events.example.com/hidden"))
	require.NoError(t, err)
	top, err := New("prod", c)
	require.NoError(t, err)
	assert.Equal(t, "https://events.example.com/hidden", top.Alarms.PagerURL)
	c, err = ReadConfig("prod", of(KindProd, "pagerUrl", Secret))
	require.NoError(t, err, "commands that cannot read it go on")
	assert.Equal(t, Secret, c.Watch.PagerURL)
	data, err := json.Marshal(top)
	require.NoError(t, err)
	assert.NotContains(t, string(data), "hidden")
	assert.NotContains(t, fmt.Sprintf("%v %+v", top, top), "hidden")
}

// A colour that takes no calls wakes nobody.
func TestWatchedIsWhoTakesCalls(t *testing.T) {
	t.Parallel()
	for standings, want := range map[[2]string][]string{
		{"held", "new"}:  {"prod-c4-sbc", "prod-c4-router"},
		{"held", "live"}: {"prod-c4-sbc", "prod-c4-router", "prod-c4-sbc-green", "prod-c4-router-green"},
		{"old", "live"}:  {"prod-c4-sbc-green", "prod-c4-router-green"},
	} {
		c, err := ReadConfig("prod", of(KindProd, "blueFleets", standings[0], "greenFleets", standings[1]))
		require.NoError(t, err)
		top, err := New("prod", c)
		require.NoError(t, err)
		var fleets []string
		for _, thing := range top.Watched() {
			if thing.Kind == alarms.Fleet {
				fleets = append(fleets, thing.Name)
			}
		}
		assert.Equal(t, want, fleets, standings)
	}
}

func TestWatched(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig("prod", of(KindProd, "syntheticCalls", "true"))
	require.NoError(t, err)
	top, err := New("prod", c)
	require.NoError(t, err)
	found := map[alarms.Subject][]string{}
	for _, thing := range top.Watched() {
		found[thing.Kind] = append(found[thing.Kind], thing.Name)
		if thing.Kind == alarms.Machine {
			assert.Equal(t, thing.Name == "prod-uc-1", thing.Capacity[alarms.CopyEvery] == 3600, "%s: the first of two engines copies its data every hour", thing.Name)
		}
		if thing.Kind == alarms.Database {
			// Two fleets' worth of six Routers, each with 32, and 40 besides.
			assert.InDelta(t, 12*32+40, thing.Capacity[alarms.Connections], 0)
		}
	}
	assert.Equal(t, map[alarms.Subject][]string{
		alarms.Machine: {"prod-uc-1", "prod-uc-2"}, alarms.Fleet: {"prod-c4-sbc", "prod-c4-router"}, alarms.Database: {"prod-router"},
		alarms.Web: {"prod-web"}, alarms.WebTargets: {"prod-web"}, alarms.WebCertificate: {"prod-web"}, alarms.CarrierTargets: {"prod-sip"}, alarms.Outside: {"prod"},
		alarms.Logs: {"prod"}, alarms.Vault: {top.Backup.Name},
	}, found)
	top.Nodes = top.Nodes[:1]
	assert.Empty(t, top.Watched()[0].Capacity, "one engine copies its data to none")
	top.Alarms.Level = alarms.Few
	assert.False(t, top.CountsLines(), "what nobody is told is not counted")
	top.Alarms = nil
	assert.False(t, top.CountsLines())
	top.Backup.CopyRegion = "eu-central-1"
	things := top.Watched()
	assert.Equal(t, []alarms.Thing{
		{Name: "prod-copies", Kind: alarms.Copies, Role: "backup"}, {Name: "prod-copies", Kind: alarms.Arrivals, Role: "backup", Region: "eu-central-1"},
	}, things[len(things)-2:])
	assert.False(t, top.WatchesCopies())
	top.Alarms = &AlarmsSpec{Level: alarms.Few}
	assert.False(t, top.WatchesCopies(), "nobody would be told")
	top.Alarms.Level = alarms.Notices
	assert.True(t, top.WatchesCopies())
	top.Backup.CopyRegion = ""
	assert.False(t, top.WatchesCopies())
}
