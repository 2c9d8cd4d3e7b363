package stacks

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// coloured is prod with its fleets standing so.
func coloured(blue, green Standing) (Topology, error) {
	c, err := ReadConfig("prod", MapSettings{
		"aws:region": "us-east-1", fullKey("domain"): "voice.example.com", fullKey("carrierCidrs"): `["198.51.100.0/24"]`, fullKey("sshPublicKey"): colourKey,
		fullKey(Blue.Setting()): string(blue), fullKey(Green.Setting()): string(green),
	})
	if err != nil {
		return Topology{}, err
	}
	return New("prod", c)
}

const colourKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0XrBZBSp3BzStLHTvHHAH8cUYgqyNIJ8TwIrbDlvB"

func TestFleetsOfBothColours(t *testing.T) {
	t.Parallel()
	top, err := coloured(StandingHeld, StandingNew)
	require.NoError(t, err)
	got := map[string]Standing{}
	for _, f := range top.Fleets {
		got[f.Name] = f.Standing
		assert.Equal(t, f.Standing.Serves(), f.Protect, "%s: only what serves is protected", f.Name)
	}
	assert.Equal(t, map[string]Standing{
		"prod-c4-sbc": StandingHeld, "prod-c4-router": StandingHeld, "prod-c4-sbc-green": StandingNew, "prod-c4-router-green": StandingNew,
	}, got)
	assert.Equal(t, []Role{RoleC4SBC, RoleC4Router}, top.FleetRoles(), "machines are not told twice")

	alone, err := coloured(StandingNone, StandingLive)
	require.NoError(t, err)
	require.Len(t, alone.Fleets, 2)
	assert.Equal(t, "prod-c4-sbc-green", alone.Fleets[0].Name)
}

func TestStandingsThatServeNobody(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]Standing{{StandingNone, StandingNone}, {StandingOld, StandingNone}, {StandingNone, StandingNew}, {StandingOld, StandingNew}} {
		_, err := coloured(pair[0], pair[1])
		assert.ErrorContains(t, err, "nobody would take calls", "%v", pair)
	}
	_, err := coloured("gone", "half")
	require.ErrorContains(t, err, `blueFleets is "gone": want one of [none new live held old]`)
	assert.ErrorContains(t, err, `greenFleets is "half"`)
}

func TestReleaseBegan(t *testing.T) {
	t.Parallel()
	read := func(text string) (Config, error) {
		return ReadConfig("prod", MapSettings{
			"aws:region": "us-east-1", fullKey("domain"): "voice.example.com", fullKey("carrierCidrs"): `["198.51.100.0/24"]`, fullKey("sshPublicKey"): colourKey,
			fullKey(ReleaseBegan): text,
		})
	}
	c, err := read("2026-11-30T08:00:00Z")
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC), c.Fleets.ReleaseBegan)
	_, err = read("yesterday")
	require.ErrorContains(t, err, `releaseBegan is "yesterday": want a time of RFC 3339`)
}
