package alb

import (
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

const certificate = "arn:aws:acm:us-east-1:123456789012:certificate/0f0f0f0f-1111-2222-3333-444444444444"

// amazon answers what ACM does besides the recorder's answers, and remembers which provider versions were asked for.
type amazon struct {
	componenttest.Recorder

	mu       sync.Mutex
	versions map[string]string
}

func (a *amazon) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	a.mu.Lock()
	a.versions[args.TypeToken] = args.RegisterRPC.GetVersion()
	a.mu.Unlock()
	id, out, err := a.Recorder.NewResource(args)
	if args.TypeToken == "aws:acm/certificate:Certificate" {
		out["domainValidationOptions"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty(resource.PropertyMap{
			"domainName": args.Inputs["domainName"], "resourceRecordName": resource.NewProperty("_proof.voice.example.com."),
			"resourceRecordType": resource.NewProperty("CNAME"), "resourceRecordValue": resource.NewProperty("_value.acm-validations.aws."),
		})})
	}
	return id, out, err
}

func args() Args {
	return Args{
		VpcID: pulumi.String("vpc-1"), SubnetIDs: pulumi.ToStringArray([]string{"subnet-a", "subnet-b"}), SubnetCount: 2, SecurityGroupID: pulumi.String("sg-alb"),
		Domain: DomainArgs{Name: "voice.example.com", ZoneID: pulumi.String("Z1")}, Weights: Weights{Blue: 100},
		Tags: tags.Tags{Project: "p", Environment: "stage", Role: "alb", Owner: "o", CostCenter: "c"},
	}
}

// run registers one load balancer, changed by change, and lets then work with it.
func run(t *testing.T, change func(*Args), then func(*pulumi.Context, *Alb) error) *amazon {
	t.Helper()
	aws := &amazon{versions: map[string]string{}}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		a := args()
		if change != nil {
			change(&a)
		}
		alb, err := NewAlb(ctx, "stage-web", a)
		if err != nil || then == nil {
			return err
		}
		return then(ctx, alb)
	}, pulumi.WithMocks("calldata-foundation", "stage", aws)))
	for _, r := range aws.Resources() {
		if r.Type != "calldata:alb:Alb" && r.Type != "pulumi:pulumi:Stack" && r.Type != "test:index:Child" {
			assert.Equal(t, "calldata:alb:Alb stage-web", r.Parent, r.Name)
		}
	}
	return aws
}

// outputs runs check on what the outputs resolve to.
func outputs(check func([]any), values ...any) {
	pulumi.All(values...).ApplyT(func(got []any) error { check(got); return nil })
}

func TestBalancer(t *testing.T) {
	t.Parallel()
	aws := run(t, nil, func(_ *pulumi.Context, a *Alb) error {
		outputs(func(got []any) {
			assert.Equal(t, []any{
				"arn:aws:lb:us-east-1:123456789012:stage-web", "lb/stage-web", "stage-web.elb.amazonaws.com", "Z35SXDOTRQ7X7K", "https://voice.example.com",
				"arn:aws:lb:us-east-1:123456789012:stage-web-green",
			}, got)
		}, a.ARN, a.ARNSuffix, a.DNSName, a.ZoneID, a.URL, a.TargetGroups[Green].ARN)
		return nil
	})
	balancer := aws.One(t, "aws:lb/loadBalancer:LoadBalancer")
	assert.False(t, balancer.Protect, "it must stay replaceable")
	in := balancer.Inputs
	delete(in, "tags")
	assert.Equal(t, map[string]any{
		"loadBalancerType": "application", "internal": false, "ipAddressType": "ipv4", "subnets": []any{"subnet-a", "subnet-b"}, "securityGroups": []any{"sg-alb"},
		"idleTimeout": 240.0, "dropInvalidHeaderFields": true, "desyncMitigationMode": "defensive", "enableDeletionProtection": false,
	}, in)

	prod := run(t, func(a *Args) {
		a.Protect, a.LogsBucket, a.LogsPrefix, a.IdleTimeout = true, pulumi.String("logs"), "alb/stage", 10*time.Minute
	}, nil).One(t, "aws:lb/loadBalancer:LoadBalancer").Inputs
	assert.Equal(t, true, prod["enableDeletionProtection"])
	assert.Equal(t, map[string]any{"bucket": "logs", "prefix": "alb/stage", "enabled": true}, prod["accessLogs"])
	assert.InDelta(t, 600, prod["idleTimeout"], 0)

	plain := run(t, func(a *Args) { a.LogsBucket = pulumi.String("logs") }, nil).One(t, "aws:lb/loadBalancer:LoadBalancer").Inputs
	assert.Equal(t, map[string]any{"bucket": "logs", "enabled": true}, plain["accessLogs"])
}

func TestListeners(t *testing.T) {
	t.Parallel()
	aws := run(t, func(a *Args) { a.Weights = Weights{Blue: 90, Green: 10} }, nil)
	listeners := aws.OfType("aws:lb/listener:Listener")
	require.Len(t, listeners, 2)

	http := listeners["stage-web-http"]
	assert.InDelta(t, 80, http.Inputs["port"], 0)
	assert.Equal(t, []any{map[string]any{
		"type": "redirect", "redirect": map[string]any{"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"},
	}}, http.Inputs["defaultActions"])
	assert.Equal(t, []string{"aws:lb/loadBalancer:LoadBalancer stage-web"}, http.Dependencies, "the redirect waits for nothing else")

	https := listeners["stage-web-https"]
	assert.Equal(t, "HTTPS", https.Inputs["protocol"])
	assert.Equal(t, "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", https.Inputs["sslPolicy"])
	assert.Equal(t, []any{map[string]any{"type": "forward", "forward": map[string]any{
		"targetGroups": []any{
			map[string]any{"arn": "arn:aws:lb:us-east-1:123456789012:stage-web-blue", "weight": 90.0},
			map[string]any{"arn": "arn:aws:lb:us-east-1:123456789012:stage-web-green", "weight": 10.0},
		},
		"stickiness": map[string]any{"enabled": true, "duration": 7200.0},
	}}}, https.Inputs["defaultActions"])
	assert.Contains(t, https.Dependencies, "aws:acm/certificateValidation:CertificateValidation stage-web", "no HTTPS before the certificate is valid")
}

func TestTargetGroups(t *testing.T) {
	t.Parallel()
	aws := run(t, func(a *Args) { a.DrainTimeout = 20 * time.Minute }, nil)
	groups := aws.OfType("aws:lb/targetGroup:TargetGroup")
	assert.Equal(t, []string{"stage-web-blue", "stage-web-green"}, slices.Sorted(maps.Keys(groups)))
	for name, group := range groups {
		in := group.Inputs
		assert.Equal(t, name, in["tags"].(map[string]any)["Name"])
		delete(in, "tags")
		assert.Equal(t, map[string]any{
			"vpcId": "vpc-1", "targetType": "instance", "port": 443.0, "protocol": "HTTPS", "deregistrationDelay": 1200.0, "slowStart": 60.0,
			"healthCheck": map[string]any{
				"enabled": true, "protocol": "HTTPS", "port": "traffic-port", "path": "/api/auth/0.1/backends", "matcher": "200",
				"interval": 10.0, "timeout": 5.0, "healthyThreshold": 2.0, "unhealthyThreshold": 3.0,
			},
			"stickiness": map[string]any{"enabled": true, "type": "lb_cookie", "cookieDuration": 7200.0},
		}, in)
		assert.Empty(t, group.Dependencies, "groups wait for nothing")
	}
	group := run(t, nil, nil).OfType("aws:lb/targetGroup:TargetGroup")["stage-web-blue"]
	assert.InDelta(t, 3600, group.Inputs["deregistrationDelay"], 0)
}

func TestLongNamesFit(t *testing.T) {
	t.Parallel()
	aws := &amazon{versions: map[string]string{}}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := NewAlb(ctx, strings.Repeat("long-", 8)+"web", args())
		return err
	}, pulumi.WithMocks("calldata-foundation", "stage", aws)))
	for _, kind := range []string{"aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup"} {
		for name := range aws.OfType(kind) {
			assert.LessOrEqual(t, len(name), 24, name)
		}
	}
}

func TestDomain(t *testing.T) {
	t.Parallel()
	aws := run(t, nil, func(_ *pulumi.Context, a *Alb) error {
		outputs(func(got []any) { assert.Equal(t, "arn:aws:acm:us-east-1:123456789012:stage-web", got[0]) }, a.CertificateARN)
		return nil
	})
	made := aws.One(t, "aws:acm/certificate:Certificate")
	assert.Equal(t, "voice.example.com", made.Inputs["domainName"])
	assert.Equal(t, "DNS", made.Inputs["validationMethod"])
	assert.NotContains(t, made.Inputs, "subjectAlternativeNames")
	assert.Empty(t, made.Dependencies, "the certificate is asked for at once")

	records := aws.OfType("aws:route53/record:Record")
	require.Len(t, records, 2)
	assert.Equal(t, map[string]any{
		"zoneId": "Z1", "name": "_proof.voice.example.com.", "type": "CNAME", "records": []any{"_value.acm-validations.aws."}, "ttl": 60.0, "allowOverwrite": true,
	}, records["stage-web-validation"].Inputs)
	assert.Equal(t, map[string]any{"zoneId": "Z1", "name": "voice.example.com", "type": "A", "aliases": []any{map[string]any{
		"name": "stage-web.elb.amazonaws.com", "zoneId": "Z35SXDOTRQ7X7K", "evaluateTargetHealth": true,
	}}}, records["stage-web-a"].Inputs)
	assert.NotContains(t, records["stage-web-a"].Dependencies, "aws:acm/certificateValidation:CertificateValidation stage-web")
	valid := aws.One(t, "aws:acm/certificateValidation:CertificateValidation")
	assert.Contains(t, valid.Dependencies, "aws:route53/record:Record stage-web-validation")

	dual := run(t, func(a *Args) { a.DualStack = true }, nil)
	assert.Equal(t, "dualstack", dual.One(t, "aws:lb/loadBalancer:LoadBalancer").Inputs["ipAddressType"])
	assert.Equal(t, "AAAA", dual.OfType("aws:route53/record:Record")["stage-web-aaaa"].Inputs["type"])
}

func TestGivenCertificate(t *testing.T) {
	t.Parallel()
	aws := run(t, func(a *Args) { a.CertificateARN, a.Domain = certificate, DomainArgs{} }, func(_ *pulumi.Context, a *Alb) error {
		outputs(func(got []any) { assert.Equal(t, []any{certificate, "https://stage-web.elb.amazonaws.com"}, got) }, a.CertificateARN, a.URL)
		return nil
	})
	assert.Empty(t, aws.OfType("aws:acm/certificate:Certificate"))
	assert.Empty(t, aws.OfType("aws:route53/record:Record"))
	assert.Equal(t, certificate, aws.OfType("aws:lb/listener:Listener")["stage-web-https"].Inputs["certificateArn"])

	both := run(t, func(a *Args) { a.CertificateARN = certificate }, nil)
	assert.Empty(t, both.OfType("aws:acm/certificate:Certificate"))
	assert.Len(t, both.OfType("aws:route53/record:Record"), 1, "the domain still leads to the load balancer")
}

func TestAttach(t *testing.T) {
	t.Parallel()
	aws := run(t, nil, func(ctx *pulumi.Context, a *Alb) error {
		ready := &componenttest.Child{}
		if err := ctx.RegisterResource("test:index:Child", "configured", pulumi.Map{}, ready); err != nil {
			return err
		}
		if err := a.Attach(ctx, "stage-uc-1", Target{Colour: Green, InstanceID: pulumi.String("i-1"), After: []pulumi.Resource{ready}}); err != nil {
			return err
		}
		err := a.Attach(ctx, "stage-uc-2", Target{Colour: "red", Port: 70000})
		for _, want := range []string{"attach stage-uc-2: ", `colour: "red", want one of [blue green]`, "instance id: it is missing", "port: 70000"} {
			assert.ErrorContains(t, err, want)
		}
		return nil
	})
	attached := aws.One(t, "aws:lb/targetGroupAttachment:TargetGroupAttachment")
	assert.Equal(t, map[string]any{"targetGroupArn": "arn:aws:lb:us-east-1:123456789012:stage-web-green", "targetId": "i-1", "port": 443.0}, attached.Inputs)
	assert.Equal(t, []string{"aws:lb/targetGroup:TargetGroup stage-web-green", "test:index:Child configured"}, attached.Dependencies)
}

func TestPreviewKnowsNothing(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{Preview: true}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		a := args()
		a.WAF, a.DualStack = true, true
		_, err := NewAlb(ctx, "stage-web", a)
		return err
	}))
	assert.Len(t, rec.OfType("aws:route53/record:Record"), 3)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewAlb(ctx, "stage-web", Args{
			SubnetCount: 1, Weights: Weights{Blue: -1, Green: 1000}, IdleTimeout: 188 * time.Second, DrainTimeout: 2 * time.Hour, LoginLimit: 5, LogsPrefix: "/AWSLogs/",
		})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"alb stage-web: ", "VPC id: it is missing", "subnet ids: they are missing", "subnet count: 1,", "security group id: it is missing",
		"domain: it is missing, and so is the certificate ARN", "weights: blue is -1", "weights: green is 1000",
		"idle timeout: 3m8s, want whole seconds, more than the engine's 3m8s", "drain timeout: 2h0m0s", "login limit: 5", `logs prefix: "/AWSLogs/" is set without`,
		`logs prefix: "/AWSLogs/" is not words`, "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, args().Validate())
	for name, c := range map[string]struct {
		change func(*Args)
		want   string
	}{
		"weights of 0":        {func(a *Args) { a.Weights = Weights{} }, "weights: blue and green are both 0"},
		"upper case":          {func(a *Args) { a.Domain.Name = "Voice.example.com" }, `domain: "Voice.example.com" is not a full domain name`},
		"one label":           {func(a *Args) { a.Domain.Name = "voice" }, `domain: "voice" is not a full domain name`},
		"too long for ACM":    {func(a *Args) { a.Domain.Name = strings.Repeat("a", 60) + ".example.com" }, "has 72 characters, ACM makes certificates for at most 64"},
		"no zone":             {func(a *Args) { a.Domain.ZoneID = nil }, `the name "voice.example.com" and the zone id belong together`},
		"zone alone":          {func(a *Args) { a.Domain.Name, a.CertificateARN = "", certificate }, `the name "" and the zone id belong together`},
		"no certificate":      {func(a *Args) { a.CertificateARN = "arn:aws:iam::123456789012:server-certificate/x" }, "is not the ARN of an ACM certificate"},
		"parts of a second":   {func(a *Args) { a.IdleTimeout = 240*time.Second + time.Millisecond }, "idle timeout: 4m0.001s, want whole seconds"},
		"longer than AWS has": {func(a *Args) { a.IdleTimeout = 4001 * time.Second }, "idle timeout: 1h6m41s"},
		"negative drain":      {func(a *Args) { a.DrainTimeout = -time.Second }, "drain timeout: -1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := args()
			c.change(&a)
			assert.ErrorContains(t, a.Validate(), c.want)
		})
	}
	long := args()
	long.Domain.Name, long.CertificateARN = strings.Repeat("a", 60)+".example.com", certificate
	assert.NoError(t, long.Validate(), "the limit is that of certificates that are made here")
}
