package awsfront

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	balancing "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	zones53 "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

// loopback plays the machines' network: what listens at an address of the VPC listens at a free port here.
type loopback struct {
	mu    sync.Mutex
	ports map[string]string
}

func (l *loopback) AddAddress(context.Context, netip.Addr) error { return nil }

func (l *loopback) Listen(network, address string) (net.Listener, error) {
	listener, err := net.Listen(network, "127.0.0.1:0")
	if err == nil {
		l.keep(network+" "+address, listener.Addr())
	}
	return listener, err
}

func (l *loopback) ListenPacket(network, address string) (net.PacketConn, error) {
	conn, err := net.ListenPacket(network, "127.0.0.1:0")
	if err == nil {
		l.keep(network+" "+address, conn.LocalAddr())
	}
	return conn, err
}

func (l *loopback) keep(from string, to net.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ports[from] = to.String()
}

// DialContext reaches what listens here, and the emulator.
func (l *loopback) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	if to, ok := l.ports[network+" "+address]; ok {
		address = to
	}
	l.mu.Unlock()
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// scene is a front before an emulator with a network and one machine in it.
type scene struct {
	*loopback
	front    *Front
	config   aws.Config
	account  *account
	subnet   string
	instance types.Instance
}

var (
	once    sync.Once
	shared  *scene
	sharing error
	stop    = func() {}
)

func TestMain(m *testing.M) {
	code := m.Run()
	stop()
	os.Exit(code)
}

// newScene answers the scene that the tests of this package share.
func newScene(t *testing.T) *scene {
	t.Helper()
	if testing.Short() {
		t.Skip("starts an emulator")
	}
	once.Do(func() { shared, sharing = makeScene() })
	require.NoError(t, sharing)
	return shared
}

func makeScene() (*scene, error) {
	ctx := context.Background()
	root, err := cache.Default()
	if err != nil {
		return nil, err
	}
	python, err := pyenv.Prepare(ctx, filepath.Join(root, "venv"), progress.Discard)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "awsfront-")
	if err != nil {
		return nil, err
	}
	e, err := emulator.Start(ctx, emulator.Options{Python: python.Python(), Dir: dir})
	if err != nil {
		return nil, err
	}
	s := &scene{loopback: &loopback{ports: map[string]string{}}, config: e.AWSConfig(), account: newAccount(e.AWSConfig())}
	s.front, err = Start(ctx, Options{Network: s.loopback, Config: e.AWSConfig(), Endpoint: e.URL()})
	if err != nil {
		e.Stop()
		return nil, err
	}
	stop = func() { s.front.Stop(); e.Stop(); _ = os.RemoveAll(dir) }
	return s, s.populate(ctx)
}

// populate makes a machine with a role, tags and a key in a subnet.
func (s *scene) populate(ctx context.Context) error {
	roles := s.account.iam
	if _, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("node"), AssumeRolePolicyDocument: aws.String("{}")}); err != nil {
		return err
	}
	if _, err := roles.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("profile")}); err != nil {
		return err
	}
	if _, err := roles.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.String("profile"), RoleName: aws.String("node")}); err != nil {
		return err
	}
	vpc, err := s.account.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.20.0.0/16")})
	if err != nil {
		return err
	}
	subnet, err := s.account.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.20.0.0/20"), AvailabilityZone: aws.String("us-east-1a")})
	if err != nil {
		return err
	}
	s.subnet = *subnet.Subnet.SubnetId
	s.instance, err = s.run(ctx, func(in *ec2.RunInstancesInput) {
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("profile")}
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateRequired, InstanceMetadataTags: types.InstanceMetadataTagsStateEnabled}
		in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("Role"), Value: aws.String("c4-sbc")}}}}
		in.UserData = aws.String(base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\ntrue\n")))
	})
	return err
}

// run runs an instance in the scene's subnet.
func (s *scene) run(ctx context.Context, change func(*ec2.RunInstancesInput)) (types.Instance, error) {
	images, err := s.account.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"136693071363"}})
	if err != nil {
		return types.Instance{}, err
	}
	in := &ec2.RunInstancesInput{ImageId: images.Images[0].ImageId, InstanceType: types.InstanceTypeT3Small, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: aws.String(s.subnet)}
	change(in)
	out, err := s.account.ec2.RunInstances(ctx, in)
	if err != nil {
		return types.Instance{}, err
	}
	return out.Instances[0], nil
}

// asked is what the metadata service answers to an instance.
func (s *scene) asked(m *metadata, i types.Instance, method, path string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, nil)
	r.RemoteAddr = *i.PrivateIpAddress + ":4711"
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w
}

// session begins a session of version 2 and answers how to ask in it.
func (s *scene) session(t *testing.T, m *metadata, i types.Instance) func(path string) (int, string) {
	t.Helper()
	r := s.asked(m, i, http.MethodPut, "/latest/api/token", map[string]string{ttlHeader: "60"})
	token := r.Body.String()
	require.Equal(t, http.StatusOK, r.Code, token)
	require.Equal(t, "60", r.Header().Get(ttlHeader))
	return func(path string) (int, string) {
		r := s.asked(m, i, http.MethodGet, path, map[string]string{tokenHeader: token})
		return r.Code, r.Body.String()
	}
}

func TestMetadataTellsAnInstanceAboutItself(t *testing.T) {
	s := newScene(t)
	m := newMetadata(s.account)
	ask := s.session(t, m, s.instance)
	for path, want := range map[string]string{
		"instance-id": *s.instance.InstanceId, "local-ipv4": "10.20.0.4", "placement/availability-zone": "us-east-1a", "placement/region": "us-east-1",
		"instance-type": "t3.small", "tags/instance/Role": "c4-sbc", "tags/instance/": "Role", "hostname": "ip-10-20-0-4.ec2.internal",
		"mac": *s.instance.NetworkInterfaces[0].MacAddress, "iam/security-credentials/": "node", "iam/": "info\nsecurity-credentials/",
		"network/interfaces/macs/" + *s.instance.NetworkInterfaces[0].MacAddress + "/subnet-id": s.subnet,
	} {
		status, text := ask("/latest/meta-data/" + path)
		assert.Equal(t, http.StatusOK, status, path)
		assert.Equal(t, want, text, path)
	}
	_, text := ask("/latest/")
	assert.Equal(t, "dynamic\nmeta-data", text)
	_, text = ask("/latest/user-data")
	assert.Equal(t, "#!/bin/sh\ntrue\n", text)
	_, text = ask("/2021-03-23/meta-data/placement")
	assert.Equal(t, "availability-zone\nregion", text)
	for _, missing := range []string{"public-ipv4", "nothing", "autoscaling/target-lifecycle-state", "iam/security-credentials/other"} {
		status, _ := ask("/latest/meta-data/" + missing)
		assert.Equal(t, http.StatusNotFound, status, missing)
	}
	var identity map[string]any
	_, text = ask("/latest/dynamic/instance-identity/document")
	require.NoError(t, json.Unmarshal([]byte(text), &identity))
	assert.Equal(t, "123456789012", identity["accountId"])
	assert.Equal(t, *s.instance.InstanceId, identity["instanceId"])

	// The role's credentials are good for calls, and stay the same for a while.
	var given struct{ Code, AccessKeyID, SecretAccessKey, Token, Expiration string }
	_, text = ask("/latest/meta-data/iam/security-credentials/node")
	require.NoError(t, json.Unmarshal([]byte(text), &given))
	assert.Equal(t, "Success", given.Code)
	_, again := ask("/latest/meta-data/iam/security-credentials/node")
	assert.Equal(t, text, again)
	config := s.config.Copy()
	config.Credentials = credentials.NewStaticCredentialsProvider(given.AccessKeyID, given.SecretAccessKey, given.Token)
	who, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:sts::123456789012:assumed-role/node/"+*s.instance.InstanceId, *who.Arn)
}

func TestMetadataWantsAToken(t *testing.T) {
	s := newScene(t)
	m := newMetadata(s.account)
	const path = "/latest/meta-data/instance-id"
	status := func(i types.Instance, method, path string, header map[string]string) int {
		return s.asked(m, i, method, path, header).Code
	}
	assert.Equal(t, http.StatusUnauthorized, status(s.instance, http.MethodGet, path, nil), "version 1 is turned off")
	assert.Equal(t, http.StatusUnauthorized, status(s.instance, http.MethodGet, path, map[string]string{tokenHeader: "made up"}))
	assert.Equal(t, http.StatusBadRequest, status(s.instance, http.MethodPut, "/latest/api/token", nil))
	assert.Equal(t, http.StatusBadRequest, status(s.instance, http.MethodPut, "/latest/api/token", map[string]string{ttlHeader: "21601"}))
	assert.Equal(t, http.StatusForbidden, status(s.instance, http.MethodPut, "/latest/api/token", map[string]string{ttlHeader: "60", "X-Forwarded-For": "10.20.0.9"}))
	assert.Equal(t, http.StatusMethodNotAllowed, status(s.instance, http.MethodPost, path, nil))

	lax, err := s.run(t.Context(), func(in *ec2.RunInstancesInput) {
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateOptional}
	})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status(lax, http.MethodGet, path, nil))
	assert.Equal(t, http.StatusNotFound, status(lax, http.MethodGet, "/latest/meta-data/tags/instance/", nil), "tags are shown on request")
	token := s.asked(m, s.instance, http.MethodPut, "/latest/api/token", map[string]string{ttlHeader: "60"}).Body.String()
	assert.Equal(t, http.StatusUnauthorized, status(lax, http.MethodGet, path, map[string]string{tokenHeader: token}), "a token belongs to one instance")
	stranger := types.Instance{PrivateIpAddress: aws.String("10.20.9.9")}
	assert.Equal(t, http.StatusNotFound, status(stranger, http.MethodGet, path, nil))
}

func TestMetadataTellsTheLifecycleState(t *testing.T) {
	s := newScene(t)
	client := s.account.autoscaling
	images, err := s.account.ec2.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Owners: []string{"136693071363"}})
	require.NoError(t, err)
	template, err := s.account.ec2.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("fleet"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: images.Images[0].ImageId, InstanceType: types.InstanceTypeT3Small},
	})
	require.NoError(t, err)
	_, err = client.CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("fleet"), MinSize: aws.Int32(1), MaxSize: aws.Int32(1), VPCZoneIdentifier: aws.String(s.subnet),
		LaunchTemplate: &scaling.LaunchTemplateSpecification{LaunchTemplateId: template.LaunchTemplate.LaunchTemplateId},
	})
	require.NoError(t, err)
	hook := "drain"
	_, err = client.PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String("fleet"), LifecycleHookName: &hook, LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
	})
	require.NoError(t, err)
	groups, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
	require.NoError(t, err)
	id := groups.AutoScalingGroups[0].Instances[0].InstanceId
	found, err := s.account.instances(t.Context(), types.Filter{Name: aws.String("instance-id"), Values: []string{*id}})
	require.NoError(t, err)
	m := newMetadata(s.account)
	state := func() string {
		return s.asked(m, found[0].Instance, http.MethodGet, "/latest/meta-data/autoscaling/target-lifecycle-state", nil).Body.String()
	}
	assert.Equal(t, "InService", state())
	_, err = client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet"), MinSize: aws.Int32(0), DesiredCapacity: aws.Int32(0)})
	require.NoError(t, err)
	assert.Equal(t, "Terminated", state())
}

// resolver asks the front's name server, over UDP or TCP.
func (s *scene) resolver(network string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return s.DialContext(ctx, network, "169.254.169.253:53")
	}}
}

func TestNames(t *testing.T) {
	s := newScene(t)
	ctx := t.Context()
	zone, err := s.account.route53.CreateHostedZone(ctx, &route53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("1")})
	require.NoError(t, err)
	balancer, target := s.balancer(t)
	set := func(name string, kind zones53.RRType, alias *zones53.AliasTarget, values ...string) {
		records := &zones53.ResourceRecordSet{Name: aws.String(name), Type: kind, AliasTarget: alias}
		if alias == nil {
			records.TTL = aws.Int64(30)
		}
		for _, v := range values {
			records.ResourceRecords = append(records.ResourceRecords, zones53.ResourceRecord{Value: aws.String(v)})
		}
		_, err := s.account.route53.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: zone.HostedZone.Id, ChangeBatch: &zones53.ChangeBatch{
			Changes: []zones53.Change{{Action: zones53.ChangeActionCreate, ResourceRecordSet: records}},
		}})
		require.NoError(t, err)
	}
	set("sbc.example.com", zones53.RRTypeA, nil, "203.0.113.10", "203.0.113.11")
	set("phones.example.com", zones53.RRTypeCname, nil, "sbc.example.com")
	set("_sip._udp.example.com", zones53.RRTypeSrv, nil, "10 60 5060 sbc.example.com.")
	set("text.example.com", zones53.RRTypeTxt, nil, `"two words" "and more"`)
	set("app.example.com", zones53.RRTypeA, &zones53.AliasTarget{DNSName: balancer.DNSName, HostedZoneId: balancer.CanonicalHostedZoneId})
	set("example.com", zones53.RRTypeNaptr, nil, `10 50 "s" "SIP+D2U" "" _sip._udp.example.com.`)
	s.front.SetHost("db.calldata.us-east-1.rds.amazonaws.com", netip.MustParseAddr("10.20.0.99"))

	for _, network := range []string{"udp", "tcp"} {
		r := s.resolver(network)
		for name, want := range map[string][]string{
			"sbc.example.com": {"203.0.113.10", "203.0.113.11"}, "phones.example.com": {"203.0.113.10", "203.0.113.11"}, "app.example.com": {target},
			*balancer.DNSName: {target}, "dualstack." + *balancer.DNSName: {target}, "autoscaling.us-east-1.amazonaws.com": {"169.254.169.252"},
			"artifacts.s3.us-east-1.amazonaws.com": {"169.254.169.252"}, "ip-10-20-0-4.ec2.internal": {"10.20.0.4"},
			"db.calldata.us-east-1.rds.amazonaws.com": {"10.20.0.99"}, "rds.us-east-1.amazonaws.com": {"169.254.169.252"},
		} {
			got, err := r.LookupHost(ctx, name)
			require.NoError(t, err, name)
			assert.ElementsMatch(t, want, got, name)
		}
		_, srv, err := r.LookupSRV(ctx, "sip", "udp", "example.com")
		require.NoError(t, err)
		require.Len(t, srv, 1)
		assert.Equal(t, net.SRV{Target: "sbc.example.com.", Port: 5060, Priority: 10, Weight: 60}, *srv[0])
		text, err := r.LookupTXT(ctx, "text.example.com")
		require.NoError(t, err)
		assert.Equal(t, []string{"two wordsand more"}, text)
		names, err := r.LookupAddr(ctx, "10.20.0.4")
		require.NoError(t, err)
		assert.Equal(t, []string{"ip-10-20-0-4.ec2.internal."}, names)
		for _, unknown := range []string{"nobody.example.com", "example.org", "other.calldata.us-east-1.rds.amazonaws.com"} {
			_, err = r.LookupHost(ctx, unknown)
			var failure *net.DNSError
			require.ErrorAs(t, err, &failure, unknown)
			assert.True(t, failure.IsNotFound, unknown)
		}
	}

	// RFC 3403, 4.1: order, preference, flags, service, regular expression, replacement.
	records, code := s.front.names.resolve(ctx, dnsmessage.Question{Name: dnsmessage.MustNewName("example.com."), Type: typeNAPTR, Class: dnsmessage.ClassINET})
	require.Equal(t, dnsmessage.RCodeSuccess, code)
	require.Len(t, records, 1)
	assert.Equal(t, "\x00\x0a\x00\x32\x01s\x07SIP+D2U\x00\x04_sip\x04_udp\x07example\x03com\x00", string(records[0].Body.(*dnsmessage.UnknownResource).Data))
	assert.Nil(t, s.front.names.answer([]byte("no question"), true))
}

// balancer makes a load balancer with the scene's machine behind it.
func (s *scene) balancer(t *testing.T) (balancing.LoadBalancer, string) {
	t.Helper()
	client := s.account.balancing
	made, err := client.CreateLoadBalancer(t.Context(), &elasticloadbalancingv2.CreateLoadBalancerInput{
		Name: aws.String("web"), Type: balancing.LoadBalancerTypeEnumNetwork, Subnets: []string{s.subnet},
	})
	require.NoError(t, err)
	group, err := client.CreateTargetGroup(t.Context(), &elasticloadbalancingv2.CreateTargetGroupInput{
		Name: aws.String("web"), Protocol: balancing.ProtocolEnumTcp, Port: aws.Int32(443), VpcId: s.instance.VpcId,
	})
	require.NoError(t, err)
	_, err = client.CreateListener(t.Context(), &elasticloadbalancingv2.CreateListenerInput{
		LoadBalancerArn: made.LoadBalancers[0].LoadBalancerArn, Port: aws.Int32(443), Protocol: balancing.ProtocolEnumTcp,
		DefaultActions: []balancing.Action{{Type: balancing.ActionTypeEnumForward, TargetGroupArn: group.TargetGroups[0].TargetGroupArn}},
	})
	require.NoError(t, err)
	_, err = client.RegisterTargets(t.Context(), &elasticloadbalancingv2.RegisterTargetsInput{
		TargetGroupArn: group.TargetGroups[0].TargetGroupArn, Targets: []balancing.TargetDescription{{Id: s.instance.InstanceId}},
	})
	require.NoError(t, err)
	return made.LoadBalancers[0], *s.instance.PrivateIpAddress
}

// client is a machine's: it resolves names and trusts authorities as a machine does.
func (s *scene) client(t *testing.T) *http.Client {
	t.Helper()
	trusted := x509.NewCertPool()
	require.True(t, trusted.AppendCertsFromPEM(s.front.Authority()))
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			found, err := s.resolver("udp").LookupHost(ctx, host)
			if err != nil {
				return nil, err
			}
			return s.DialContext(ctx, network, net.JoinHostPort(found[0], port))
		},
	}}
}

func TestServicesHaveTheirNames(t *testing.T) {
	s := newScene(t)
	config := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), HTTPClient: s.client(t)}
	client := s3.NewFromConfig(config)
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("artifacts")})
	require.NoError(t, err)
	content := bytes.Repeat([]byte("bundle "), 1<<20)
	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("bundles/a.tar.gz"), Body: bytes.NewReader(content)})
	require.NoError(t, err)
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("bundles/a.tar.gz")})
	require.NoError(t, err)
	read, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, read), "what comes back is what went in")
	addresses, err := ec2.NewFromConfig(config).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{*s.instance.InstanceId}})
	require.NoError(t, err)
	assert.Len(t, addresses.Reservations, 1)
}

func TestAgentCanBeInstalled(t *testing.T) {
	s := newScene(t)
	client := s.client(t)
	r, err := client.Get("https://s3.us-east-1.amazonaws.com/amazon-ssm-us-east-1/latest/debian_amd64/amazon-ssm-agent.deb")
	require.NoError(t, err)
	defer func() { _ = r.Body.Close() }()
	require.Equal(t, http.StatusOK, r.StatusCode)
	deb := filepath.Join(t.TempDir(), "agent.deb")
	agent, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(deb, agent, 0o600))
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", "--contents", deb).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "-rwxr-xr-x root/root")
	assert.Contains(t, string(out), "./lib/systemd/system/amazon-ssm-agent.service")

	// What is the emulator's own is not to be had.
	r, err = client.Get("https://s3.us-east-1.amazonaws.com/moto-api/data.json")
	require.NoError(t, err)
	_ = r.Body.Close()
	assert.Equal(t, http.StatusNotFound, r.StatusCode)
}

func TestAuthoritySignsForAWSAlone(t *testing.T) {
	t.Parallel()
	a, err := newAuthority()
	require.NoError(t, err)
	first, err := a.issue("s3.us-east-1.amazonaws.com")
	require.NoError(t, err)
	again, err := a.issue("s3.us-east-1.amazonaws.com")
	require.NoError(t, err)
	assert.Same(t, first, again)
	for _, name := range []string{"", "example.com", "amazonaws.com.example.com", "notamazonaws.com"} {
		_, err = a.issue(name)
		require.Error(t, err, name)
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	weighted := func(weights ...int64) []zones53.ResourceRecordSet {
		var sets []zones53.ResourceRecordSet
		for _, w := range weights {
			sets = append(sets, zones53.ResourceRecordSet{Weight: aws.Int64(w)})
		}
		return sets
	}
	for range 50 {
		chosen := choose(weighted(0, 3, 0))
		require.Len(t, chosen, 1)
		assert.Equal(t, int64(3), *chosen[0].Weight)
	}
	assert.Len(t, choose(weighted(0, 0)), 2, "with no weight at all, each is as good")
	pair := []zones53.ResourceRecordSet{{Failover: zones53.ResourceRecordSetFailoverSecondary}, {Failover: zones53.ResourceRecordSetFailoverPrimary}}
	assert.Equal(t, pair[1:], choose(pair))
	assert.Equal(t, []string{"10", "", "a b", "c."}, fields(`10 ""  "a b" c.`))
}
