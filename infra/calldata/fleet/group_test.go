package fleet_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	in := func(id, state, health string) string {
		return fmt.Sprintf("<member><InstanceId>%s</InstanceId><LifecycleState>%s</LifecycleState><HealthStatus>%s</HealthStatus></member>", id, state, health)
	}
	group := func(name, more string) string {
		return "<member><AutoScalingGroupName>" + name + "</AutoScalingGroupName><MinSize>1</MinSize><DesiredCapacity>3</DesiredCapacity>" + more + "</member>"
	}
	groups := group("sbc", "<TargetGroupARNs><member>arn:sip</member></TargetGroupARNs><Instances>"+
		in("i-1", "InService", "Healthy")+in("i-2", "InService", "Unhealthy")+in("i-3", "Pending:Wait", "Healthy")+in("i-4", "Terminating:Wait", "Healthy")+
		in("i-5", "InService", "Healthy")+in("i-6", "InService", "Healthy")+"</Instances>") +
		group("router", "<Instances>"+in("i-7", "InService", "Healthy")+"</Instances>")
	machine := func(id, state, launched, more string) string {
		return fmt.Sprintf("<item><instanceId>%s</instanceId><instanceState><name>%s</name></instanceState><launchTime>%s</launchTime>%s</item>", id, state, launched, more)
	}
	machines := machine("i-3", "running", "2026-11-03T00:00:00Z", "") + machine("i-7", "running", "2026-11-01T00:00:00Z", "") +
		machine("i-1", "running", "2026-11-02T00:00:00Z", "<privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>192.0.2.1</ipAddress>"+
			"<tagSet><item><key>Service</key><value>aside</value></item></tagSet>") +
		machine("i-2", "running", "2026-11-01T00:00:00Z", "") + machine("i-5", "shutting-down", "2026-11-01T00:00:00Z", "")

	status := http.StatusOK
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, r.ParseForm())
		asked = append(asked, r.Form.Get("Action"))
		w.WriteHeader(status)
		switch {
		case status != http.StatusOK:
			_, _ = io.WriteString(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
		case r.Form.Get("Action") == "DescribeAutoScalingGroups":
			_, _ = io.WriteString(w, "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups>"+groups+
				"</AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>")
		default:
			assert.Equal(t, []string{"instance-id", "i-1", "i-7"}, []string{r.Form.Get("Filter.1.Name"), r.Form.Get("Filter.1.Value.1"), r.Form.Get("Filter.1.Value.6")})
			_, _ = io.WriteString(w, "<DescribeInstancesResponse><reservationSet><item><instancesSet>"+machines+"</instancesSet></item></reservationSet></DescribeInstancesResponse>")
		}
	}))
	t.Cleanup(api.Close)
	settings := aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(api.URL), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), RetryMaxAttempts: 1}
	ask := func() (map[string]fleet.Group, error) {
		return fleet.Groups(t.Context(), autoscaling.NewFromConfig(settings), ec2.NewFromConfig(settings), "sbc", "router", "absent")
	}

	got, err := ask()
	require.NoError(t, err)
	assert.Equal(t, []string{"DescribeAutoScalingGroups", "DescribeInstances"}, asked, "each once, for all groups")
	assert.Len(t, got, 2)
	sbc := got["sbc"]
	first := fleet.Member{
		Node:   stacks.Node{Name: "i-1", InstanceID: "i-1", PrivateIP: "10.0.0.1", User: "admin", Access: stacks.AccessSSM},
		Public: netip.MustParseAddr("192.0.2.1"), InService: true, Tags: map[string]string{"Service": "aside"},
	}
	var ids []string
	for _, m := range sbc.Members {
		ids = append(ids, m.InstanceID)
		if m.InstanceID == "i-1" {
			assert.Equal(t, first, m)
		} else {
			assert.False(t, m.InService, "%s is ill, coming, or no longer running", m.InstanceID)
		}
	}
	assert.Equal(t, []string{"i-2", "i-5", "i-1", "i-3"}, ids, "the oldest first, without those that leave or that EC2 does not know")
	assert.Equal(t, [3]int{3, 1, 1}, [3]int{sbc.Desired, sbc.Least, sbc.Coming})
	assert.Equal(t, []string{"arn:sip"}, sbc.Targets)
	assert.Len(t, got["router"].Members, 1)

	groups, asked = group("sbc", ""), nil
	got, err = ask()
	require.NoError(t, err)
	assert.Empty(t, got["sbc"].Members)
	assert.Equal(t, []string{"DescribeAutoScalingGroups"}, asked, "there are no machines to ask for")

	status = http.StatusForbidden
	_, err = ask()
	require.ErrorContains(t, err, "ask Auto Scaling for the fleets sbc, router, absent: AccessDenied: no")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
}
