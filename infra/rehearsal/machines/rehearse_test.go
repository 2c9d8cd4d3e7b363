package machines

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

// TestInstancesBecomeMachines runs the emulator and a watcher in one network, as a rehearsal does.
func TestInstancesBecomeMachines(t *testing.T) {
	t.Parallel()
	w := rootWorld(t, "watch")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cacheDir, err := cache.Default()
	require.NoError(t, err)
	python, err := pyenv.Prepare(ctx, filepath.Join(cacheDir, "venv"), progress.Discard)
	require.NoError(t, err)
	consoles := filepath.Join(StateDir(w.id), "console")
	aws0, err := emulator.Start(ctx, emulator.Options{Python: python.Python(), Dir: filepath.Join(StateDir(w.id), "emulator"), NetNS: w.network.Name(), ConsoleDir: consoles})
	require.NoError(t, err)
	t.Cleanup(aws0.Stop)
	watcher := NewWatcher(WatcherOptions{Config: aws0.AWSConfig(), Network: w.network, Image: w.set.o.Image, Dir: machinesDir(w.id),
		ConsoleDir: consoles, KnownHosts: w.set.o.KnownHosts})
	watcher.Start(ctx)
	t.Cleanup(watcher.Stop)

	client := ec2.NewFromConfig(aws0.AWSConfig())
	public, key := login(t)
	_, err = client.ImportKeyPair(ctx, &ec2.ImportKeyPairInput{KeyName: aws.String("operator"), PublicKeyMaterial: []byte(public)})
	require.NoError(t, err)
	vpc, err := client.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.20.0.0/16")})
	require.NoError(t, err)
	subnet, err := client.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.20.0.0/20")})
	require.NoError(t, err)
	images, err := client.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"136693071363"}})
	require.NoError(t, err)
	run, err := client.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: images.Images[0].ImageId, InstanceType: types.InstanceTypeT3Small,
		MinCount: aws.Int32(2), MaxCount: aws.Int32(2), SubnetId: subnet.Subnet.SubnetId, KeyName: aws.String("operator"),
		UserData: aws.String(base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\necho user data ran\n")))})
	require.NoError(t, err)
	address, err := client.AllocateAddress(ctx, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc})
	require.NoError(t, err)
	require.Equal(t, "203.0.113.10", *address.PublicIp)

	first, second := run.Instances[0], run.Instances[1]
	for _, i := range []types.Instance{first, second} {
		_, err = client.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: address.AllocationId, InstanceId: i.InstanceId})
		require.NoError(t, err)
		require.NoError(t, watcher.WaitIdle(ctx))
		out, err := w.ssh(t, key, *address.PublicIp, "hostname -I")
		require.NoError(t, err, out)
		assert.Equal(t, *i.PrivateIpAddress, out)
	}
	console, err := client.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: first.InstanceId})
	require.NoError(t, err)
	text, err := base64.StdEncoding.DecodeString(aws.ToString(console.Output))
	require.NoError(t, err)
	assert.Contains(t, string(text), "user data ran")

	_, err = client.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{*first.InstanceId}})
	require.NoError(t, err)
	require.NoError(t, watcher.WaitIdle(ctx))
	assert.Equal(t, []string{*second.InstanceId}, watcher.Machines.IDs())
	known, err := os.ReadFile(w.set.o.KnownHosts)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(known), *second.PrivateIpAddress+",203.0.113.10 ssh-ed25519 "), string(known))
	watcher.Stop()
	assert.Empty(t, watcher.Machines.IDs())
}
