package preflight

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	costtypes "github.com/aws/aws-sdk-go-v2/service/costexplorer/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	quotatypes "github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// account is an AWS account in which everything is as prod needs it.
type account struct {
	err       error // of every call but the identity
	identity  error
	regions   []types.Region
	zones     []types.AvailabilityZone
	addresses []types.Address
	instances []types.Instance
	subnets   []types.Subnet
	gateways  []types.NatGateway
	vpcs      []types.Vpc
	images    []types.Image
	lacks     string // an instance type in a zone
	quotas    map[string]float64
	hosted    []route53types.HostedZone
	servers   []string // that the internet asks
	noRole    string   // the role that is missing
	provider  *iam.GetOpenIDConnectProviderOutput
	monitors  []costtypes.AnomalyMonitor
	monitorOf []costtypes.ResourceTag
	costTags  []costtypes.CostAllocationTag
	costs     error
	key       kmstypes.KeyState
	bucket    error
	versions  s3types.BucketVersioningStatus
	locks     map[string]string
}

func sound() *account {
	a := &account{
		regions: []types.Region{{RegionName: aws.String("us-east-1"), OptInStatus: aws.String("opt-in-not-required")},
			{RegionName: aws.String("af-south-1"), OptInStatus: aws.String("not-opted-in")}},
		images: []types.Image{
			{ImageId: aws.String("ami-0aaaaaaaaaaaaaaaa"), Name: aws.String("debian-12-amd64-1"), CreationDate: aws.String("2026-01-01"), State: "available", Architecture: "x86_64"},
			{ImageId: aws.String("ami-0bbbbbbbbbbbbbbbb"), Name: aws.String("debian-12-amd64-2"), CreationDate: aws.String("2026-02-01"), State: "available", Architecture: "x86_64"}},
		quotas:   map[string]float64{"L-F678F1CE": 5, "L-0263D0A3": 20, "L-FE5A380F": 5, "L-1216C47A": 64, "L-0EA8095F": 60},
		hosted:   []route53types.HostedZone{{Name: aws.String("voice.example.com."), Id: aws.String("/hostedzone/Z1")}},
		servers:  []string{"NS-1.awsdns-1.org.", "ns-2.awsdns-2.com."},
		key:      kmstypes.KeyStateEnabled,
		versions: s3types.BucketVersioningStatusEnabled,
	}
	for _, letter := range "abc" {
		a.zones = append(a.zones, types.AvailabilityZone{ZoneName: aws.String("us-east-1" + string(letter)), State: types.AvailabilityZoneStateAvailable})
	}
	return a
}

func (a *account) clients() *clients {
	return &clients{sts: a, home: a, ec2: a, quotas: a, iam: a, costs: a, route53: a, kms: func(string) keyAPI { return a }, s3: func(statestore.Bucket) stateAPI { return a },
		nameServers: func(context.Context, string) ([]string, error) { return a.servers, a.err }}
}

func (a *account) GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: aws.String("111122223333"), Arn: aws.String("arn:aws:iam::111122223333:user/op")}, a.identity
}

func (a *account) DescribeRegions(context.Context, *ec2.DescribeRegionsInput, ...func(*ec2.Options)) (*ec2.DescribeRegionsOutput, error) {
	return &ec2.DescribeRegionsOutput{Regions: a.regions}, a.err
}

func (a *account) DescribeAvailabilityZones(context.Context, *ec2.DescribeAvailabilityZonesInput, ...func(*ec2.Options)) (*ec2.DescribeAvailabilityZonesOutput, error) {
	return &ec2.DescribeAvailabilityZonesOutput{AvailabilityZones: a.zones}, a.err
}

func (a *account) DescribeInstanceTypeOfferings(_ context.Context, in *ec2.DescribeInstanceTypeOfferingsInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstanceTypeOfferingsOutput, error) {
	out := &ec2.DescribeInstanceTypeOfferingsOutput{}
	for _, name := range in.Filters[0].Values {
		for _, z := range a.zones {
			if name+" "+*z.ZoneName != a.lacks {
				out.InstanceTypeOfferings = append(out.InstanceTypeOfferings, types.InstanceTypeOffering{InstanceType: types.InstanceType(name), Location: z.ZoneName})
			}
		}
	}
	return out, a.err
}

func (a *account) DescribeAddresses(context.Context, *ec2.DescribeAddressesInput, ...func(*ec2.Options)) (*ec2.DescribeAddressesOutput, error) {
	return &ec2.DescribeAddressesOutput{Addresses: a.addresses}, a.err
}

func (a *account) DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return &ec2.DescribeInstancesOutput{Reservations: []types.Reservation{{Instances: a.instances}}}, a.err
}

func (a *account) DescribeSubnets(context.Context, *ec2.DescribeSubnetsInput, ...func(*ec2.Options)) (*ec2.DescribeSubnetsOutput, error) {
	return &ec2.DescribeSubnetsOutput{Subnets: a.subnets}, a.err
}

func (a *account) DescribeNatGateways(context.Context, *ec2.DescribeNatGatewaysInput, ...func(*ec2.Options)) (*ec2.DescribeNatGatewaysOutput, error) {
	return &ec2.DescribeNatGatewaysOutput{NatGateways: a.gateways}, a.err
}

func (a *account) DescribeVpcs(context.Context, *ec2.DescribeVpcsInput, ...func(*ec2.Options)) (*ec2.DescribeVpcsOutput, error) {
	return &ec2.DescribeVpcsOutput{Vpcs: a.vpcs}, a.err
}

func (a *account) DescribeImages(_ context.Context, in *ec2.DescribeImagesInput, _ ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error) {
	out := &ec2.DescribeImagesOutput{}
	for _, i := range a.images {
		if len(in.ImageIds) == 0 || in.ImageIds[0] == *i.ImageId {
			out.Images = append(out.Images, i)
		}
	}
	if len(in.ImageIds) > 0 && len(out.Images) == 0 {
		return nil, &smithy.GenericAPIError{Code: "InvalidAMIID.NotFound"}
	}
	return out, a.err
}

func (a *account) GetServiceQuota(_ context.Context, in *servicequotas.GetServiceQuotaInput, _ ...func(*servicequotas.Options)) (*servicequotas.GetServiceQuotaOutput, error) {
	if a.err != nil {
		return nil, a.err
	}
	value, ok := a.quotas[*in.QuotaCode]
	if !ok {
		return nil, &smithy.GenericAPIError{Code: "NoSuchResourceException"}
	}
	return &servicequotas.GetServiceQuotaOutput{Quota: &quotatypes.ServiceQuota{Value: &value}}, nil
}

func (a *account) GetAWSDefaultServiceQuota(context.Context, *servicequotas.GetAWSDefaultServiceQuotaInput, ...func(*servicequotas.Options)) (*servicequotas.GetAWSDefaultServiceQuotaOutput, error) {
	return &servicequotas.GetAWSDefaultServiceQuotaOutput{Quota: &quotatypes.ServiceQuota{Value: aws.Float64(5)}}, a.err
}

func (a *account) GetRole(_ context.Context, in *iam.GetRoleInput, _ ...func(*iam.Options)) (*iam.GetRoleOutput, error) {
	if *in.RoleName == a.noRole {
		return nil, &smithy.GenericAPIError{Code: "NoSuchEntity"}
	}
	return &iam.GetRoleOutput{}, a.err
}

func (a *account) GetOpenIDConnectProvider(_ context.Context, in *iam.GetOpenIDConnectProviderInput, _ ...func(*iam.Options)) (*iam.GetOpenIDConnectProviderOutput, error) {
	if a.provider == nil || *in.OpenIDConnectProviderArn != provider {
		return nil, &smithy.GenericAPIError{Code: "NoSuchEntity"}
	}
	return a.provider, a.err
}

func (a *account) GetAnomalyMonitors(context.Context, *costexplorer.GetAnomalyMonitorsInput, ...func(*costexplorer.Options)) (*costexplorer.GetAnomalyMonitorsOutput, error) {
	return &costexplorer.GetAnomalyMonitorsOutput{AnomalyMonitors: a.monitors}, a.costs
}

func (a *account) ListTagsForResource(context.Context, *costexplorer.ListTagsForResourceInput, ...func(*costexplorer.Options)) (*costexplorer.ListTagsForResourceOutput, error) {
	return &costexplorer.ListTagsForResourceOutput{ResourceTags: a.monitorOf}, a.costs
}

func (a *account) ListCostAllocationTags(context.Context, *costexplorer.ListCostAllocationTagsInput, ...func(*costexplorer.Options)) (*costexplorer.ListCostAllocationTagsOutput, error) {
	return &costexplorer.ListCostAllocationTagsOutput{CostAllocationTags: a.costTags}, a.costs
}

// What an account has once.
const (
	provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
	monitor  = "arn:aws:ce::111122223333:anomalymonitor/11111111-2222-3333-4444-555555555555"
)

// watched gives the account a monitor of what services cost, beside one of something else.
func (a *account) watched() {
	a.monitors = []costtypes.AnomalyMonitor{
		{MonitorArn: aws.String("arn:aws:ce::111122223333:anomalymonitor/custom"), MonitorType: costtypes.MonitorTypeCustom},
		{MonitorArn: aws.String(monitor), MonitorType: costtypes.MonitorTypeDimensional, MonitorDimension: costtypes.MonitorDimensionService},
	}
}

// billed lets the bill know the tags, with a status.
func (a *account) billed(status costtypes.CostAllocationTagStatus, keys ...string) {
	for _, key := range keys {
		a.costTags = append(a.costTags, costtypes.CostAllocationTag{TagKey: aws.String(key), Status: status})
	}
}

func (a *account) ListHostedZonesByName(context.Context, *route53.ListHostedZonesByNameInput, ...func(*route53.Options)) (*route53.ListHostedZonesByNameOutput, error) {
	return &route53.ListHostedZonesByNameOutput{HostedZones: a.hosted}, a.err
}

func (a *account) GetHostedZone(context.Context, *route53.GetHostedZoneInput, ...func(*route53.Options)) (*route53.GetHostedZoneOutput, error) {
	return &route53.GetHostedZoneOutput{DelegationSet: &route53types.DelegationSet{NameServers: []string{"ns-2.awsdns-2.com", "ns-1.awsdns-1.org"}}}, a.err
}

func (a *account) DescribeKey(_ context.Context, in *kms.DescribeKeyInput, _ ...func(*kms.Options)) (*kms.DescribeKeyOutput, error) {
	if a.key == "" {
		return nil, &smithy.GenericAPIError{Code: "NotFoundException"}
	}
	return &kms.DescribeKeyOutput{KeyMetadata: &kmstypes.KeyMetadata{KeyState: a.key, Arn: aws.String("arn of " + *in.KeyId)}}, a.err
}

func (a *account) HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	return &s3.HeadBucketOutput{}, a.bucket
}

func (a *account) GetBucketVersioning(context.Context, *s3.GetBucketVersioningInput, ...func(*s3.Options)) (*s3.GetBucketVersioningOutput, error) {
	return &s3.GetBucketVersioningOutput{Status: a.versions}, a.err
}

func (a *account) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	out := &s3.ListObjectsV2Output{}
	for key := range a.locks {
		if strings.HasPrefix(key, *in.Prefix) {
			out.Contents = append(out.Contents, s3types.Object{Key: aws.String(key), LastModified: aws.Time(time.Now().Add(-time.Hour))})
		}
	}
	return out, a.err
}

func (a *account) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return &s3.GetObjectOutput{Body: io.NopCloser(strings.NewReader(a.locks[*in.Key]))}, a.err
}

func (a *account) PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return nil, errors.New("a check writes nothing")
}

// machine is a machine that has every tool.
func machine(env map[string]string) toolbox {
	return toolbox{
		getenv: func(name string) string { return env[name] },
		find:   func(program string) (string, error) { return "/usr/bin/" + program, nil },
		run: func(_ context.Context, program string, _ ...string) (string, error) {
			return map[string]string{"/usr/bin/pulumi": "v3.260.0"}[program], nil
		},
		ansible: func(context.Context, string, string) []error { return nil },
		session: func() (string, error) { return "ssm", nil },
	}
}

// testKey is a public key made for this test; nobody holds its private half.
const testKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV"

// bench is one run of the command.
type bench struct {
	opts *Options
	env  map[string]string
	// settings are given for what has no default.
	settings []string
	report   Report
	text     string
}

func newBench(a *account) *bench {
	b := &bench{env: map[string]string{"PULUMI_BACKEND_URL": "s3://state?region=us-east-1"}}
	b.settings = []string{"--set", `adminCidrs=["203.0.113.0/24"]`, "--set", `alertEmails=["ops@example.com"]`, "--set", `carrierCidrs=["198.51.100.0/24"]`,
		"--set", "domain=voice.example.com", "--set", "githubRepository=example/calldata", "--set", "sshPublicKey=" + testKey}
	b.opts = &Options{Source: stackarg.Source{Dir: "../../.."}, tools: machine(b.env)}
	b.opts.connect = func(context.Context, string, string) (*clients, error) { return a.clients(), nil }
	return b
}

func (b *bench) run(t *testing.T, args ...string) error {
	t.Helper()
	var out bytes.Buffer
	b.opts.IO = &cli.IO{Out: &out, Err: io.Discard}
	cmd := newCmd(b.opts)
	cmd.SetArgs(append(append(slices.Clone(b.settings), args...), "--json"))
	cmd.SetContext(t.Context())
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	if out.Len() > 0 {
		require.NoError(t, json.Unmarshal(out.Bytes(), &b.report))
		var text bytes.Buffer
		require.NoError(t, b.report.table(&text))
		b.text = text.String()
	}
	return err
}

// of answers the outcome of one check.
func (b *bench) of(t *testing.T, name string) verdict.Outcome {
	t.Helper()
	for _, c := range b.report.Checks {
		if c.Name == name {
			return c.Outcome
		}
	}
	require.Fail(t, "no check "+name, b.text)
	return verdict.Outcome{}
}

func TestAllIsWell(t *testing.T) {
	t.Parallel()
	for _, stack := range []string{"dev", "stage", "prod", "account"} {
		b := newBench(sound())
		require.NoError(t, b.run(t, stack), b.text)
		assert.True(t, b.report.Ready)
		assert.Equal(t, "111122223333", b.report.Account)
		names := make([]string, len(b.report.Checks))
		for i, c := range b.report.Checks {
			names[i] = c.Name
			assert.Contains(t, []verdict.Status{verdict.OK, verdict.Skip}, c.Status, c.Detail)
		}
		assert.Equal(t, order, names, "every check, in order")
	}
}

var update = flag.Bool("update", false, "write the reference of quotas anew")

// TestGoldenQuotas keeps docs/reference/quotas.md equal to what the default stacks need.
func TestGoldenQuotas(t *testing.T) {
	t.Parallel()
	const page = "../../../docs/reference/quotas.md"
	var b strings.Builder
	b.WriteString("<!-- Generated by `make golden`; do not edit. -->\n# Quotas\n\n" +
		"What the stacks of this repository take from an account's quotas, fleets at their greatest. The last column is what AWS gives without\n" +
		"being asked, in most accounts; some get more from the beginning. `calldata preflight STACK` asks for the account's own.\n\n" +
		"| quota | service | code | dev | stage | prod | AWS's default |\n|---|---|---|---|---|---|---|\n")
	stacksNeed := make([]needs, 3)
	for i, stack := range []string{"dev", "stage", "prod"} {
		topology, _, err := (&stackarg.Source{Stack: stack, Dir: "../../..", Examples: true}).Load()
		require.NoError(t, err)
		stacksNeed[i] = needsOf(&topology)
	}
	for _, row := range []struct {
		quota
		of func(needs) int
	}{
		{quotaVPCs, func(needs) int { return 1 }}, {quotaAddresses, func(n needs) int { return n.addresses }},
		{quotaNAT, func(n needs) int { return slices.Max(append(slices.Collect(maps.Values(n.natGateways)), 0)) }},
		{quotaVCPUs, func(n needs) int { return n.vcpus }}, {quotaRules, func(n needs) int { return n.rules }},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d | %d |\n", row.what, row.service, row.code, row.of(stacksNeed[0]), row.of(stacksNeed[1]), row.of(stacksNeed[2]), row.standard)
	}
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(b.String()), 0o600))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, b.String(), string(got), "run `make golden`")
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	a := sound()
	a.quotas = map[string]float64{"L-F678F1CE": 1, "L-0263D0A3": 14, "L-FE5A380F": 1, "L-1216C47A": 40, "L-0EA8095F": 3}
	ours := []types.Tag{{Key: aws.String("Project"), Value: aws.String("calldata-foundation")}, {Key: aws.String("Environment"), Value: aws.String("prod")}}
	a.vpcs = []types.Vpc{{}}
	a.addresses = []types.Address{{}, {}, {Tags: ours}, {Tags: ours}, {Tags: ours}}
	a.subnets = []types.Subnet{{SubnetId: aws.String("subnet-1"), AvailabilityZone: aws.String("us-east-1b")}, {SubnetId: aws.String("subnet-2"), AvailabilityZone: aws.String("us-east-1c")}}
	a.gateways = []types.NatGateway{{SubnetId: aws.String("subnet-1")}, {SubnetId: aws.String("subnet-2"), Tags: ours}}
	a.instances = []types.Instance{
		{InstanceType: "m6i.xlarge", CpuOptions: &types.CpuOptions{CoreCount: aws.Int32(2), ThreadsPerCore: aws.Int32(2)}},
		{InstanceType: "c6i.large", Tags: ours},
		{InstanceType: "g4dn.xlarge", CpuOptions: &types.CpuOptions{CoreCount: aws.Int32(2), ThreadsPerCore: aws.Int32(2)}},
		{InstanceType: "m6i.4xlarge", InstanceLifecycle: types.InstanceLifecycleTypeSpot},
	}
	b := newBench(a)
	err := b.run(t, "prod")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	require.ErrorContains(t, err, "stack prod cannot be deployed yet: 4 of 25 checks failed: quota-vpcs, quota-addresses, quota-nat-gateways, quota-firewall-rules")
	for check, want := range map[string]string{
		CheckVPCs: "VPCs: the stack needs 1, and has 0; 1 of 1 are in use, so it lacks 1\n",
		// 3 NAT gateways, 3 addresses for carriers, 6 SBCs and one that takes over: 13, of which the stack has 3; 5 are in use.
		CheckAddresses:   "Elastic IPs: the stack needs 13, and has 3; 5 of 14 are in use, so it lacks 1\nask for more: aws service-quotas request-service-quota-increase --region us-east-1 --service-code ec2 --quota-code L-0263D0A3 --desired-value 15",
		CheckNATGateways: "us-east-1b: NAT gateways in a zone: the stack needs 1, and has 0; 1 of 1 are in use, so it lacks 1\n",
		CheckRules:       "and 3 are allowed\ngive fewer ranges",
		// Two m6i.xlarge, six SBCs and six Routers of two: 32; 2 of them run, and 4 others; spot and GPU instances do not count.
		CheckVCPUs: "the stack needs 32, and has 2; 6 of 40 are in use",
	} {
		assert.Contains(t, b.of(t, check).Detail, want)
	}
	assert.NotContains(t, b.of(t, CheckNATGateways).Detail, "us-east-1c", "a gateway of the stack's own counts as there")
	assert.Equal(t, verdict.OK, b.of(t, CheckVCPUs).Status)
	assert.Regexp(t, `\n {20,}ask for more:`, b.text, "further lines have rows of their own")

	// Without a value of its own, the account has AWS's default: 5.
	delete(a.quotas, "L-0263D0A3")
	require.Error(t, b.run(t, "prod"))
	assert.Contains(t, b.of(t, CheckAddresses).Detail, "5 of 5 are in use, so it lacks 10")
}

func TestWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		stack  string
		args   []string
		damage func(*account, *bench)
		check  string
		status verdict.Status
		want   string
	}{
		"wrong settings": {"prod", []string{"--set", "zones=[\"eu-west-1a\"]", "--set", "sbcMin=x"}, nil, CheckSettings, verdict.Fail, "sbcMin"},
		"region is off": {"dev", []string{"--set", "aws:region=af-south-1"}, nil, CheckRegion, verdict.Fail,
			"af-south-1 is not enabled for account 111122223333: aws account enable-region --region-name af-south-1"},
		"no such region":  {"dev", []string{"--set", "aws:region=xx-nowhere-9"}, nil, CheckRegion, verdict.Fail, "AWS has no region xx-nowhere-9"},
		"malformed":       {"dev", []string{"--set", "aws:region=here"}, nil, CheckCredentials, verdict.Fail, `"here" is no AWS region`},
		"no credentials":  {"dev", nil, func(a *account, _ *bench) { a.identity = errors.New("expired") }, CheckCredentials, verdict.Fail, "no AWS credentials that work: expired"},
		"nothing without": {"dev", nil, func(a *account, _ *bench) { a.identity = errors.New("expired") }, CheckVPCs, verdict.Skip, "no credentials"},
		"denied":          {"prod", nil, func(a *account, _ *bench) { a.err = &smithy.GenericAPIError{Code: "AccessDenied", Message: "no"} }, CheckVCPUs, verdict.Warn, "could not be checked: AccessDenied: no"},
		"zone missing":    {"prod", []string{"--set", `zones=["us-east-1a","us-east-1d"]`}, nil, CheckZones, verdict.Fail, "has no zone us-east-1d, but us-east-1a, us-east-1b, us-east-1c"},
		"type not there":  {"prod", nil, func(a *account, _ *bench) { a.lacks = "c6i.large us-east-1c" }, CheckInstanceTypes, verdict.Fail, "c6i.large is not offered in us-east-1c"},
		"pinned and gone": {"dev", []string{"--set", "amiId=ami-0123456789abcdef0"}, nil, CheckImage, verdict.Fail, "amiId ami-0123456789abcdef0 does not exist"},
		"pinned for arm": {"dev", []string{"--set", "amiId=ami-0aaaaaaaaaaaaaaaa"}, func(a *account, _ *bench) { a.images[0].Architecture = "arm64" }, CheckImage, verdict.Fail,
			"is for arm64, want x86_64"},
		"pinned and old": {"dev", []string{"--set", "amiId=ami-0aaaaaaaaaaaaaaaa"}, func(a *account, _ *bench) { a.images[0].DeprecationTime = aws.String("2026-01-02T00:00:00.000Z") },
			CheckImage, verdict.Warn, "is deprecated since 2026-01-02"},
		"no role of Auto Scaling": {"prod", nil, func(a *account, _ *bench) { a.noRole = "AWSServiceRoleForAutoScaling" }, CheckServiceRole, verdict.Fail,
			"`calldata bootstrap` makes it, or aws iam create-service-linked-role --aws-service-name autoscaling.amazonaws.com"},
		"no role of AWS Config": {"account", nil, func(a *account, _ *bench) { a.noRole = "AWSServiceRoleForConfig" }, CheckServiceRole, verdict.Fail,
			"has no role AWSServiceRoleForConfig, which the recorder of AWS Config must name: `calldata bootstrap`"},
		"no role of AWS Config needed": {"account", []string{"--set", `accountPartsOff=["config","securityhub"]`}, func(a *account, _ *bench) { a.noRole = "AWSServiceRoleForConfig" },
			CheckServiceRole, verdict.Skip, "the stack needs none"},
		"no role needed": {"stage", nil, func(a *account, _ *bench) { a.noRole = "AWSServiceRoleForAutoScaling" }, CheckServiceRole, verdict.Skip, "the stack needs none"},
		"nobody hears": {"stage", []string{"--set", "alertEmails=[]"}, nil, CheckAlarms, verdict.Warn,
			"nobody hears of the stack's alarms: pulumi config set --path 'calldata-foundation:alertEmails[0]' ops@example.com -s stage"},
		"the pager hears": {"prod", []string{"--set", "alertEmails=[]", "--set", "pagerUrl=[secret]"}, nil, CheckAlarms, verdict.OK, "pages, to the pager"},
		"Slack hears":     {"prod", []string{"--set", "alertEmails=[]", "--set", "slackChannel=T07EA123LEP/C07EZ1ABC23"}, nil, CheckAlarms, verdict.OK, "pages, to Slack"},
		"an open pager": {"prod", []string{"--set", "pagerUrl=https://pager.example.com/x"}, nil, CheckAlarms, verdict.Warn,
			"Pulumi.prod.yaml: pulumi config set --secret calldata-foundation:pagerUrl -s prod asks for it"},
		"no alarms":    {"prod", []string{"--set", "alarms=none"}, nil, CheckAlarms, verdict.Skip, "the stack needs none"},
		"no image":     {"dev", nil, func(a *account, _ *bench) { a.images = nil }, CheckImage, verdict.Fail, "publishes no Debian 12 image in us-east-1"},
		"newest image": {"dev", nil, nil, CheckImage, verdict.OK, "ami-0bbbbbbbbbbbbbbbb"},
		"addresses for NAT": {"stage", []string{"--set", `natAllocationIds=["eipalloc-0123456789abcdef0"]`}, nil, CheckNATAddresses, verdict.Fail,
			"eipalloc-0123456789abcdef0 is not in us-east-1 of account 111122223333"},
		"no hosted zone": {"stage", nil, func(a *account, _ *bench) { a.hosted[0].Config = &route53types.HostedZoneConfig{PrivateZone: true} }, CheckHostedZone, verdict.Fail,
			"has no public hosted zone voice.example.com"},
		"two hosted zones": {"stage", nil, func(a *account, _ *bench) { a.hosted = append(a.hosted, a.hosted[0]) }, CheckHostedZone, verdict.Fail, "2 public hosted zones"},
		"not delegated": {"stage", nil, func(a *account, _ *bench) { a.servers = []string{"ns.elsewhere.example."} }, CheckHostedZone, verdict.Fail,
			"the internet asks ns.elsewhere.example: delegate the domain to ns-1.awsdns-1.org, ns-2.awsdns-2.com"},
		"state nowhere": {"dev", nil, func(_ *account, b *bench) { delete(b.env, "PULUMI_BACKEND_URL") }, CheckState, verdict.Fail, "Pulumi is logged in nowhere"},
		"state on disk": {"dev", nil, func(_ *account, b *bench) { b.env["PULUMI_BACKEND_URL"] = "file:///tmp" }, CheckState, verdict.Warn, "on this machine alone"},
		"state elsewhere": {"dev", nil, func(_ *account, b *bench) { b.env["PULUMI_BACKEND_URL"] = "postgres://me:secret@db" }, CheckState, verdict.Skip,
			"a backend of the kind postgres"},
		"no bucket": {"dev", nil, func(a *account, _ *bench) { a.bucket = &smithy.GenericAPIError{Code: "NotFound"} }, CheckState, verdict.Fail,
			"bucket state does not exist: `calldata bootstrap --bucket state` makes it"},
		"no versions": {"dev", nil, func(a *account, _ *bench) { a.versions = "" }, CheckState, verdict.Warn, "keeps no versions"},
		"locked": {"dev", nil, func(a *account, _ *bench) {
			a.locks = map[string]string{".pulumi/locks/organization/calldata-foundation/dev/x.json": `{"pid":42,"username":"ann","hostname":"elsewhere","timestamp":"2026-01-02T03:04:05Z"}`,
				".pulumi/locks/organization/calldata-foundation/dev2/x.json": `{}`}
		}, CheckLock, verdict.Fail, "ann@elsewhere holds it since 2026-01-02T03:04:05Z"},
		"how to unlock": {"dev", nil, func(a *account, _ *bench) {
			a.locks = map[string]string{".pulumi/locks/organization/calldata-foundation/dev/x.json": `not JSON`}
		}, CheckLock, verdict.Fail, "pulumi cancel -s dev"},
		"old pulumi": {"dev", nil, func(_ *account, b *bench) {
			b.opts.tools.run = func(context.Context, string, ...string) (string, error) { return "v3.100.0", nil }
		}, CheckPulumi, verdict.Fail, "want v3.200.0 or later"},
		"pulumi for no policies": {"dev", nil, func(_ *account, b *bench) {
			b.opts.tools.run = func(context.Context, string, ...string) (string, error) { return "v3.257.0", nil }
		}, CheckPulumi, verdict.Warn, "the policy pack needs v3.258.0"},
		"no plugin": {"stage", nil, func(_ *account, b *bench) {
			b.opts.tools.session = func() (string, error) { return "", errors.New("session-manager-plugin is not on PATH") }
		}, CheckSession, verdict.Fail, "session-manager-plugin is not on PATH"},
		"no plugin needed": {"dev", nil, nil, CheckSession, verdict.Skip, "the stack needs none"},
		"ansible": {"dev", nil, func(_ *account, b *bench) {
			b.opts.tools.ansible = func(context.Context, string, string) []error {
				return []error{errors.New("too new"), errors.New("lacks x")}
			}
		}, CheckAnsible, verdict.Fail, "too new\nlacks x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := sound()
			b := newBench(a)
			b.env["PULUMI_HOME"] = t.TempDir()
			if tt.damage != nil {
				tt.damage(a, b)
			}
			err := b.run(t, append([]string{tt.stack}, tt.args...)...)
			got := b.of(t, tt.check)
			assert.Equal(t, tt.status, got.Status, b.text)
			assert.Contains(t, got.Detail, tt.want)
			assert.Equal(t, len(b.report.failures()) > 0, err != nil)
			assert.NotContains(t, b.text, "secret@")
		})
	}
}

// TestWhatAnAccountHasOnce is about what AWS takes one of, and what an account may have already.
func TestWhatAnAccountHasOnce(t *testing.T) {
	t.Parallel()
	ours := map[string]string{"Project": "calldata-foundation", "Environment": "account"}
	has := func(audience string, with map[string]string) func(*account) {
		return func(a *account) {
			a.provider = &iam.GetOpenIDConnectProviderOutput{ClientIDList: []string{audience}}
			for key, value := range with {
				a.provider.Tags = append(a.provider.Tags, iamtypes.Tag{Key: aws.String(key), Value: aws.String(value)})
			}
		}
	}
	watched := func(with map[string]string) func(*account) {
		return func(a *account) {
			a.watched()
			for key, value := range with {
				a.monitorOf = append(a.monitorOf, costtypes.ResourceTag{Key: aws.String(key), Value: aws.String(value)})
			}
		}
	}
	denied := func(message string) func(*account) {
		return func(a *account) { a.costs = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: message} }
	}
	keys := tags.CostKeys()
	tests := map[string]struct {
		set    string
		damage func(*account)
		check  string
		status verdict.Status
		want   string
	}{
		"no provider":                {"", nil, CheckProvider, verdict.OK, "the stack makes it"},
		"no provider to take":        {"githubProviderExists=true", nil, CheckProvider, verdict.Fail, "githubProviderExists false -s account"},
		"provider of others":         {"", has("sts.amazonaws.com", nil), CheckProvider, verdict.Fail, "takes no second: pulumi config set calldata-foundation:githubProviderExists true -s account"},
		"provider taken":             {"githubProviderExists=true", has("sts.amazonaws.com", nil), CheckProvider, verdict.OK, provider},
		"provider for others":        {"githubProviderExists=true", has("https://github.com/example", nil), CheckProvider, verdict.Fail, "add-client-id-to-open-id-connect-provider"},
		"provider is ours":           {"", has("sts.amazonaws.com", ours), CheckProvider, verdict.OK, provider},
		"provider would go":          {"githubProviderExists=true", has("sts.amazonaws.com", ours), CheckProvider, verdict.Fail, "would delete it: pulumi config set calldata-foundation:githubProviderExists false"},
		"provider is not needed":     {`accountPartsOff=["github"]`, has("x", nil), CheckProvider, verdict.Skip, "the stack needs none"},
		"no monitor":                 {"", nil, CheckMonitor, verdict.OK, "the stack makes it"},
		"monitor of others":          {"", watched(nil), CheckMonitor, verdict.Fail, "takes no second monitor: pulumi config set calldata-foundation:anomalyMonitorArn " + monitor + " -s account"},
		"monitor taken":              {"anomalyMonitorArn=" + monitor, watched(nil), CheckMonitor, verdict.OK, monitor},
		"monitor of something taken": {"anomalyMonitorArn=arn:aws:ce::111122223333:anomalymonitor/custom", watched(nil), CheckMonitor, verdict.OK, "custom"},
		"monitor is ours":            {"", watched(ours), CheckMonitor, verdict.OK, monitor},
		"monitor would go":           {"anomalyMonitorArn=" + monitor, watched(ours), CheckMonitor, verdict.Fail, "would delete it: pulumi config rm calldata-foundation:anomalyMonitorArn -s account"},
		"another monitor": {"anomalyMonitorArn=arn:aws:ce::111122223333:anomalymonitor/gone", watched(nil), CheckMonitor, verdict.Fail,
			"has no monitor arn:aws:ce::111122223333:anomalymonitor/gone: pulumi config set calldata-foundation:anomalyMonitorArn " + monitor},
		"no monitor to take":       {"anomalyMonitorArn=" + monitor, nil, CheckMonitor, verdict.Fail, "pulumi config rm calldata-foundation:anomalyMonitorArn -s account"},
		"costs are off":            {"", denied("User not enabled for cost explorer access"), CheckMonitor, verdict.Warn, "accountPartsOff[0]' cost-anomalies -s account"},
		"costs are denied":         {"", denied("no"), CheckMonitor, verdict.Warn, "could not be checked: AccessDeniedException: no"},
		"monitor is not needed":    {`accountPartsOff=["cost-anomalies"]`, watched(nil), CheckMonitor, verdict.Skip, "the stack needs none"},
		"new account":              {"", nil, CheckCostTags, verdict.Skip, "does not know Project, Environment, Role, Owner, CostCenter yet"},
		"tags too early":           {"costTags=true", func(a *account) { a.billed("Inactive", keys[:3]...) }, CheckCostTags, verdict.Fail, "does not know Owner, CostCenter yet"},
		"how to wait":              {"costTags=true", nil, CheckCostTags, verdict.Fail, "until then: pulumi config set calldata-foundation:costTags false -s account"},
		"time for tags":            {"", func(a *account) { a.billed("Inactive", keys...) }, CheckCostTags, verdict.Warn, "pulumi config set calldata-foundation:costTags true -s account"},
		"tags are about to be":     {"costTags=true", func(a *account) { a.billed("Inactive", keys...) }, CheckCostTags, verdict.OK, "Project, Environment"},
		"tags are there":           {"", func(a *account) { a.billed("Active", keys...) }, CheckCostTags, verdict.OK, "Project, Environment"},
		"member of organisation":   {"", denied("Linked account doesn't have access to cost allocation tags."), CheckCostTags, verdict.Skip, "costTags is off"},
		"tags in an organisation":  {"costTags=true", denied("Linked account doesn't have access to cost allocation tags."), CheckCostTags, verdict.Fail, "management account alone"},
		"tags that nobody answers": {"costTags=true", denied("no"), CheckCostTags, verdict.Warn, "could not be checked"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := sound()
			if tt.damage != nil {
				tt.damage(a)
			}
			b, args := newBench(a), []string{"account"}
			if tt.set != "" {
				args = append(args, "--set", tt.set)
			}
			err := b.run(t, args...)
			got := b.of(t, tt.check)
			assert.Equal(t, tt.status, got.Status, b.text)
			assert.Contains(t, got.Detail, tt.want)
			assert.Equal(t, tt.status == verdict.Fail, err != nil, b.text)
		})
	}
}

// TestMissingSettings goes on with examples, but judges none of them.
func TestMissingSettings(t *testing.T) {
	t.Parallel()
	a := sound()
	a.hosted = nil
	b := newBench(a)
	b.settings = nil
	err := b.run(t, "prod")
	require.ErrorContains(t, err, "1 of 25 checks failed: settings")
	for _, setting := range []string{"domain", "carrierCidrs", "sshPublicKey"} {
		assert.Contains(t, b.of(t, CheckSettings).Detail, "calldata-foundation:"+setting)
	}
	assert.Contains(t, b.of(t, CheckAddresses).Detail, "the stack needs 13")
	for check, want := range map[string]string{CheckHostedZone: "domain is not set", CheckSSHKey: "sshPublicKey is not set"} {
		assert.Equal(t, verdict.Skip, b.of(t, check).Status)
		assert.Equal(t, want, b.of(t, check).Detail)
	}

	require.Error(t, b.run(t, "prod", "--set", "sbcMin=x"))
	assert.Equal(t, "the settings are wrong", b.of(t, CheckAddresses).Detail, "examples do not mend what is wrong")
}

func TestSecretsKey(t *testing.T) {
	t.Parallel()
	a := sound()
	i := &inspector{Options: &Options{}, clients: a.clients(), region: "us-east-1"}
	for provider, want := range map[string]found{
		"": {verdict.Skip, "no key of KMS"},
		"awskms://alias/calldata-foundation-secrets?region=us-east-1":                {verdict.OK, "arn of alias/calldata-foundation-secrets"},
		"awskms:///arn:aws:kms:us-east-1:111122223333:key/1234?region=us-east-1":     {verdict.OK, "arn of arn:aws:kms:us-east-1:111122223333:key/1234"},
		"awskms://1234abcd-12ab-34cd-56ef-1234567890ab?region=us-east-1&context_a=b": {verdict.OK, "arn of 1234abcd-12ab-34cd-56ef-1234567890ab"},
		"hashivault://x": {verdict.Skip, "is not of KMS"},
	} {
		file, _, err := (&stackarg.Source{Stack: "dev", Dir: "../../.."}).File()
		require.NoError(t, err)
		file.SecretsProvider = provider
		i.file = file
		got := i.secretsKey(t.Context())
		assert.Equal(t, want.status, got.status, provider)
		assert.Contains(t, got.detail, want.detail, provider)
		if want.status == verdict.OK {
			a.key = kmstypes.KeyStatePendingDeletion
			assert.Contains(t, i.secretsKey(t.Context()).detail, "is PendingDeletion")
			a.key = ""
			assert.Contains(t, i.secretsKey(t.Context()).detail, "does not exist")
			a.key = kmstypes.KeyStateEnabled
		}
	}
}

func TestSSHKey(t *testing.T) {
	t.Parallel()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	authorized, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	set := "sshPublicKey=" + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(authorized)))
	write := func(block *pem.Block, mode os.FileMode) string {
		file := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), mode))
		return file
	}
	plain, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("x"))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		file   string
		args   []string
		status verdict.Status
		want   string
	}{
		"no file":     {"", []string{"--set", set}, verdict.OK, "is not set, so ssh's agent"},
		"its half":    {write(plain, 0o600), []string{"--set", set}, verdict.OK, "is its private half"},
		"another's":   {write(plain, 0o600), nil, verdict.Fail, "but sshPublicKey is SHA256:"},
		"for all":     {write(plain, 0o644), []string{"--set", set}, verdict.Fail, "mode 0644"},
		"passphrase":  {write(locked, 0o600), []string{"--set", set}, verdict.Fail, "has a passphrase"},
		"not a key":   {write(&pem.Block{Type: "X"}, 0o600), []string{"--set", set}, verdict.Fail, "is not a private key"},
		"not a there": {"/nowhere", []string{"--set", set}, verdict.Fail, "no such file"},
	} {
		b := newBench(sound())
		b.env[keyVariable] = tt.file
		_ = b.run(t, append([]string{"dev"}, tt.args...)...)
		assert.Equal(t, tt.status, b.of(t, CheckSSHKey).Status, name)
		assert.Contains(t, b.of(t, CheckSSHKey).Detail, tt.want, name)
	}
}

func TestStateIsWherePulumiIsLoggedIn(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(home, "credentials.json"), []byte(`{"current":"s3://from-login","accessTokens":{}}`), 0o600))
	bench := newBench(sound())
	delete(bench.env, "PULUMI_BACKEND_URL")
	bench.env["PULUMI_HOME"] = home
	require.NoError(t, bench.run(t, "dev"), bench.text)
	assert.Contains(t, bench.of(t, CheckState).Detail, "s3://from-login, versioned")
}

// TestImagesAreThoseOfTheMachines keeps the two places equal that look for Debian: this command has no use for Pulumi.
func TestImagesAreThoseOfTheMachines(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../../components/machineimage/image.go")
	require.NoError(t, err)
	assert.Contains(t, string(source), `"`+debianAccount+`"`)
	assert.Contains(t, string(source), `"`+debianImages+`"`)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"dev", "stage"}, {"nope"}, {"dev", "--set", "x"}, {"dev", "--timeout", "0s"}} {
		b := newBench(sound())
		err := b.run(t, args...)
		assert.Equal(t, cli.ExitUsage, cli.Code(err), args)
		assert.Empty(t, b.report.Checks)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	b := newBench(sound())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	b.opts.IO = &cli.IO{Out: &out, Err: io.Discard}
	b.opts.Source.Stack, b.opts.Timeout = "dev", time.Second
	assert.Equal(t, cli.ExitInterrupted, cli.Code(run(ctx, b.opts)))
	assert.Empty(t, out.String())
}

// TestOnTheEmulator asks real clients. What the emulator does not know is a warning.
func TestOnTheEmulator(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	settings := e.AWSConfig()
	client := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })
	require.NoError(t, e.CreateBackend(t.Context(), "state"))
	zone, err := route53.NewFromConfig(settings).CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{
		Name: aws.String("voice.example.com"), CallerReference: aws.String("x")})
	require.NoError(t, err)
	_, err = iam.NewFromConfig(settings).CreateServiceLinkedRole(t.Context(), &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("autoscaling.amazonaws.com")})
	require.NoError(t, err)
	b := newBench(nil)
	b.env["PULUMI_BACKEND_URL"] = e.BackendURL("state")
	b.opts.connect = func(context.Context, string, string) (*clients, error) {
		to := clientsFor(settings)
		to.nameServers = func(context.Context, string) ([]string, error) { return zone.DelegationSet.NameServers, nil }
		return to, nil
	}
	require.NoError(t, b.run(t, "prod"), b.text)
	t.Log("\n" + b.text)
	want := map[string]verdict.Status{CheckAddresses: verdict.Warn, CheckVCPUs: verdict.Warn, CheckNATAddresses: verdict.Skip, CheckSecretsKey: verdict.Skip,
		CheckProvider: verdict.Skip, CheckMonitor: verdict.Skip, CheckCostTags: verdict.Skip}
	for _, c := range b.report.Checks {
		status, special := want[c.Name]
		if !special {
			status = verdict.OK
		}
		assert.Equal(t, status, c.Status, c.Name+": "+c.Detail)
	}

	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("state"), Key: aws.String(".pulumi/locks/organization/calldata-foundation/prod/1.json"),
		Body: strings.NewReader(fmt.Sprintf(`{"pid":999999999,"username":"ann","hostname":%q,"timestamp":"2026-01-02T03:04:05Z"}`, hostname(t)))})
	require.NoError(t, err)
	require.Error(t, b.run(t, "prod"))
	assert.Contains(t, b.of(t, CheckLock).Detail, "process 999999999, which no longer runs on this machine")

	// The account's stack: nothing is there, and then what AWS takes one of.
	require.Error(t, b.run(t, "account"))
	assert.Contains(t, b.of(t, CheckServiceRole).Detail, "has no role AWSServiceRoleForConfig")
	assert.Equal(t, "the stack makes it", b.of(t, CheckProvider).Detail)
	assert.Equal(t, "the stack makes it", b.of(t, CheckMonitor).Detail)
	assert.Contains(t, b.of(t, CheckCostTags).Detail, "does not know Project")
	_, err = iam.NewFromConfig(settings).CreateServiceLinkedRole(t.Context(), &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("config.amazonaws.com")})
	require.NoError(t, err)
	_, err = iam.NewFromConfig(settings).CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://token.actions.githubusercontent.com"), ClientIDList: []string{"sts.amazonaws.com"}})
	require.NoError(t, err)
	made, err := costexplorer.NewFromConfig(settings).CreateAnomalyMonitor(t.Context(), &costexplorer.CreateAnomalyMonitorInput{AnomalyMonitor: &costtypes.AnomalyMonitor{
		MonitorName: aws.String("Default-Services-Monitor"), MonitorType: costtypes.MonitorTypeDimensional, MonitorDimension: costtypes.MonitorDimensionService}})
	require.NoError(t, err)
	require.ErrorContains(t, b.run(t, "account"), "2 of 25 checks failed: identity-provider, anomaly-monitor", b.text)
	require.NoError(t, b.run(t, "account", "--set", "githubProviderExists=true", "--set", "anomalyMonitorArn="+*made.MonitorArn), b.text)
}

func hostname(t *testing.T) string {
	name, err := os.Hostname()
	require.NoError(t, err)
	return name
}

func TestLaptop(t *testing.T) {
	t.Parallel()
	file, err := stackfile.Read("../../..", "dev")
	require.NoError(t, err)
	outcomes := func(b *bench) map[string]verdict.Outcome {
		got := map[string]verdict.Outcome{}
		for _, r := range b.opts.laptop(t.Context(), file) {
			got[r.Name] = r.Outcome
		}
		return got
	}
	got := outcomes(newBench(sound()))
	require.Len(t, got, 5)
	for _, name := range []string{CheckPulumi, CheckAnsible, CheckSession, CheckCredentials, CheckState} {
		assert.Equal(t, verdict.OK, got[name].Status, "%s: %s", name, got[name].Detail)
	}
	assert.Equal(t, "s3://state?region=us-east-1, versioned", got[CheckState].Detail)

	b := newBench(sound())
	b.opts.tools.session = func() (string, error) { return "", errors.New("no plugin") }
	b.opts.tools.ansible = func(context.Context, string, string) []error { return []error{errors.New("no collections")} }
	b.opts.tools.find = func(string) (string, error) { return "", errors.New("not there") }
	b.opts.connect = func(context.Context, string, string) (*clients, error) { return nil, errors.New("no profile") }
	got = outcomes(b)
	assert.Equal(t, "no plugin", got[CheckSession].Detail)
	assert.Equal(t, "no collections", got[CheckAnsible].Detail)
	assert.Contains(t, got[CheckPulumi].Detail, "not on PATH")
	assert.Equal(t, "no profile", got[CheckCredentials].Detail)
	assert.Equal(t, verdict.Skip, got[CheckState].Status)
}
