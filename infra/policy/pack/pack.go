package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"
	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/infra/policy"
)

// The settings that the pack reads are those of the program.
const (
	project           = "calldata-foundation"
	topologySetting   = project + ":topology"
	exceptionsSetting = project + ":policyExceptions"
)

// exceptionsPolicy is the name under which exceptions are shown, so that no run keeps quiet about them.
const exceptionsPolicy = "exceptions"

//go:embed PulumiPolicy.yaml
var description []byte

// pack makes the policies for one stack: which apply, and how strictly, depends on its topology. What is wrong with the
// settings stops the deployment.
func pack(ctx *pulumi.Context) (policyx.PolicyPack, error) {
	judge, err := newJudge(ctx.Stack(), ctx.GetConfig)
	if err != nil {
		return nil, err
	}
	var about struct{ Name, Version string }
	if err := yaml.Unmarshal(description, &about); err != nil {
		return nil, fmt.Errorf("read PulumiPolicy.yaml: %w", err)
	}
	version, err := semver.Parse(about.Version)
	if err != nil {
		return nil, fmt.Errorf("the version of PulumiPolicy.yaml: %w", err)
	}
	return policyx.NewPolicyPack(about.Name, version, policyx.EnforcementLevelMandatory, judge.policies())
}

// judge knows a stack's scope and exceptions.
type judge struct {
	stack      string
	scope      policy.Scope
	exceptions []policy.Exception

	mu     sync.Mutex
	judged []policyx.AnalyzerResource // what last is about
	last   policy.Report
}

// newJudge reads the settings of a stack, lists as JSON.
func newJudge(stack string, setting func(key string) (string, bool)) (*judge, error) {
	topology, _ := setting(topologySetting)
	scope, err := policy.ScopeOf(topology, stack)
	if err != nil {
		return nil, err
	}
	var entries []string
	if text, set := setting(exceptionsSetting); set {
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			return nil, fmt.Errorf("%s is no list of texts: %w", exceptionsSetting, err)
		}
	}
	exceptions, err := policy.ParseExceptions(entries)
	if err != nil {
		return nil, err
	}
	return &judge{stack: stack, scope: scope, exceptions: exceptions}, nil
}

// policies are one of the engine's policies for each rule and level, and one that shows the exceptions.
func (j *judge) policies() []policyx.Policy {
	var list []policyx.Policy
	for _, rule := range policy.Rules() {
		level, applies := rule.Levels[j.scope]
		if !applies {
			continue
		}
		list = append(list, j.policy(rule.ID, rule.ID, rule.Title, level))
		if level == policy.Mandatory && rule.Advises != "" {
			list = append(list, j.policy(rule.ID+"-advice", rule.ID, rule.Title, policy.Advisory))
		}
	}
	return append(list, policyx.NewStackValidationPolicy(exceptionsPolicy, policyx.StackValidationPolicyArgs{
		Description: "Exceptions in " + exceptionsSetting, EnforcementLevel: policyx.EnforcementLevelAdvisory, ValidateStack: j.showExceptions,
	}))
}

// policy shows the violations of one rule that have one level.
func (j *judge) policy(name, rule, title string, level policy.Level) policyx.Policy {
	enforcement := map[policy.Level]policyx.EnforcementLevel{policy.Mandatory: policyx.EnforcementLevelMandatory, policy.Advisory: policyx.EnforcementLevelAdvisory}[level]
	return policyx.NewStackValidationPolicy(name, policyx.StackValidationPolicyArgs{
		Description: title, EnforcementLevel: enforcement,
		ValidateStack: func(_ context.Context, args policyx.StackValidationArgs) error {
			for _, v := range j.report(args).Violations {
				if v.Rule == rule && v.Level == level {
					args.Manager.ReportViolation(v.Message, v.URN)
				}
			}
			return nil
		},
	})
}

func (j *judge) showExceptions(_ context.Context, args policyx.StackValidationArgs) error {
	report := j.report(args)
	for _, e := range report.Exceptions {
		args.Manager.ReportViolation(fmt.Sprintf("%s is excepted: %s (it %s)", e.Rule, e.Reason, e.Message), e.URN)
	}
	for _, e := range report.Stale {
		args.Manager.ReportViolation(fmt.Sprintf("nothing needs this exception any more, take it away: %s", e), "")
	}
	return nil
}

// report judges the stack once for all policies: the engine asks them one after the other about the same resources.
func (j *judge) report(args policyx.StackValidationArgs) policy.Report {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.judged) > 0 && len(j.judged) == len(args.Resources) && &j.judged[0] == &args.Resources[0] {
		return j.last
	}
	graph := policy.Graph{Stack: j.stack, Scope: j.scope, RetentionUnknown: true}
	for _, r := range args.Resources {
		graph.Resources = append(graph.Resources, fromEngine(r))
	}
	j.judged, j.last = args.Resources, policy.Evaluate(graph, j.exceptions)
	return j.last
}
