package baseline

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/budgets"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/costexplorer"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/components/tags"
)

// warnings are when a budget writes, in per cent of its limit: on the way, nearly there, and over it, and when the month
// will end over it at this rate.
var warnings = []struct {
	kind    string
	percent float64
}{{"ACTUAL", 50}, {"ACTUAL", 80}, {"ACTUAL", 100}, {"FORECASTED", 100}}

// budgets registers a budget of each environment, and one of the account with their sum: what carries no tag, the stacks of pull requests,
// and everything while the bill does not know the tags yet, only that one sees.
func (b *builder) budgets(*Baseline) error {
	total := 0
	for _, env := range b.args.Environments {
		if env.PreviewOnly {
			continue
		}
		total += env.BudgetUSD
		if env.Name == permission.Requests {
			continue // a budget knows its tags one by one. Source: AWS Budgets API Reference, Expression, MatchOptions.
		}
		if err := b.budget(b.name+"-budget-"+env.Name, env.BudgetUSD, budgets.BudgetCostFilterArray{budgets.BudgetCostFilterArgs{
			Name: pulumi.String("TagKeyValue"), Values: pulumi.StringArray{pulumi.String("user:" + tags.KeyEnvironment + "$" + env.Name)},
		}}); err != nil {
			return err
		}
	}
	if total == 0 {
		return nil
	}
	return b.budget(b.name+"-budget", total, nil)
}

func (b *builder) budget(name string, usd int, filters budgets.BudgetCostFilterArrayInput) error {
	var notifications budgets.BudgetNotificationArray
	for _, w := range warnings {
		notifications = append(notifications, budgets.BudgetNotificationArgs{
			NotificationType: pulumi.String(w.kind), Threshold: pulumi.Float64(w.percent), ThresholdType: pulumi.String("PERCENTAGE"),
			ComparisonOperator: pulumi.String("GREATER_THAN"), SubscriberEmailAddresses: pulumi.ToStringArray(b.args.AlertEmails),
		})
	}
	_, err := budgets.NewBudget(b.ctx, name, &budgets.BudgetArgs{
		BudgetType: pulumi.String("COST"), LimitAmount: pulumi.String(strconv.Itoa(usd)), LimitUnit: pulumi.String("USD"), TimeUnit: pulumi.String("MONTHLY"),
		CostFilters: filters, Notifications: notifications, Tags: b.tags(name),
	}, b.parent)
	return err
}

func (b *builder) costTags(*Baseline) error {
	for _, key := range tags.CostKeys() {
		if _, err := costexplorer.NewCostAllocationTag(b.ctx, b.name+"-"+key, &costexplorer.CostAllocationTagArgs{TagKey: pulumi.String(key), Status: pulumi.String("Active")}, b.parent); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) costAnomalies(*Baseline) error {
	name := b.name + "-anomalies"
	monitor := pulumi.String(b.args.AnomalyMonitorARN).ToStringOutput()
	if b.args.AnomalyMonitorARN == "" {
		made, err := costexplorer.NewAnomalyMonitor(b.ctx, name, &costexplorer.AnomalyMonitorArgs{
			MonitorType: pulumi.String("DIMENSIONAL"), MonitorDimension: pulumi.String("SERVICE"), Tags: b.tags(name),
		}, b.parent)
		if err != nil {
			return err
		}
		monitor = made.Arn
	}
	var subscribers costexplorer.AnomalySubscriptionSubscriberArray
	for _, address := range b.args.AlertEmails {
		subscribers = append(subscribers, costexplorer.AnomalySubscriptionSubscriberArgs{Type: pulumi.String("EMAIL"), Address: pulumi.String(address)})
	}
	_, err := costexplorer.NewAnomalySubscription(b.ctx, name, &costexplorer.AnomalySubscriptionArgs{
		// Addresses get a mail a day; each anomaly at once goes to topics alone.
		// Source: AWS Cost Management User Guide, "Creating alert subscriptions".
		Frequency: pulumi.String("DAILY"), MonitorArnLists: pulumi.StringArray{monitor}, Subscribers: subscribers,
		ThresholdExpression: costexplorer.AnomalySubscriptionThresholdExpressionArgs{Dimension: costexplorer.AnomalySubscriptionThresholdExpressionDimensionArgs{
			Key: pulumi.String("ANOMALY_TOTAL_IMPACT_ABSOLUTE"), MatchOptions: pulumi.StringArray{pulumi.String("GREATER_THAN_OR_EQUAL")},
			Values: pulumi.StringArray{pulumi.String(strconv.Itoa(b.args.anomalyUSD()))},
		}},
		Tags: b.tags(name),
	}, b.parent)
	return err
}
