package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/stacks"
)

// TestPullRequestsSideBySide has two pull requests deployed at once, with the real engine, into networks of the same range. The end of one
// leaves the other as it is, and lets a third one in.
func TestPullRequestsSideBySide(t *testing.T) {
	dir, emulator := projectOf(t, stacks.KindDev)
	ownAnsible(t, dir)
	pulumi(t, "stack", "init", "pr", "--no-select")
	settings, err := os.ReadFile(filepath.Join(dir, "Pulumi.dev.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.pr.yaml"), settings, 0o600))
	pulumi(t, "config", "set", "calldata-foundation:topology", "dev", "--stack", "pr")
	pulumi(t, "config", "set", "--secret", "test:password", "of all", "--stack", "pr")
	commit(t, "Settings of pull requests")

	for _, number := range []string{"12", "13"} {
		_, code := calldata(t, "", "pr", "begin", number)
		require.Equal(t, cli.ExitOK, code)
		_, code = calldata(t, "", "deploy", "pr-"+number, "--yes", "--skip", "preflight")
		require.Equal(t, cli.ExitOK, code)
	}
	assert.Equal(t, []string{"10.20.0.0/16"}, networks(t, emulator, "pr-12"))
	assert.Equal(t, []string{"10.20.0.0/16"}, networks(t, emulator, "pr-13"))
	assert.Equal(t, "of all\n", pulumi(t, "config", "get", "test:password", "--stack", "pr-13"), "secrets are of the same key")
	_, code := calldata(t, "", "pr", "begin", "14")
	require.Equal(t, cli.ExitUnhealthy, code, "there is no room")
	assert.NoFileExists(t, filepath.Join(dir, "Pulumi.pr-14.yaml"))

	_, code = calldata(t, "", "pr", "end", "12", "--yes")
	require.Equal(t, cli.ExitOK, code)
	assert.Empty(t, networks(t, emulator, "pr-12"))
	assert.Equal(t, []string{"10.20.0.0/16"}, networks(t, emulator, "pr-13"))
	_, code = calldata(t, "", "preview", "pr-13", "--refresh", "--expect-no-changes")
	assert.Equal(t, cli.ExitOK, code, "nothing of the other one has changed")
	out, code := calldata(t, "", "pr", "list", "--wanted", "", "--json")
	require.Equal(t, cli.ExitOK, code)
	var standing []struct {
		Stack, Ends string
		Resources   int
	}
	require.NoError(t, json.Unmarshal([]byte(out), &standing))
	require.Len(t, standing, 1)
	assert.Equal(t, "pr-13", standing[0].Stack)
	assert.Greater(t, standing[0].Resources, 10)
	assert.NotEmpty(t, standing[0].Ends)

	_, code = calldata(t, "", "pr", "begin", "14")
	assert.Equal(t, cli.ExitOK, code)
	for _, number := range []string{"13", "14", "99"} { // the second was never deployed, the third never made
		_, code = calldata(t, "", "pr", "end", number, "--yes")
		assert.Equal(t, cli.ExitOK, code)
	}
	assert.Empty(t, networks(t, emulator, "pr-13"))
	out, code = calldata(t, "", "pr", "list", "--json")
	assert.Equal(t, cli.ExitOK, code)
	assert.JSONEq(t, "[]", out)
}

// networks are the ranges of the VPCs of a stack.
func networks(t *testing.T, e *emulator.Emulator, stack string) []string {
	t.Helper()
	all, err := ec2.NewFromConfig(e.AWSConfig()).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{
		Filters: []types.Filter{{Name: aws.String("tag:Environment"), Values: []string{stack}}},
	})
	require.NoError(t, err)
	var ranges []string
	for _, vpc := range all.Vpcs {
		ranges = append(ranges, aws.ToString(vpc.CidrBlock))
	}
	return ranges
}
