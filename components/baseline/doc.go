// Package baseline is what an AWS account has once, whatever runs in it: the roles of GitHub's workflows, a record of what
// happens (CloudTrail, AWS Config), those who watch it (GuardDuty, Security Hub, IAM Access Analyzer, alarms), safe
// defaults, and budgets. Each part has a switch. It works in one region; the trail alone covers all.
//
// An account may have some of it already, made by hand or by an organisation: AWS refuses a second detector, recorder or
// hub in a region, a second provider for GitHub, and a second role of a service. Import it, or leave the part out.
package baseline
