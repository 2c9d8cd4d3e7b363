// Package insights has the questions that people ask the machines' logs, in the language of CloudWatch Logs Insights. Each stack has
// them saved; dashboards show the answers of some. It knows neither Pulumi nor AWS.
package insights
