package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

// asPlugin makes this test binary run as the plugin.
const asPlugin = "CALLDATA_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// fakeEngine takes log messages.
type fakeEngine struct {
	pulumirpc.UnimplementedEngineServer
	logs chan *pulumirpc.LogRequest
}

func (e *fakeEngine) Log(_ context.Context, req *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	e.logs <- req
	return &emptypb.Empty{}, nil
}

// startPlugin starts the plugin with an engine as Pulumi does.
func startPlugin(t *testing.T) (pulumirpc.ResourceProviderClient, *exec.Cmd, *fakeEngine, *grpc.Server) {
	t.Helper()
	engine := &fakeEngine{logs: make(chan *pulumirpc.LogRequest, 100)}
	server := grpc.NewServer()
	pulumirpc.RegisterEngineServer(server, engine)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	plugin := exec.Command(os.Args[0], listener.Addr().String())
	plugin.Env = append(os.Environ(), asPlugin+"=1")
	plugin.Stderr = os.Stderr
	stdout, err := plugin.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, plugin.Start())
	t.Cleanup(func() { _ = plugin.Process.Kill() })
	port, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	conn, err := grpc.NewClient("127.0.0.1:"+strings.TrimSpace(port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return pulumirpc.NewResourceProviderClient(conn), plugin, engine, server
}

// runForever starts a command that does not end, and answers its process.
func runForever(t *testing.T, client pulumirpc.ResourceProviderClient, engine *fakeEngine) string {
	t.Helper()
	go func() {
		_, _ = client.Create(context.Background(), &pulumirpc.CreateRequest{
			Urn: urn, Properties: props(t, map[string]any{"create": `echo "$$"; exec sleep 300`}),
		})
	}()
	select {
	case line := <-engine.logs:
		assert.Equal(t, urn, line.GetUrn())
		assert.Equal(t, pulumirpc.LogSeverity_INFO, line.GetSeverity())
		return line.GetMessage()
	case <-time.After(20 * time.Second):
		t.Fatal("the command's first line did not reach the engine")
		return ""
	}
}

func TestPluginServesTheEngine(t *testing.T) {
	t.Parallel()
	client, plugin, engine, _ := startPlugin(t)
	info, err := client.GetPluginInfo(t.Context(), &emptypb.Empty{})
	require.NoError(t, err)
	assert.Equal(t, version, info.GetVersion())
	pid := runForever(t, client, engine)
	require.NoError(t, plugin.Process.Signal(os.Interrupt))
	require.NoError(t, plugin.Wait(), "an interrupted plugin ends well")
	assertGone(t, pid)
}

func TestCommandDoesNotOutliveAKilledPlugin(t *testing.T) {
	t.Parallel()
	client, plugin, engine, _ := startPlugin(t)
	pid := runForever(t, client, engine)
	require.NoError(t, plugin.Process.Kill())
	_ = plugin.Wait()
	assertGone(t, pid)
}

func TestCommandDoesNotOutliveAKilledEngine(t *testing.T) {
	t.Parallel()
	client, plugin, engine, server := startPlugin(t)
	pid := runForever(t, client, engine)
	server.Stop()
	ended := make(chan error, 1)
	go func() { ended <- plugin.Wait() }()
	select {
	case <-ended:
	case <-time.After(engineCheck + termGrace):
		t.Fatal("the plugin did not notice that its engine is gone")
	}
	assertGone(t, pid)
}

func TestPluginWantsAnEngine(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, run(nil), "want the engine's address")
}
