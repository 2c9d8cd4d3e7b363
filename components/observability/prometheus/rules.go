package prometheus

import (
	"bytes"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// Rule records a metric or is an alert.
// Source: Prometheus documentation, "Defining recording rules" and "Alerting rules".
type Rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// Group is rules that are evaluated one after the other.
type Group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval,omitempty"`
	Rules    []Rule `yaml:"rules"`
}

// Elsewhere are the alarms that Prometheus has no counterpart of, and why.
func Elsewhere() map[string]string { return elsewhere }

const (
	balancer = "only the load balancer counts it, and tells CloudWatch alone"
	database = "RDS tells CloudWatch alone; its machine runs nothing of ours"
	lines    = "lines are counted by CloudWatch Logs, to which every machine ships them"
	vault    = "AWS Backup tells CloudWatch alone"
	copies   = "S3 tells CloudWatch alone"
	checks   = "EC2 looks at the machine from outside, and tells CloudWatch alone; Prometheus says silent"
	callers  = "who calls from outside tells CloudWatch alone: it reaches nothing inside the network"
)

var elsewhere = map[string]string{
	"status": checks, "volume": checks,
	"web-errors": balancer, "web-engine-errors": balancer, "web-down": balancer, "web-unhealthy": balancer, "carriers-down": balancer, "carriers-unhealthy": balancer,
	"web-certificate": "ACM tells CloudWatch alone",
	"database-cpu":    database, "database-storage": database, "database-connections": database, "database-memory": database,
	"logins-refused": lines, "sudo-refused": lines, "out-of-memory": lines, "disk-errors": lines, "renewals-failed": lines, "backups-failed": lines,
	"files-changed": lines, "records-refused": lines, "database-stopped": lines,
	"backup-jobs-failed": vault, "backup-jobs-missed": vault, "backup-jobs-none": vault,
	"copies-failed": copies, "copies-late": copies,
	"outside-call-fails": callers, "outside-call-missing": callers,
}

// often is how often metrics are recorded: as often as machines are asked.
const often = "20s"

// Files are the rules, by the names of their files: those that record metrics, and alerts by their severity, so that a stack loads those
// that its level tells.
func Files() (map[string][]byte, error) {
	recorded := Group{Name: "metrics", Interval: often}
	for _, r := range recordings {
		recorded.Rules = append(recorded.Rules, Rule{Record: r.name(), Expr: r.expr})
	}
	groups := map[string]*Group{"metrics.yml": &recorded}
	for _, severity := range []alarms.Severity{alarms.Page, alarms.Notice} {
		groups[string(severity)+".yml"] = &Group{Name: string(severity), Interval: "1m"}
	}
	for _, a := range alarms.All() {
		if rule, ok := Alert(a); ok {
			group := groups[string(a.Severity)+".yml"]
			group.Rules = append(group.Rules, rule)
		}
	}
	files := map[string][]byte{}
	for name, group := range groups {
		text, err := document(map[string]any{"groups": []*Group{group}})
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	return files, nil
}

// Alert is the alert of an alarm, false for one that is elsewhere. Its label alarm is what CloudWatch calls the alarm of the thing.
func Alert(a alarms.Alarm) (Rule, bool) {
	expr, ok := Expression(a)
	if !ok {
		return Rule{}, false
	}
	return Rule{
		Alert: a.Name, Expr: expr,
		Labels:      map[string]string{"severity": string(a.Severity), "alarm": "{{ $labels.thing }}-" + a.Name},
		Annotations: map[string]string{"summary": "{{ $labels.thing }}: " + a.What, "runbook": alarms.Runbook},
	}, true
}

// document is a YAML file that says where it comes from.
func document(value any) ([]byte, error) {
	b := bytes.NewBufferString("# Generated from components/observability by `make golden`; do not edit.\n# yamllint disable rule:line-length\n---\n")
	encoder := yaml.NewEncoder(b)
	encoder.SetIndent(2)
	err := encoder.Encode(value)
	return b.Bytes(), err
}
