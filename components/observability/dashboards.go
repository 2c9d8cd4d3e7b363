package observability

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/observability/dashboards"
	"github.com/calldata/calldata-foundation/components/provider"
)

// validateDashboards makes the dashboards with nothing in the place of what only AWS can tell.
func (a Args) validateDashboards() error {
	if a.Dashboards == nil {
		return nil
	}
	var errs []error
	if a.Dashboards.LogPrefix == "" {
		errs = append(errs, errors.New("dashboards: there is no prefix of log groups"))
	}
	if u, err := url.Parse(a.Dashboards.Runbook); a.Dashboards.Runbook != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		errs = append(errs, fmt.Errorf("dashboards: the runbook is at %q, want https://HOST/PATH", a.Dashboards.Runbook))
	}
	args := a.dashboards("", "", make([]map[string]string, len(a.Targets)), nil)
	_, err := dashboards.Build(args)
	return errors.Join(append(errs, err)...)
}

// dashboards are the arguments of the stack's dashboards. Ids are those of the targets, in their order.
func (a Args) dashboards(stack, region string, ids []map[string]string, arns map[string]string) dashboards.Args {
	args := dashboards.Args{
		Stack: stack, Region: region, Level: a.Level, Hours: a.Hours != nil, LogPrefix: a.Dashboards.LogPrefix, Runbook: a.Dashboards.Runbook,
		ARN: func(alarm string) string { return arns[alarm] },
	}
	for i, t := range a.Targets {
		args.Things = append(args.Things, dashboards.Thing{Thing: t.Thing, IDs: ids[i]})
	}
	return args
}

// dashboards registers a dashboard for each part of the stack.
func (b *builder) dashboards() error {
	if b.args.Dashboards == nil {
		return nil
	}
	region, err := provider.Region(b.ctx, b.parent)
	if err != nil {
		return err
	}
	things := make([]alarms.Thing, len(b.args.Targets))
	ids := make(pulumi.StringMapArray, len(b.args.Targets))
	for i, t := range b.args.Targets {
		things[i], ids[i] = t.Thing, pulumi.StringMap(t.IDs)
	}
	made := pulumi.All(ids, b.arns).ApplyT(func(known []any) (map[string]string, error) {
		return bodies(b.args.dashboards(b.name, region, known[0].([]map[string]string), known[1].(map[string]string)))
	}).(pulumi.StringMapOutput)
	for _, name := range dashboards.Names(b.name, things) {
		if _, err := cloudwatch.NewDashboard(b.ctx, name, &cloudwatch.DashboardArgs{
			DashboardName: pulumi.String(name), DashboardBody: made.MapIndex(pulumi.String(name)),
		}, b.parent); err != nil {
			return err
		}
	}
	return nil
}

// bodies are the dashboards as CloudWatch takes them, by name.
func bodies(args dashboards.Args) (map[string]string, error) {
	made, err := dashboards.Build(args)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, d := range made {
		if found[d.Name], err = d.Body.JSON(); err != nil {
			return nil, err
		}
	}
	return found, nil
}
