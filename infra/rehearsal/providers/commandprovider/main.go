// Command commandprovider is a Pulumi provider for command:local:Command, with the properties and the behaviour that
// pulumi-command v1.1 documents. It is for machines that cannot download the official plugin. Linux only.
//
//	commandprovider ENGINE     serves the engine at that address, as Pulumi starts it
//
// Not offered: assetPaths and archivePaths, the function local.run, and the remote resources. They are refused with an
// error, never ignored.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// engineCheck is how often the provider looks whether its engine still lives. A command must not outlive an engine
// that was killed.
const engineCheck = 5 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-command:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want the engine's address as the only argument, got %d arguments: Pulumi starts this plugin", len(args))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	log, closeLog, err := dialEngine(args[0])
	if err != nil {
		return err
	}
	defer closeLog()
	provider := newProvider(log)
	if err := rpcutil.Healthcheck(ctx, args[0], engineCheck, stop); err != nil {
		return fmt.Errorf("watch the engine at %s: %w", args[0], err)
	}

	shutDown := make(chan bool)
	served, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: shutDown,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(server, provider)
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("serve the provider: %w", err)
	}
	go func() {
		<-ctx.Done()
		provider.stopCommands()
		close(shutDown)
	}()
	// Pulumi reads the port from the first line of standard output.
	fmt.Println(served.Port)
	return <-served.Done
}
