package vpc

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		e, err := NewEndpoints(ctx, "dev-ssm", EndpointsArgs{
			VpcID: pulumi.String("vpc-1"), Services: []string{"ssm", "ssmmessages", "ec2messages"}, SubnetIDs: pulumi.ToStringArray([]string{"subnet-a", "subnet-b"}),
			SecurityGroupID: pulumi.String("sg-1"), Region: "us-east-1", Tags: tags.Tags{Project: "p", Environment: "dev", Role: "network", Owner: "o", CostCenter: "c"},
		})
		if err != nil {
			return err
		}
		assert.Len(t, e.Ready, 3)
		e.IDs["ssmmessages"].ApplyT(func(id string) error {
			assert.Equal(t, "dev-ssm-ssmmessages-id", id)
			return nil
		})
		return nil
	}))
	endpoints := rec.OfType("aws:ec2/vpcEndpoint:VpcEndpoint")
	require.Len(t, endpoints, 3)
	for _, service := range []string{"ssm", "ssmmessages", "ec2messages"} {
		e := endpoints["dev-ssm-"+service]
		assert.Equal(t, "calldata:vpc:Endpoints dev-ssm", e.Parent)
		tagged := e.Inputs["tags"].(map[string]any)
		delete(e.Inputs, "tags")
		assert.Equal(t, map[string]any{
			"vpcId": "vpc-1", "serviceName": "com.amazonaws.us-east-1." + service, "vpcEndpointType": "Interface", "subnetIds": []any{"subnet-a", "subnet-b"},
			"securityGroupIds": []any{"sg-1"}, "privateDnsEnabled": true,
		}, e.Inputs)
		assert.Equal(t, "dev-ssm-"+service, tagged["Name"])
	}
}

func TestEndpointsArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewEndpoints(ctx, "dev-ssm", EndpointsArgs{Services: []string{"ssm", "com.amazonaws.us-east-1.ssm!", "ssm"}, Region: "Virginia"})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"endpoints dev-ssm: VPC id: it is missing", "subnet ids: they are missing", "security group id: it is missing", `region: "Virginia" is not like us-east-1`,
		`services[1]: "com.amazonaws.us-east-1.ssm!" is not a service's short name`, `services[2]: "ssm" is there twice`, "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
	assert.ErrorContains(t, EndpointsArgs{}.Validate(), "services: at least one is needed")
}
