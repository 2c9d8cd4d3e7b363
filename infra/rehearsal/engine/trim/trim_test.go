package trim

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree is a provider with the same shape as the real one: kms is imported by ec2, organizations is called by ec2
// through its client, lambda by nobody.
var tree = map[string]string{
	clientsFile: `// Code generated; DO NOT EDIT.
package conns

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	organizations_sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/hashicorp/terraform-provider-aws/names"
)

func (c *AWSClient) EC2Client(ctx context.Context) *ec2.Client {
	return client[*ec2.Client](ctx, c, names.EC2)
}

func (c *AWSClient) KMSClient(ctx context.Context) *kms.Client {
	return client[*kms.Client](ctx, c, names.KMS)
}

func (c *AWSClient) LambdaClient(ctx context.Context) *lambda.Client {
	return client[*lambda.Client](ctx, c, names.Lambda)
}

func (c *AWSClient) OrganizationsClient(ctx context.Context) *organizations_sdk.Client {
	return client[*organizations_sdk.Client](ctx, c, names.Organizations)
}
`,
	registryFile: `package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-provider-aws/internal/conns"
	"github.com/hashicorp/terraform-provider-aws/internal/service/ec2"
	"github.com/hashicorp/terraform-provider-aws/internal/service/kms"
	"github.com/hashicorp/terraform-provider-aws/internal/service/lambda"
	"github.com/hashicorp/terraform-provider-aws/internal/service/organizations"
)

func servicePackages(ctx context.Context) []conns.ServicePackage {
	v := []conns.ServicePackage{
		ec2.ServicePackage(ctx),
		kms.ServicePackage(ctx),
		lambda.ServicePackage(ctx),
		organizations.ServicePackage(ctx),
	}
	return slices.Clone(v)
}
`,
	"internal/service/ec2/vpc.go": `package ec2

import tfkms "github.com/hashicorp/terraform-provider-aws/internal/service/kms"

// @SDKResource("aws_vpc", name="VPC")
func resourceVPC() { tfkms.Find(); meta.OrganizationsClient(ctx) }

// @SDKDataSource("aws_ami")
func dataSourceAMI() {}
`,
	"internal/service/ec2/rule.go": `package ec2

func (*rule) Metadata(resp *Response) { resp.TypeName = "aws_vpc_security_group_ingress_rule" }
`,
	"internal/service/ec2/vpc_test.go":        "package ec2\n\n// @SDKResource(\"aws_only_in_a_test\")\n\nimport _ \"github.com/hashicorp/terraform-provider-aws/internal/service/lambda\"\n",
	"internal/service/kms/key.go":             "package kms\n\n// @FrameworkResource(\"aws_kms_key\")\nfunc newKey() {}\n",
	"internal/service/lambda/function.go":     "package lambda\n\n// @SDKResource(\"aws_lambda_function\")\nfunc f() {}\n",
	"internal/service/organizations/gen.go":   "package organizations\n",
	"internal/service/organizations/other.go": "package organizations\n",
}

func writeTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range tree {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
	return dir
}

func TestServices(t *testing.T) {
	t.Parallel()
	dir := writeTree(t)
	services, err := Services(dir, []string{"aws_kms_key", "aws_vpc", "aws_ami", "aws_vpc_security_group_ingress_rule"})
	require.NoError(t, err)
	assert.Equal(t, []string{"ec2", "kms"}, services)

	_, err = Services(dir, []string{"aws_vpc", "aws_nothing", "aws_only_in_a_test"})
	require.ErrorContains(t, err, "offers aws_nothing, aws_only_in_a_test:")
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	dir, out := writeTree(t), t.TempDir()
	result, err := Overlay(Options{Source: dir, At: "/at", Out: out, Services: []string{"ec2"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"ec2", "kms", "organizations"}, result.Services, "what ec2 imports and calls comes with it")

	clients := replacement(t, result, clientsFile)
	assert.Contains(t, clients, "func (c *AWSClient) EC2Client")
	assert.Contains(t, clients, "func (c *AWSClient) OrganizationsClient")
	assert.Contains(t, clients, `organizations_sdk "github.com/aws/aws-sdk-go-v2/service/organizations"`)
	assert.NotContains(t, clients, "ambda")

	registry := replacement(t, result, registryFile)
	assert.Contains(t, registry, "kms.ServicePackage(ctx)")
	assert.Contains(t, registry, "slices.Clone(v)", "what is not a service stays")
	assert.NotContains(t, registry, "lambda")
}

func TestOverlayRefusesUnknownServices(t *testing.T) {
	t.Parallel()
	_, err := Overlay(Options{Source: writeTree(t), At: "/at", Out: t.TempDir(), Services: []string{"ec3"}})
	require.ErrorContains(t, err, `no service "ec3"`)
}

// replacement answers the file that stands in for name, which must parse.
func replacement(t *testing.T, result Result, name string) string {
	t.Helper()
	file, ok := result.Replace[filepath.Join("/at", name)]
	require.True(t, ok, "no replacement of %s", name)
	_, err := parse(file)
	require.NoError(t, err)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(content)
}
