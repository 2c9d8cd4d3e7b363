package machines

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeEC2 answers from maps that a test changes while the watcher polls.
type fakeEC2 struct {
	mu        sync.Mutex
	instances map[string]types.Instance
	addresses map[string]string
	down      error
}

func (f *fakeEC2) set(id string, s types.InstanceStateName, public string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := id[len(id)-1:]
	f.instances[id] = types.Instance{InstanceId: aws.String(id), State: &types.InstanceState{Name: s}, SubnetId: aws.String("subnet-1"),
		PrivateIpAddress: aws.String("10.20.0." + last), KeyName: aws.String("key"), InstanceType: types.InstanceTypeT3Small,
		Placement: &types.Placement{AvailabilityZone: aws.String("us-east-1a")}, PublicIpAddress: nilIfEmpty(public)}
}

func nilIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (f *fakeEC2) DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &ec2.DescribeInstancesOutput{}
	for _, i := range f.instances {
		out.Reservations = append(out.Reservations, types.Reservation{Instances: []types.Instance{i}})
	}
	return out, f.down
}

func (f *fakeEC2) DescribeAddresses(context.Context, *ec2.DescribeAddressesInput, ...func(*ec2.Options)) (*ec2.DescribeAddressesOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &ec2.DescribeAddressesOutput{Addresses: []types.Address{{PublicIp: aws.String("203.0.113.99")}}}
	for ip, id := range f.addresses {
		out.Addresses = append(out.Addresses, types.Address{PublicIp: aws.String(ip), InstanceId: aws.String(id)})
	}
	return out, nil
}

func (f *fakeEC2) DescribeInstanceAttribute(_ context.Context, in *ec2.DescribeInstanceAttributeInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstanceAttributeOutput, error) {
	data := base64.StdEncoding.EncodeToString([]byte("data of " + *in.InstanceId))
	return &ec2.DescribeInstanceAttributeOutput{UserData: &types.AttributeValue{Value: &data}}, nil
}

func (f *fakeEC2) DescribeKeyPairs(_ context.Context, in *ec2.DescribeKeyPairsInput, _ ...func(*ec2.Options)) (*ec2.DescribeKeyPairsOutput, error) {
	return &ec2.DescribeKeyPairsOutput{KeyPairs: []types.KeyPairInfo{{PublicKey: aws.String("ssh-ed25519 " + in.KeyNames[0] + "\n")}}}, nil
}

func (f *fakeEC2) DescribeSubnets(context.Context, *ec2.DescribeSubnetsInput, ...func(*ec2.Options)) (*ec2.DescribeSubnetsOutput, error) {
	return &ec2.DescribeSubnetsOutput{Subnets: []types.Subnet{{CidrBlock: aws.String("10.20.0.0/20")}}}, nil
}

func (f *fakeEC2) DescribeVolumes(_ context.Context, in *ec2.DescribeVolumesInput, _ ...func(*ec2.Options)) (*ec2.DescribeVolumesOutput, error) {
	out := &ec2.DescribeVolumesOutput{}
	for _, id := range in.VolumeIds {
		out.Volumes = append(out.Volumes, types.Volume{VolumeId: aws.String(id), Size: aws.Int32(50)})
	}
	return out, nil
}

// attach shows volumes on an instance, its root volume first.
func (f *fakeEC2) attach(id string, volumes ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.instances[id]
	i.RootDeviceName, i.BlockDeviceMappings = aws.String("/dev/xvda"), nil
	for n, v := range append([]string{"vol-root"}, volumes...) {
		device := []string{"/dev/xvda", "/dev/sdf", "/dev/sdg"}[n]
		i.BlockDeviceMappings = append(i.BlockDeviceMappings, types.InstanceBlockDeviceMapping{DeviceName: aws.String(device), Ebs: &types.EbsInstanceBlockDevice{VolumeId: aws.String(v)}})
	}
	f.instances[id] = i
}

// fakeFleet records what it is told.
type fakeFleet struct {
	mu      sync.Mutex
	log     []string
	specs   map[string]Spec
	fail    error
	bootErr error
	// stopping holds Stop up until it is closed.
	stopping chan struct{}
}

func (f *fakeFleet) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

func (f *fakeFleet) said() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, "\n")
}

func (f *fakeFleet) Launch(_ context.Context, s Spec) error {
	f.say("launch %s %s", s.InstanceID, s.ElasticIP)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.specs[s.InstanceID] = s
	return f.fail
}
func (f *fakeFleet) WaitBooted(context.Context, string) error { return f.bootErr }
func (f *fakeFleet) Stop(_ context.Context, id string) error {
	if f.stopping != nil {
		<-f.stopping
	}
	f.say("stop %s", id)
	return nil
}
func (f *fakeFleet) Terminate(_ context.Context, id string) error {
	f.say("terminate %s", id)
	return nil
}
func (f *fakeFleet) SetElasticIP(_ context.Context, id string, a netip.Addr) error {
	f.say("address %s %s", id, a)
	return nil
}
func (f *fakeFleet) SetVolumes(id string, volumes []Volume) error {
	f.say("volumes %s %v", id, volumes)
	return nil
}
func (f *fakeFleet) Close(context.Context) error { f.say("close"); return nil }

func watch(t *testing.T) (*Watcher, *fakeEC2, *fakeFleet) {
	t.Helper()
	api := &fakeEC2{instances: map[string]types.Instance{}, addresses: map[string]string{}}
	f := &fakeFleet{specs: map[string]Spec{}}
	w := newWatcher(api, f, nil)
	w.Start(t.Context())
	t.Cleanup(w.Stop)
	return w, api, f
}

func idle(t *testing.T, w *Watcher) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return w.WaitIdle(ctx)
}

func TestWatcherFollowsInstances(t *testing.T) {
	t.Parallel()
	w, api, f := watch(t)
	api.set("i-4", types.InstanceStateNameRunning, "")
	api.set("i-9", types.InstanceStateNameTerminated, "")
	require.NoError(t, idle(t, w))
	assert.Equal(t, "launch i-4 invalid IP", f.said())
	got := f.specs["i-4"]
	assert.Equal(t, Spec{InstanceID: "i-4", PrivateIP: netip.MustParsePrefix("10.20.0.4/20"), UserData: []byte("data of i-4"),
		PublicKeys: []string{"ssh-ed25519 key"}, KeyName: "key", Region: "us-east-1", Zone: "us-east-1a", InstanceType: "t3.small"}, got)

	api.set("i-5", types.InstanceStateNameRunning, "203.0.113.128")
	api.mu.Lock()
	api.addresses["203.0.113.10"] = "i-4"
	api.mu.Unlock()
	require.NoError(t, idle(t, w))
	api.mu.Lock()
	api.addresses["203.0.113.10"] = "i-5"
	api.mu.Unlock()
	require.NoError(t, idle(t, w))
	api.set("i-4", types.InstanceStateNameStopped, "")
	require.NoError(t, idle(t, w))
	api.set("i-4", types.InstanceStateNameRunning, "")
	require.NoError(t, idle(t, w))
	api.set("i-4", types.InstanceStateNameShuttingDown, "")
	require.NoError(t, idle(t, w))
	api.mu.Lock()
	clear(api.instances)
	api.mu.Unlock()
	require.NoError(t, idle(t, w))
	lines := strings.Split(f.said(), "\n")
	// The two steps of a move may come in either order.
	slices.Sort(lines[1:3])
	slices.Sort(lines[3:5])
	assert.Equal(t, []string{
		"launch i-4 invalid IP",
		"address i-4 203.0.113.10", "launch i-5 203.0.113.128",
		"address i-4 invalid IP", "address i-5 203.0.113.10",
		"stop i-4", "launch i-4 invalid IP", "terminate i-4", "terminate i-5",
	}, lines)
}

func TestWatcherMovesVolumes(t *testing.T) {
	t.Parallel()
	w, api, f := watch(t)
	api.set("i-4", types.InstanceStateNameRunning, "")
	api.set("i-5", types.InstanceStateNameRunning, "")
	api.attach("i-4")
	api.attach("i-5")
	require.NoError(t, idle(t, w))
	assert.NotContains(t, f.said(), "volumes", "the root volume is the machine's disk")
	api.attach("i-4", "vol-b", "vol-a")
	require.NoError(t, idle(t, w))
	api.set("i-4", types.InstanceStateNameStopped, "")
	api.attach("i-4", "vol-b", "vol-a")
	require.NoError(t, idle(t, w))
	api.attach("i-4", "vol-b")
	require.NoError(t, idle(t, w))
	api.attach("i-5", "vol-a")
	require.NoError(t, idle(t, w))
	lines := strings.Split(f.said(), "\n")
	assert.Equal(t, []string{"volumes i-4 [{vol-a 50} {vol-b 50}]", "stop i-4", "volumes i-4 [{vol-b 50}]", "volumes i-5 [{vol-a 50}]"}, lines[2:])
}

func TestWatcherMovesAVolumeWhenTheMachineBeforeIsOff(t *testing.T) {
	t.Parallel()
	w, api, f := watch(t)
	api.set("i-4", types.InstanceStateNameRunning, "")
	api.set("i-5", types.InstanceStateNameRunning, "")
	api.attach("i-4", "vol-a")
	api.attach("i-5")
	require.NoError(t, idle(t, w))
	f.stopping = make(chan struct{})
	api.set("i-4", types.InstanceStateNameStopped, "")
	api.attach("i-4")
	api.attach("i-5", "vol-a")
	time.Sleep(3 * pollInterval)
	assert.NotContains(t, f.said(), "volumes i-5", "the machine before has it still")
	close(f.stopping)
	require.NoError(t, idle(t, w))
	lines := strings.Split(f.said(), "\n")
	assert.Equal(t, []string{"stop i-4", "volumes i-4 []", "volumes i-5 [{vol-a 50}]"}, lines[len(lines)-3:])
}

func TestWatcherTellsWhatDidNotBootAndRemovesIt(t *testing.T) {
	t.Parallel()
	w, api, f := watch(t)
	f.fail = errors.New("no room")
	api.set("i-4", types.InstanceStateNameRunning, "")
	require.ErrorContains(t, idle(t, w), "no room")
	require.ErrorContains(t, idle(t, w), "no room", "it is not tried again")
	api.set("i-4", types.InstanceStateNameTerminated, "")
	require.ErrorContains(t, idle(t, w), "no room")
	assert.Equal(t, "launch i-4 invalid IP\nterminate i-4", f.said())
}

func TestWatcherTellsABootThatFailed(t *testing.T) {
	t.Parallel()
	w, api, f := watch(t)
	f.bootErr = errors.New("went off")
	api.set("i-4", types.InstanceStateNameRunning, "")
	assert.ErrorContains(t, idle(t, w), "went off")
}

func TestWatcherGivesUpOnASilentAPI(t *testing.T) {
	t.Parallel()
	w, api, _ := watch(t)
	api.mu.Lock()
	api.down = errors.New("connection refused")
	api.mu.Unlock()
	assert.ErrorContains(t, idle(t, w), "connection refused")
}

func TestWatcherStopClosesMachinesOnceAndWithoutStart(t *testing.T) {
	t.Parallel()
	w, _, f := watch(t)
	w.Stop()
	assert.Contains(t, f.said(), "close")
	newWatcher(nil, f, nil).Stop()
}
