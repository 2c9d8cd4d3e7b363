package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// logTimeout bounds one message to the engine, so that an engine that hangs cannot block a command's output for good.
const logTimeout = 10 * time.Second

// logger says a line in the name of a resource.
type logger func(urn, line string)

// dialEngine answers a logger to the engine at address, and how to close its connection.
func dialEngine(address string) (logger, func(), error) {
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // loopback, as all of Pulumi's plugins
		rpcutil.GrpcChannelOptions())
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the engine at %s: %w", address, err)
	}
	engine := pulumirpc.NewEngineClient(conn)
	log := func(urn, line string) {
		// Not the request's context: the last words of a cancelled command are worth hearing.
		ctx, cancel := context.WithTimeout(context.Background(), logTimeout)
		defer cancel()
		// The output is captured as a property too, so a line that the engine does not take is not lost.
		_, _ = engine.Log(ctx, &pulumirpc.LogRequest{Severity: pulumirpc.LogSeverity_INFO, Message: line, Urn: urn})
	}
	return log, func() { _ = conn.Close() }, nil
}
