// Package dashboards makes the CloudWatch dashboards of a stack from what is watched in it: one overview, and one each for the SIP
// edge, the engines, the database and the fleets that there are. What an alarm watches is drawn as the alarm sees it, with its
// threshold. It knows neither Pulumi nor AWS.
package dashboards
