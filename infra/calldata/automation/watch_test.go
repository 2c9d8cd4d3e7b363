package automation

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

func TestWatchTellsTheConfigurationStage(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := progress.NewRecorder(progress.NewLines(&out))
	up := r.Step("up")
	w := newWatch(up)
	urn := "urn:pulumi:dev::calldata-foundation::command:local:Command::dev-configure"
	send := func(e apitype.EngineEvent) { w.events <- events.EngineEvent{EngineEvent: e} }
	meta := apitype.StepEventMetadata{Op: apitype.OpCreate, URN: urn, Type: commandType}
	send(apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: meta}})
	send(apitype.EngineEvent{DiagnosticEvent: &apitype.DiagnosticEvent{URN: urn, Severity: "info", Message: "<{%reset%}>TASK one\n\n<{%reset%}>"}})
	send(apitype.EngineEvent{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: meta}})
	send(apitype.EngineEvent{DiagnosticEvent: &apitype.DiagnosticEvent{URN: "urn:pulumi:dev::p::aws:ec2/vpc:Vpc::vpc", Severity: "error", Message: "no quota"}})
	send(apitype.EngineEvent{SummaryEvent: &apitype.SummaryEvent{ResourceChanges: map[apitype.OpType]int{apitype.OpCreate: 2}}})
	close(w.events)
	w.wait()
	up.Done(nil)

	assert.Equal(t, map[string]int{"create": 2}, w.counts)
	assert.EqualError(t, w.explain(errors.New("stdout: much")), "vpc: no quota")
	assert.Contains(t, out.String(), "> configuration stage")
	assert.Contains(t, out.String(), "TASK one\n")
	assert.Contains(t, out.String(), "ok configuration stage")
}

func TestViolationsAreWhyAnOperationFails(t *testing.T) {
	t.Parallel()
	r := progress.NewRecorder(nil)
	w := newWatch(r.Step("up"))
	for _, e := range []apitype.PolicyEvent{
		{PolicyName: "CD-24", EnforcementLevel: "mandatory", ResourceURN: "urn:pulumi:prod::p::aws:rds/instance:Instance::prod-router", Message: "<{%fg 1%}>is lost with its zone<{%reset%}>\n"},
		{PolicyName: "CD-21", EnforcementLevel: "advisory", Message: "one region"},
	} {
		w.handle(events.EngineEvent{EngineEvent: apitype.EngineEvent{PolicyEvent: &e}})
	}
	close(w.events)
	w.wait()
	require.EqualError(t, w.explain(errors.New("exit status 1")), "CD-24: prod-router: is lost with its zone")
	assert.Len(t, w.judged, 2)
	assert.Equal(t, "is lost with its zone", w.judged[0].Message)
}

func TestChangesAreToldOnceAndWithoutValues(t *testing.T) {
	t.Parallel()
	const urn = "urn:pulumi:dev::p::aws:ec2/instance:Instance::dev-uc-1"
	old := &apitype.StepEventStateMetadata{Custom: true, Inputs: map[string]any{"userData": "old"}}
	step := func(op apitype.OpType, diff map[string]apitype.PropertyDiff, keys ...string) apitype.EngineEvent {
		return apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Planning: true, Metadata: apitype.StepEventMetadata{
			Op: op, URN: urn, Type: "aws:ec2/instance:Instance", Old: old, New: old, Keys: keys, DetailedDiff: diff,
		}}}
	}
	w := newWatch(progress.NewRecorder(nil).Step("preview"))
	for _, e := range []apitype.EngineEvent{
		step(apitype.OpSame, nil), step(apitype.OpRefresh, nil),
		step(apitype.OpUpdate, map[string]apitype.PropertyDiff{"tags.Owner": {}, "instanceType": {}}),
		step(apitype.OpCreateReplacement, nil), step(apitype.OpReplace, nil, "userData"), step(apitype.OpDeleteReplaced, nil),
		step(apitype.OpDelete, nil),
	} {
		w.handle(events.EngineEvent{EngineEvent: e})
	}
	close(w.events)
	w.wait()
	change := Change{Op: "update", Type: "aws:ec2/instance:Instance", Name: "dev-uc-1", URN: urn, Properties: []string{"instanceType", "tags.Owner"}}
	replace, gone := change, change
	replace.Op, replace.Properties = "replace", []string{"userData"}
	gone.Op, gone.Properties = "delete", nil
	assert.Equal(t, []Change{change, replace, gone}, w.changes)
	assert.False(t, change.Destroys())
	assert.True(t, replace.Destroys())
	assert.True(t, gone.Destroys())
}
