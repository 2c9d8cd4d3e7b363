package emulator

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

func environment(t *testing.T) *pyenv.Env {
	t.Helper()
	if testing.Short() {
		t.Skip("starts an emulator")
	}
	root, err := cache.Default()
	require.NoError(t, err)
	env, err := pyenv.Prepare(t.Context(), filepath.Join(root, "venv"), progress.Discard)
	require.NoError(t, err)
	return env
}

func start(t *testing.T, o Options) *Emulator {
	t.Helper()
	o.Python, o.Dir = environment(t).Python(), t.TempDir()
	e, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(e.Stop)
	return e
}

func allocate(t *testing.T, client *ec2.Client) (string, string) {
	t.Helper()
	out, err := client.AllocateAddress(t.Context(), &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc})
	require.NoError(t, err)
	return *out.PublicIp, *out.AllocationId
}

func TestElasticIPsComeInOrderAndComeBackLast(t *testing.T) {
	t.Parallel()
	client := ec2.NewFromConfig(start(t, Options{EIPPool: netip.MustParsePrefix("203.0.113.0/27")}).AWSConfig())
	first, id := allocate(t, client)
	second, _ := allocate(t, client)
	assert.Equal(t, []string{"203.0.113.10", "203.0.113.11"}, []string{first, second})
	_, err := client.ReleaseAddress(t.Context(), &ec2.ReleaseAddressInput{AllocationId: &id})
	require.NoError(t, err)
	for _, want := range []string{"203.0.113.12", "203.0.113.13", "203.0.113.14", "203.0.113.15", "203.0.113.10"} {
		got, _ := allocate(t, client)
		assert.Equal(t, want, got)
	}
	_, err = client.AllocateAddress(t.Context(), &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc})
	assert.ErrorContains(t, err, "AddressLimitExceeded")
}

// forgetful loses the first answer to every request.
type forgetful struct {
	http.RoundTripper
	attempts map[string]int
}

func (f forgetful) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := f.RoundTripper.RoundTrip(request)
	id := request.Header.Get("Amz-Sdk-Invocation-Id")
	f.attempts[id]++
	if err != nil || f.attempts[id] > 1 {
		return response, err
	}
	_ = response.Body.Close()
	return nil, net.ErrClosed
}

func TestARequestThatIsSentAgainIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	e := start(t, Options{})
	settings := e.AWSConfig()
	lossy := forgetful{e.client().Transport, map[string]int{}}
	settings.HTTPClient = &http.Client{Transport: lossy}
	client := ec2.NewFromConfig(settings)
	first, id := allocate(t, client)
	second, _ := allocate(t, client)
	assert.Equal(t, []string{"203.0.113.10", "203.0.113.11"}, []string{first, second})
	_, err := client.ReleaseAddress(t.Context(), &ec2.ReleaseAddressInput{AllocationId: &id})
	require.NoError(t, err)
	for id, attempts := range lossy.attempts {
		assert.Equal(t, 2, attempts, id)
	}
	_, err = ec2.NewFromConfig(e.AWSConfig()).ReleaseAddress(t.Context(), &ec2.ReleaseAddressInput{AllocationId: &id})
	assert.ErrorContains(t, err, "InvalidAllocationID.NotFound", "another request with the same content is one of its own")
}

func TestInstances(t *testing.T) {
	t.Parallel()
	consoles := t.TempDir()
	client := ec2.NewFromConfig(start(t, Options{ConsoleDir: consoles}).AWSConfig())
	ctx := t.Context()

	images, err := client.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"136693071363"},
		Filters: []types.Filter{{Name: aws.String("name"), Values: []string{"debian-12-amd64-*"}}}})
	require.NoError(t, err)
	require.NotEmpty(t, images.Images)
	run := func(data string) types.Instance {
		vpcs, err := client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
		require.NoError(t, err)
		out, err := client.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: images.Images[0].ImageId, InstanceType: types.InstanceTypeT3Small,
			MinCount: aws.Int32(1), MaxCount: aws.Int32(1), UserData: aws.String(base64.StdEncoding.EncodeToString([]byte(data))),
			Monitoring: &types.RunInstancesMonitoringEnabled{Enabled: aws.Bool(true)},
			NetworkInterfaces: []types.InstanceNetworkInterfaceSpecification{{DeviceIndex: aws.Int32(0), SubnetId: vpcs.Subnets[0].SubnetId,
				AssociatePublicIpAddress: aws.Bool(true)}}})
		require.NoError(t, err)
		return out.Instances[0]
	}
	describe := func(id string) types.Instance {
		out, err := client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
		require.NoError(t, err)
		return out.Reservations[0].Instances[0]
	}
	a, b := *run("one").InstanceId, *run("two").InstanceId
	assert.Equal(t, "203.0.113.128", aws.ToString(describe(a).PublicIpAddress))
	assert.Equal(t, "203.0.113.129", aws.ToString(describe(b).PublicIpAddress))

	// An Elastic IP is on one instance at a time, and moves without being asked twice.
	address, allocation := allocate(t, client)
	for _, id := range []string{a, b} {
		_, err := client.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: &allocation, InstanceId: aws.String(id)})
		require.NoError(t, err)
		assert.Equal(t, address, aws.ToString(describe(id).PublicIpAddress))
	}
	assert.NotEqual(t, address, aws.ToString(describe(a).PublicIpAddress))
	_, err = client.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: &allocation, InstanceId: aws.String(a),
		AllowReassociation: aws.Bool(false)})
	require.ErrorContains(t, err, "Resource.AlreadyAssociated")

	// The console is the machine's once there is one.
	console := func() string {
		out, err := client.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: aws.String(a)})
		require.NoError(t, err)
		text, err := base64.StdEncoding.DecodeString(aws.ToString(out.Output))
		require.NoError(t, err)
		return string(text)
	}
	assert.Contains(t, console(), "Linux version 2.6")
	require.NoError(t, os.WriteFile(filepath.Join(consoles, a+".log"), append(bytes.Repeat([]byte("x"), 70<<10), "login:"...), 0o600))
	assert.Len(t, console(), 64<<10)
	assert.True(t, strings.HasSuffix(console(), "xlogin:"))

	monitor, err := client.MonitorInstances(ctx, &ec2.MonitorInstancesInput{InstanceIds: []string{a}})
	require.NoError(t, err)
	assert.Equal(t, types.MonitoringStateEnabled, monitor.InstanceMonitorings[0].Monitoring.State)
}

func TestStateBackend(t *testing.T) {
	t.Parallel()
	e := start(t, Options{})
	ctx := t.Context()
	require.NoError(t, e.CreateBackend(ctx, "state"))
	require.NoError(t, e.CreateBackend(ctx, "state"), "a second time changes nothing")
	for _, body := range []string{"old", "new"} {
		_, err := e.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("state"), Key: aws.String("a/b"), Body: strings.NewReader(body)})
		require.NoError(t, err)
	}
	read := func() map[string][]byte {
		objects := map[string][]byte{}
		require.NoError(t, e.Objects(ctx, "state", func(name string, data []byte) { objects[name] = data }))
		return objects
	}
	objects := read()
	require.Len(t, objects, 2)
	assert.Equal(t, "new", string(objects["a/b"]))
	require.NoError(t, e.Change(ctx, "state", "a/b", func(data []byte) []byte { return data[:1] }))
	objects = read()
	assert.Len(t, objects, 3, "the older versions stay")
	assert.Equal(t, "n", string(objects["a/b"]))
	require.ErrorContains(t, e.Change(ctx, "state", "a/c", bytes.Clone), "read a/c of bucket state")
	assert.Equal(t, "s3://state?disableSSL=true&endpoint="+strings.ReplaceAll(e.address, ":", "%3A")+"&region=us-east-1&s3ForcePathStyle=true", e.BackendURL("state"))
}

// TestManyVersions has as many versions of a state as a deployment of prod leaves, of which every page of a list copied all.
func TestManyVersions(t *testing.T) {
	t.Parallel()
	e := start(t, Options{})
	ctx := t.Context()
	require.NoError(t, e.CreateBackend(ctx, "state"))
	const versions, size = 150, 4 << 20
	begin := resident(t, e.process.Pid)
	for i := range versions {
		body := strings.Repeat(fmt.Sprintf("%07d\n", i), size/8)
		_, err := e.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("state"), Key: aws.String("a"), Body: strings.NewReader(body)})
		require.NoError(t, err)
	}
	pages := s3.NewListObjectVersionsPaginator(e.s3(), &s3.ListObjectVersionsInput{Bucket: aws.String("state"), MaxKeys: aws.Int32(5)})
	listed := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		listed += len(page.Versions)
	}
	assert.Equal(t, versions, listed)
	grown := resident(t, e.process.Pid) - begin
	t.Logf("%d MiB more for %d MiB", grown>>20, versions*size>>20)
	assert.Less(t, grown, versions*size/2)
	count := 0
	require.NoError(t, e.Objects(ctx, "state", func(_ string, data []byte) {
		count++
		assert.Len(t, data, size)
	}))
	assert.Equal(t, versions, count)
}

// resident is how many bytes of memory a process has.
func resident(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	require.NoError(t, err)
	var all, pages int
	_, err = fmt.Sscan(string(data), &all, &pages)
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

// TestExtension runs a client of AWS's own Python SDK through every service that the extension mends.
func TestExtension(t *testing.T) {
	t.Parallel()
	e := start(t, Options{})
	script, err := filepath.Abs("testdata/check_extension.py")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), environment(t).Python(), "-B", script)
	cmd.Env = append(os.Environ(), e.Env()...)
	// botocore takes an empty profile for one that is called "".
	cmd.Env = slices.DeleteFunc(cmd.Env, func(pair string) bool { return strings.HasPrefix(pair, "AWS_PROFILE=") })
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Log(string(out))
}

func TestEmulatorInANetworkNamespace(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("makes a network namespace: needs root")
	}
	name := "cd-test-emulator-" + strings.ToLower(t.TempDir()[len(t.TempDir())-3:])
	require.NoError(t, exec.Command("ip", "netns", "add", name).Run())
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	require.NoError(t, exec.Command("ip", "-n", name, "link", "set", "lo", "up").Run())
	e := start(t, Options{NetNS: name})
	require.NoError(t, e.CreateBackend(context.Background(), "state"))

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.URL()+"/moto-api/", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	require.Error(t, err, "nobody outside the namespace reaches it")
	pid := e.process.Pid
	e.Stop()
	e.Stop()
	assert.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

func TestStartReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Python: "/no/python", EIPPool: netip.MustParsePrefix("203.0.113.0/30"), Port: 70000, NetNS: "cd-nowhere"})
	for _, part := range []string{"Python is", "EIPPool is 203.0.113.0/30", "Port is 70000", "Dir is empty", `NetNS is "cd-nowhere"`} {
		assert.ErrorContains(t, err, part)
	}
}

func TestStartTellsWhereTheLogIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Start(t.Context(), Options{Python: "/bin/false", Dir: dir})
	assert.ErrorContains(t, err, filepath.Join(dir, "emulator.log"))
}

func TestEnvKeepsClientsAwayFromRealAccounts(t *testing.T) {
	t.Parallel()
	env := (&Emulator{address: "127.0.0.1:5000"}).Env()
	for _, want := range []string{"AWS_ENDPOINT_URL=http://127.0.0.1:5000", "AWS_EC2_METADATA_DISABLED=true", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_CONFIG_FILE=/dev/null", "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required", "AWS_REGION=us-east-1"} {
		assert.Contains(t, env, want)
	}
	server := serverEnv([]string{"PATH=/bin", "AWS_PROFILE=prod", "AWS_ACCESS_KEY_ID=real", "PYTHONPATH=/x"}, Options{EIPPool: netip.MustParsePrefix("203.0.113.0/24")})
	assert.Contains(t, server, "PATH=/bin")
	assert.NotContains(t, strings.Join(server, " "), "real")
}
