package alb

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/lbname"
)

// HealthPath is what the load balancer asks of each engine. wazo-auth answers it with 200 to anybody; without wazo-auth
// nobody can log in. Its own status answers HEAD alone, and load balancers ask with GET. The wizard's path would ask four
// daemons at once, and take the engine away from everybody when the slowest is slow.
// Source: wazo-auth: plugins/http/backends, plugins/http/status/api.yml.
const HealthPath = "/api/auth/0.1/backends"

const (
	// EnginePort is where nginx on an engine listens. Its certificate is its own and not checked: that the engine is the right
	// one is known from the network. Source: wazo-nginx: etc/nginx/sites-available/wazo; Elastic Load Balancing User Guide for
	// Application Load Balancers, Target groups.
	EnginePort = 443

	// tokenLifetime is how long a login lasts. An engine knows its own logins alone, so that a client must come back to the
	// same engine, and while traffic shifts, to the same colour; it bounds how long the colour that loses its weight keeps
	// clients. Source: wazo-auth: wazo_auth/token.py, default lifetime of a token.
	tokenLifetime = 7200 * time.Second

	// slowStart is how long an engine that became healthy gets less than its share, while its daemons fill their caches.
	slowStart = time.Minute

	checkInterval, checkTimeout        = 10 * time.Second, 5 * time.Second
	healthyThreshold, failureThreshold = 2, 3
)

func (b *builder) targetGroup(colour Colour) error {
	name := b.name + "-" + string(colour)
	group, err := lb.NewTargetGroup(b.ctx, lbname.Fit(name), &lb.TargetGroupArgs{
		VpcId: b.args.VpcID, TargetType: pulumi.String("instance"), Port: pulumi.Int(EnginePort), Protocol: pulumi.String("HTTPS"),
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Enabled: pulumi.Bool(true), Protocol: pulumi.String("HTTPS"), Port: pulumi.String("traffic-port"),
			Path: pulumi.String(HealthPath), Matcher: pulumi.String("200"), Interval: seconds(checkInterval), Timeout: seconds(checkTimeout),
			HealthyThreshold: pulumi.Int(healthyThreshold), UnhealthyThreshold: pulumi.Int(failureThreshold),
		},
		// An open WebSocket stays where it is; the cookie brings a client that reconnects back to the engine that knows its
		// login and its registration.
		Stickiness:          lb.TargetGroupStickinessArgs{Enabled: pulumi.Bool(true), Type: pulumi.String("lb_cookie"), CookieDuration: seconds(tokenLifetime)},
		DeregistrationDelay: seconds(b.args.DrainTimeout),
		SlowStart:           seconds(slowStart),
		Tags:                b.tags(name),
	}, b.parent)
	if err != nil {
		return err
	}
	b.self.TargetGroups[colour] = TargetGroup{ARN: group.Arn, ARNSuffix: group.ArnSuffix}
	return nil
}

// Target is an engine to attach.
type Target struct {
	// Colour is the set of engines that it belongs to.
	Colour Colour
	// InstanceID is its EC2 instance id.
	InstanceID pulumi.StringInput
	// Port is where it listens; 0 means EnginePort.
	Port int
	// After is what must be there before clients may come.
	After []pulumi.Resource
}

func (t Target) validate() error {
	var errs []error
	if !slices.Contains(Colours(), t.Colour) {
		errs = append(errs, fmt.Errorf("colour: %q, want one of %v", t.Colour, Colours()))
	}
	if t.InstanceID == nil {
		errs = append(errs, errors.New("instance id: it is missing"))
	}
	if t.Port < 0 || t.Port > 65535 {
		errs = append(errs, fmt.Errorf("port: %d, want 1 to 65535, or 0 for %d", t.Port, EnginePort))
	}
	return errors.Join(errs...)
}

// Attach registers an engine with the load balancer, under a name of its own. It fails before the first resource if target
// is not valid.
func (a *Alb) Attach(ctx *pulumi.Context, name string, target Target) error {
	if err := target.validate(); err != nil {
		return fmt.Errorf("attach %s: %w", name, err)
	}
	if target.Port == 0 {
		target.Port = EnginePort
	}
	_, err := lb.NewTargetGroupAttachment(ctx, name, &lb.TargetGroupAttachmentArgs{
		TargetGroupArn: a.TargetGroups[target.Colour].ARN, TargetId: target.InstanceID, Port: pulumi.Int(target.Port),
	}, pulumi.Parent(a), pulumi.DependsOn(target.After))
	return err
}
