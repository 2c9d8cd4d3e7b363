// Package baseline is what an AWS account has once, whatever runs in it: the roles of GitHub's workflows, a record of what
// happens (CloudTrail, AWS Config), those who watch it (GuardDuty, Security Hub, IAM Access Analyzer, alarms), safe
// defaults, and budgets. Each part has a switch. It works in one region; the trail alone covers all.
//
// An account may have some of it already, made by hand or by an organisation: AWS refuses a second detector, recorder or
// hub in a region, a second provider for GitHub, and a second monitor of what services cost. For the last two there are
// arguments; import the others, or leave the part out. The role of AWS Config must be there, see package linkedrole.
package baseline
