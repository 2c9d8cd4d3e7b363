package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	costtypes "github.com/aws/aws-sdk-go-v2/service/costexplorer/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/components/linkedrole"
	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// The checks of this file are about what an account has once: what the stack finds there already, and what it needs there.

func hasPart(part stacks.AccountPart) func(*stacks.Topology) bool {
	return func(t *stacks.Topology) bool { return t.Account != nil && slices.Contains(t.Account.Parts, part) }
}

// linkedRoles are the service-linked roles that a topology names.
func linkedRoles(t *stacks.Topology) []linkedrole.Role {
	var roles []linkedrole.Role
	if len(t.Fleets) > 0 {
		roles = append(roles, linkedrole.AutoScaling)
	}
	if hasPart(stacks.PartConfig)(t) {
		roles = append(roles, linkedrole.Config)
	}
	return roles
}

// serviceRole looks for the roles of AWS's services that the stack names.
func (i *inspector) serviceRole(ctx context.Context) found {
	return i.with(func(t *stacks.Topology) bool { return len(linkedRoles(t)) > 0 }, func(t *stacks.Topology) found {
		var all []found
		for _, role := range linkedRoles(t) {
			_, err := i.clients.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(role.Name)})
			switch {
			case awsapi.Is(err, "NoSuchEntity"):
				all = append(all, fail("account %s has no role %s, which %s must name: `calldata bootstrap` makes it, or %s", i.id.Account, role.Name, role.Needed, role.Command()))
			case err != nil:
				all = append(all, unknown(err))
			default:
				all = append(all, ok("%s", role.Name))
			}
		}
		return worst(all)
	})
}

// setCommand is the command that gives a setting of the stack a value.
func (i *inspector) setCommand(setting, value string) string {
	return fmt.Sprintf("pulumi config set %s:%s %s -s %s", stacks.Project, setting, value, i.file.Stack)
}

// unsetCommand is the command that takes a setting of the stack away.
func (i *inspector) unsetCommand(setting string) string {
	return fmt.Sprintf("pulumi config rm %s:%s -s %s", stacks.Project, setting, i.file.Stack)
}

// identityProvider looks for GitHub's identity provider, of which AWS takes one.
func (i *inspector) identityProvider(ctx context.Context) found {
	return i.with(hasPart(stacks.PartGitHub), func(t *stacks.Topology) found {
		const setting = "githubProviderExists"
		arn := permission.ProviderARN(i.id.Account)
		out, err := i.clients.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(arn)})
		switch {
		case awsapi.Is(err, "NoSuchEntity") && t.Account.ProviderExists:
			return fail("account %s has no identity provider %s: %s", i.id.Account, permission.Issuer, i.setCommand(setting, "false"))
		case awsapi.Is(err, "NoSuchEntity"):
			return ok("the stack makes it")
		case err != nil:
			return unknown(err)
		}
		has := map[string]string{}
		for _, tag := range out.Tags {
			has[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		switch ours := i.owns(has); {
		case ours && t.Account.ProviderExists:
			return fail("%s is the stack's own, which would delete it: %s", arn, i.setCommand(setting, "false"))
		case !ours && !t.Account.ProviderExists:
			return fail("account %s has %s already, and AWS takes no second: %s", i.id.Account, arn, i.setCommand(setting, "true"))
		case !slices.Contains(out.ClientIDList, permission.Audience):
			return fail("%s does not take tokens for %s: aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn %s --client-id %s",
				arn, permission.Audience, arn, permission.Audience)
		}
		return ok("%s", arn)
	})
}

// anomalyMonitor looks for the monitor of what services cost, of which AWS takes one, and makes one by itself when somebody
// first opens Cost Explorer.
// Source: AWS Cost Management User Guide, "Quotas and restrictions", Cost Anomaly Detection; "Default alert preferences".
func (i *inspector) anomalyMonitor(ctx context.Context) found {
	return i.with(hasPart(stacks.PartAnomalies), func(t *stacks.Topology) found {
		const setting = "anomalyMonitorArn"
		given, named, services := t.Account.AnomalyMonitorARN, false, ""
		pages := costexplorer.NewGetAnomalyMonitorsPaginator(i.clients.costs, &costexplorer.GetAnomalyMonitorsInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return i.noCosts(err, "leave the part out until then: pulumi config set --path '%s:accountPartsOff[0]' %s -s %s", stacks.Project, stacks.PartAnomalies, i.file.Stack)
			}
			for _, m := range page.AnomalyMonitors {
				arn := aws.ToString(m.MonitorArn)
				named = named || arn == given
				if m.MonitorType == costtypes.MonitorTypeDimensional && m.MonitorDimension == costtypes.MonitorDimensionService {
					services = arn
				}
			}
		}
		switch {
		case given != "" && !named && services != "":
			return fail("account %s has no monitor %s: %s", i.id.Account, given, i.setCommand(setting, services))
		case given != "" && !named:
			return fail("account %s has no monitor %s: %s", i.id.Account, given, i.unsetCommand(setting))
		case services == "" && given == "":
			return ok("the stack makes it")
		}
		ours, err := i.ownsMonitor(ctx, services)
		switch {
		case err != nil:
			return unknown(err)
		case ours && given == services:
			return fail("%s is the stack's own, which would delete it: %s", given, i.unsetCommand(setting))
		case !ours && given == "":
			return fail("account %s watches the costs of services already, and AWS takes no second monitor: %s", i.id.Account, i.setCommand(setting, services))
		case given != "":
			return ok("%s", given)
		}
		return ok("%s", services)
	})
}

func (i *inspector) ownsMonitor(ctx context.Context, arn string) (bool, error) {
	if arn == "" {
		return false, nil
	}
	out, err := i.clients.costs.ListTagsForResource(ctx, &costexplorer.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
	if err != nil {
		return false, err
	}
	has := map[string]string{}
	for _, tag := range out.ResourceTags {
		has[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return i.owns(has), nil
}

// costTags tells whether AWS's bill knows the tags by which it is to tell costs apart: it learns of a tag within a day after
// something first carries it, and refuses those that it does not know.
// Source: AWS Billing User Guide, "Activating user-defined cost allocation tags".
func (i *inspector) costTags(ctx context.Context) found {
	return i.with(func(t *stacks.Topology) bool { return t.Account != nil }, func(t *stacks.Topology) found {
		const setting = "costTags"
		on := hasPart(stacks.PartCostTags)(t)
		status := map[string]costtypes.CostAllocationTagStatus{}
		pages := costexplorer.NewListCostAllocationTagsPaginator(i.clients.costs, &costexplorer.ListCostAllocationTagsInput{
			TagKeys: tags.CostKeys(), Type: costtypes.CostAllocationTagTypeUserDefined})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			switch {
			case awsapi.Denied(err) && !on:
				return skip("%s is off, and AWS does not say which tags its bill knows: %s", setting, awsapi.Message(err))
			case awsapi.Denied(err) && strings.Contains(err.Error(), "Linked account"):
				return fail("account %s belongs to an organisation, whose management account alone tells tags apart: %s", i.id.Account, i.setCommand(setting, "false"))
			case err != nil:
				return i.noCosts(err, "until then: %s", i.setCommand(setting, "false"))
			}
			for _, tag := range page.CostAllocationTags {
				status[aws.ToString(tag.TagKey)] = tag.Status
			}
		}
		var unseen, inactive []string
		for _, key := range tags.CostKeys() {
			switch status[key] {
			case "":
				unseen = append(unseen, key)
			case costtypes.CostAllocationTagStatusActive:
			default:
				inactive = append(inactive, key)
			}
		}
		switch {
		case on && len(unseen) > 0:
			return fail("AWS's bill does not know %s yet, and refuses them: it learns of a tag within a day after something first carries it; until then: %s",
				strings.Join(unseen, ", "), i.setCommand(setting, "false"))
		case !on && len(unseen) > 0:
			return skip("%s is off, and AWS's bill does not know %s yet: it learns of a tag within a day after something first carries it", setting, strings.Join(unseen, ", "))
		case !on && len(inactive) > 0:
			return warn("AWS's bill knows our tags now, but does not tell %s apart, and the stacks' budgets see nothing: %s", strings.Join(inactive, ", "), i.setCommand(setting, "true"))
		}
		return ok("%s", strings.Join(tags.CostKeys(), ", "))
	})
}

// noCosts is the outcome of a check that Cost Explorer did not answer. It is off in an account until somebody has opened it
// once in the console, and there is no other way to turn it on.
// Source: AWS Cost Management User Guide, "Enabling Cost Explorer".
func (i *inspector) noCosts(err error, advice string, args ...any) found {
	f := unknown(err)
	if strings.Contains(strings.ToLower(awsapi.Message(err)), "not enabled for cost explorer") {
		f.detail += fmt.Sprintf("\nopen Cost Explorer once in the console, a day later it is ready; "+advice, args...)
	}
	return f
}
