package baseline

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
)

const (
	// previewSession is longer than any preview, and the shortest that IAM allows.
	previewSession = time.Hour
	// deploySession is as long as a job on GitHub's own runners can last. Credentials are not renewed: if they ended in the
	// middle of a deployment, Pulumi could not save what it has done. A workflow asks for as much of it as it needs.
	// Source: GitHub Docs, "Actions limits", job execution time; aws-actions/configure-aws-credentials#359; AWS IAM User Guide,
	// "Maximum session duration".
	deploySession = 6 * time.Hour
)

// document is a policy as text.
type document struct{ name, text string }

// documents are the policies of one environment.
type documents struct{ preview, deploy, calls, boundaries []document }

// documents writes the policies of every environment.
func (b *builder) documents() (map[string]documents, error) {
	all := map[string]documents{}
	if !b.args.Parts.GitHub {
		return all, nil
	}
	for _, env := range b.args.Environments {
		scope := b.args.scope(env, b.account, b.region)
		var d documents
		for _, set := range []struct {
			into     *[]document
			policies []permission.Policy
		}{{&d.preview, scope.Preview()}, {&d.deploy, scope.Deploy()}, {&d.calls, scope.Calls()}, {&d.boundaries, []permission.Policy{scope.Boundary(), scope.WorkloadBoundary()}}} {
			for _, p := range set.policies {
				text, err := p.Document()
				if err != nil {
					return nil, fmt.Errorf("environment %s: %w", env.Name, err)
				}
				*set.into = append(*set.into, document{p.Name, text})
			}
		}
		all[env.Name] = d
	}
	return all, nil
}

// gitHub registers the provider of GitHub's tokens, and the roles of every environment.
func (b *builder) gitHub(self *Baseline, policies map[string]documents) error {
	provider := pulumi.String(permission.ProviderARN(b.account)).ToStringOutput()
	if !b.args.ProviderExists {
		// Without thumbprints: AWS trusts GitHub's certificate authority by itself.
		// Source: AWS IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider".
		made, err := iam.NewOpenIdConnectProvider(b.ctx, b.name+"-github", &iam.OpenIdConnectProviderArgs{
			Url: pulumi.String("https://" + permission.Issuer), ClientIdLists: pulumi.StringArray{pulumi.String(permission.Audience)}, Tags: b.tags(b.name + "-github"),
		}, b.parent)
		if err != nil {
			return err
		}
		provider = made.Arn
	}
	for _, env := range b.args.Environments {
		if err := b.environment(self, env, provider, policies[env.Name]); err != nil {
			return fmt.Errorf("environment %s: %w", env.Name, err)
		}
	}
	return nil
}

func (b *builder) environment(self *Baseline, env Environment, provider pulumi.StringOutput, policies documents) error {
	scope, repository := b.args.scope(env, b.account, b.region), b.args.repository()
	var err error
	self.PreviewRoleARNs[env.Name], err = b.role(role{
		name: scope.PreviewRole(), what: "Previews of " + env.Name, provider: provider, subject: repository.Subject(permission.PreviewEnvironment(env.Name)),
		session: previewSession, managed: readOnly, policies: policies.preview, prefix: env.Name,
	})
	if err != nil || env.PreviewOnly {
		return err
	}
	self.CallsRoleARNs[env.Name], err = b.role(role{
		name: scope.CallsRole(), what: "Calls of " + env.Name + " from outside", provider: provider, subject: repository.Subject(permission.CallsEnvironment(env.Name)),
		session: previewSession, policies: policies.calls, prefix: env.Name,
	})
	if err != nil {
		return err
	}
	boundaries := map[string]pulumi.StringOutput{}
	for _, d := range policies.boundaries {
		name := fmt.Sprintf("%s-%s-%s", b.name, env.Name, d.name)
		boundary, err := iam.NewPolicy(b.ctx, name, &iam.PolicyArgs{
			// The name is fixed: stacks give the boundary to their roles without knowing the account's stack.
			Name: pulumi.Sprintf("%s-%s-%s", scope.Project, env.Name, d.name), Description: pulumi.Sprintf("The most that %s of %s can do", d.name, env.Name),
			Policy: pulumi.String(d.text), Tags: b.tags(name),
		}, b.parent)
		if err != nil {
			return err
		}
		boundaries[d.name] = boundary.Arn
	}
	self.WorkloadBoundaryARNs[env.Name] = boundaries[scope.WorkloadBoundary().Name]
	self.DeployRoleARNs[env.Name], err = b.role(role{
		name: scope.DeployRole(), what: "Deployments of " + env.Name, provider: provider, subject: repository.Subject(env.Name),
		session: deploySession, managed: readOnly, policies: policies.deploy, boundary: boundaries[scope.Boundary().Name], prefix: env.Name + "-deploy",
	})
	return err
}

// role describes a role of a workflow.
type role struct {
	name, what string
	provider   pulumi.StringOutput
	subject    string
	session    time.Duration
	// managed are AWS's own policies, by what their attachments are called.
	managed  map[string]string
	policies []document
	boundary pulumi.StringPtrInput
	// prefix begins the logical names of its policies.
	prefix string
}

// readOnly lets a role read everything.
var readOnly = map[string]string{"read-only": permission.ReadOnly}

// role registers a role that may do what policies say. Its ARN resolves once it has them.
func (b *builder) role(r role) (pulumi.StringOutput, error) {
	trust := r.provider.ApplyT(func(arn string) (string, error) { return permission.Trust(arn, r.subject) }).(pulumi.StringOutput)
	made, err := iam.NewRole(b.ctx, r.name, &iam.RoleArgs{
		// The name is fixed: workflows know it from the environment's name and the account's number.
		Name: pulumi.String(r.name), Description: pulumi.String(r.what + " by GitHub Actions"), AssumeRolePolicy: trust,
		MaxSessionDuration: pulumi.Int(int(r.session.Seconds())), PermissionsBoundary: r.boundary, Tags: b.tags(r.name),
	}, b.parent)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	var arns []pulumi.StringInput
	names := slices.Sorted(maps.Keys(r.managed))
	for _, name := range names {
		arns = append(arns, pulumi.String(r.managed[name]))
	}
	for _, d := range r.policies {
		name := fmt.Sprintf("%s-%s-%s", b.name, r.prefix, d.name)
		policy, err := iam.NewPolicy(b.ctx, name, &iam.PolicyArgs{Description: pulumi.Sprintf("%s: %s", r.what, d.name), Policy: pulumi.String(d.text), Tags: b.tags(name)}, b.parent)
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		arns, names = append(arns, policy.Arn), append(names, d.name)
	}
	var attached []pulumi.CustomResource
	for i, arn := range arns {
		attachment, err := iam.NewRolePolicyAttachment(b.ctx, r.name+"-"+names[i], &iam.RolePolicyAttachmentArgs{Role: made.Name, PolicyArn: arn}, b.parent)
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		attached = append(attached, attachment)
	}
	return after(made.Arn, attached...), nil
}
