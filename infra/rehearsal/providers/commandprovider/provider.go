package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// version is that of the Pulumi command SDK whose behaviour is followed.
	version      = "1.1.0"
	commandToken = "command:local:Command"
)

var errCancelled = errors.New("the operation was cancelled")

// provider serves command:local:Command to the engine.
type provider struct {
	pulumirpc.UnimplementedResourceProviderServer

	log logger
	// stopping ends when the engine cancels; every command runs under it.
	stopping context.Context
	stop     context.CancelCauseFunc
	// starting is held to join running and to end stopping: nothing joins after the end.
	starting sync.Mutex
	running  sync.WaitGroup
}

func newProvider(log logger) *provider {
	p := &provider{log: log}
	p.stopping, p.stop = context.WithCancelCause(context.Background())
	return p
}

// stopCommands ends all commands and answers when they have ended.
func (p *provider) stopCommands() {
	p.starting.Lock()
	p.stop(errCancelled)
	p.starting.Unlock()
	p.running.Wait()
}

// GetPluginInfo tells the version.
func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

// Attach is for plugins started before the engine; the engine's address then comes late, which this one does not take.
func (p *provider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return nil, status.Error(codes.Unimplemented, "this command provider cannot be attached: let the engine start it")
}

// CheckConfig accepts the configuration, which has no properties.
func (p *provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

// DiffConfig never finds a difference: there is nothing to configure.
func (p *provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Configure tells the engine what the provider understands.
func (p *provider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true}, nil
}

// Cancel ends every running command and refuses new ones. It answers when they have ended.
func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	p.stopCommands()
	return &emptypb.Empty{}, nil
}

// Check validates a command's inputs and fills in defaults.
func (p *provider) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if err := known(req.GetUrn()); err != nil {
		return nil, err
	}
	inputs, err := read(req.GetNews(), "inputs")
	if err != nil {
		return nil, err
	}
	filled, err := write(withDefaults(inputs), "inputs")
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: filled, Failures: check(inputs)}, nil
}

// Diff finds which inputs changed. A change of triggers is a replacement, any other an update.
func (p *provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := read(req.GetOldInputs(), "old inputs")
	if err != nil {
		return nil, err
	}
	news, err := read(req.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	return diff(olds, news, req.GetIgnoreChanges()), nil
}

// Create runs the command in create, if there is one.
func (p *provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	inputs, err := read(req.GetProperties(), "inputs")
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		outputs, err := write(withOutputs(inputs, nil), "outputs")
		return &pulumirpc.CreateResponse{Properties: outputs}, err
	}
	id, err := resource.NewUniqueHex("command-", 8, 0)
	if err != nil {
		return nil, fmt.Errorf("make an identifier: %w", err)
	}
	written, err := p.execute(ctx, req.GetUrn(), req.GetTimeout(), propCreate, inputs, nil)
	if err != nil {
		return nil, err
	}
	outputs, err := write(withOutputs(inputs, &written), "outputs")
	return &pulumirpc.CreateResponse{Id: id, Properties: outputs}, err
}

// Update runs the command in update, or that in create if there is none.
func (p *provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	inputs, err := read(req.GetNews(), "new inputs")
	if err != nil {
		return nil, err
	}
	state, err := read(req.GetOlds(), "old state")
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		outputs, err := write(withOutputs(inputs, nil), "outputs")
		return &pulumirpc.UpdateResponse{Properties: outputs}, err
	}
	phase := propCreate
	if _, ok := text(inputs, propUpdate); ok {
		phase = propUpdate
	}
	earlier := earlierResult(state)
	written, err := p.execute(ctx, req.GetUrn(), req.GetTimeout(), phase, inputs, &earlier)
	if err != nil {
		return nil, err
	}
	outputs, err := write(withOutputs(inputs, &written), "outputs")
	return &pulumirpc.UpdateResponse{Properties: outputs}, err
}

// Delete runs the command in delete, if there is one.
func (p *provider) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	state, err := read(req.GetProperties(), "state")
	if err != nil {
		return nil, err
	}
	earlier := earlierResult(state)
	_, err = p.execute(ctx, req.GetUrn(), req.GetTimeout(), propDelete, state, &earlier)
	return &emptypb.Empty{}, err
}

// Read answers the state as it is: what a command has done cannot be looked up.
func (p *provider) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	if len(req.GetInputs().GetFields()) == 0 && len(req.GetProperties().GetFields()) == 0 {
		return nil, status.Error(codes.Unimplemented, "a command cannot be imported: what it has done is not recorded anywhere")
	}
	return &pulumirpc.ReadResponse{Id: req.GetId(), Inputs: req.GetInputs(), Properties: req.GetProperties()}, nil
}

// Invoke refuses functions, local.run among them.
func (p *provider) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, status.Errorf(codes.Unimplemented,
		"function %s is not offered by this command provider: install the official plugin", req.GetTok())
}

// execute runs the command in phase under the engine's request and the provider's own life. Without such a command it
// answers an empty result.
func (p *provider) execute(ctx context.Context, urn string, timeout float64, phase resource.PropertyKey,
	inputs resource.PropertyMap, earlier *result,
) (result, error) {
	c, ok := newCommand(phase, inputs, earlier)
	if !ok {
		return result{}, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.stopping, func() { cancel(errCancelled) })()
	if timeout > 0 {
		bound := time.Duration(timeout * float64(time.Second))
		var release context.CancelFunc
		ctx, release = context.WithTimeoutCause(ctx, bound, fmt.Errorf("it took longer than its timeout of %s", bound))
		defer release()
	}
	if !p.join() {
		return result{}, status.Error(codes.Canceled, errCancelled.Error())
	}
	defer p.running.Done()
	written, err := c.run(ctx, func(line string) { p.log(urn, line) })
	if errors.Is(err, errCancelled) {
		return written, status.Error(codes.Canceled, err.Error())
	}
	if err != nil {
		return written, rpcerror.New(codes.Unknown, err.Error())
	}
	return written, nil
}

// join counts one more running command, and answers false once commands are being stopped.
func (p *provider) join() bool {
	p.starting.Lock()
	defer p.starting.Unlock()
	if p.stopping.Err() != nil {
		return false
	}
	p.running.Add(1)
	return true
}

// withOutputs answers the state: the inputs, and what the command wrote; unknown while written is nil. Output that
// was made from a secret input is secret.
func withOutputs(inputs resource.PropertyMap, written *result) resource.PropertyMap {
	state := inputs.Copy()
	wrap := func(v resource.PropertyValue) resource.PropertyValue {
		if inputs.ContainsSecrets() && !v.IsComputed() {
			return resource.MakeSecret(v)
		}
		return v
	}
	state[propStdout], state[propStderr] = resource.MakeComputed(resource.NewStringProperty("")), resource.MakeComputed(resource.NewStringProperty(""))
	if written != nil {
		state[propStdout] = resource.NewStringProperty(written.stdout)
		state[propStderr] = resource.NewStringProperty(written.stderr)
	}
	state[propStdout], state[propStderr] = wrap(state[propStdout]), wrap(state[propStderr])
	return state
}

// earlierResult answers what the last run wrote.
func earlierResult(state resource.PropertyMap) result {
	stdout, _ := text(state, propStdout)
	stderr, _ := text(state, propStderr)
	return result{stdout: stdout, stderr: stderr}
}

// known refuses resources of other types, as the remote ones.
func known(urn string) error {
	parsed, err := resource.ParseURN(urn)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "read the resource's name: %v", err)
	}
	if parsed.Type() != commandToken {
		return status.Errorf(codes.Unimplemented,
			"%s is not offered by this command provider, only %s: install the official plugin", parsed.Type(), commandToken)
	}
	return nil
}

func read(props *structpb.Struct, label string) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(props, plugin.MarshalOptions{
		Label: label, KeepUnknowns: true, KeepSecrets: true, KeepResources: true, SkipNulls: true, ComputeAssetHashes: true,
	})
}

func write(props resource.PropertyMap, label string) (*structpb.Struct, error) {
	return plugin.MarshalProperties(props, plugin.MarshalOptions{
		Label: label, KeepUnknowns: true, KeepSecrets: true, KeepResources: true, SkipNulls: true, ComputeAssetHashes: true,
	})
}
