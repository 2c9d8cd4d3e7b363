package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/awsfront"
	"github.com/calldata/calldata-foundation/infra/rehearsal/database"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
)

// The rehearsal's addresses. Elastic IPs and the operator live in TEST-NET-3 (RFC 5737), which nobody routes.
var (
	elasticPool = netip.MustParsePrefix("203.0.113.0/24")
	operator    = netip.MustParseAddr("203.0.113.1")
	// Carriers are in TEST-NET-2; phones and attackers in TEST-NET-1.
	carriers  = netip.MustParsePrefix("198.51.100.0/24")
	strangers = netip.MustParsePrefix("192.0.2.0/24")
)

// stateBucket is the Pulumi backend inside the emulator.
const stateBucket = "calldata-foundation-state"

// removeTimeout bounds the tidying that runs after the rehearsal's own context has ended.
const removeTimeout = 3 * time.Minute

// cloud is what a rehearsal asks of an emulator: an AWS API, and nothing of the emulator's own.
type cloud interface {
	// Env are the variables that point the AWS provider and SDKs at it, AWSConfig the same for this process.
	Env() []string
	AWSConfig() aws.Config
	// URL is the endpoint of the API inside the network.
	URL() string
	// Settings are stack settings of the AWS provider besides EmulatorSettings.
	Settings() map[string]any
	// CreateBackend makes the bucket that BackendURL names for Pulumi, Objects reads all that is in it, and Change rewrites an object.
	CreateBackend(ctx context.Context, bucket string) error
	BackendURL(bucket string) string
	Objects(ctx context.Context, bucket string, visit func(name string, data []byte)) error
	Change(ctx context.Context, bucket, key string, edit func([]byte) []byte) error
	Stop()
}

// world is everything that runs while a rehearsal is up, and where it keeps its files.
type world struct {
	id       string
	dir      string
	network  *machines.Network
	emulator cloud
	front    *awsfront.Front
	watcher  *machines.Watcher
	database *database.Watcher
	secrets  *secrets
	scanner  *scanner
	log      *lockedFile
	env      map[string]string
}

// Dir is where a stack's rehearsal keeps keys, logs and machines while it runs.
func Dir(stack string) string { return machines.StateDir(id(stack)) }

func (w *world) logs() string { return filepath.Join(w.dir, "logs") }

// build makes the network, starts the emulator in it with the front that machines see, and watches for instances.
func build(ctx context.Context, o Options, t *Tools, step progress.Step) (_ *world, err error) {
	w := &world{id: id(o.Stack), dir: Dir(o.Stack)}
	for _, dir := range []string{w.dir, w.logs(), filepath.Join(w.dir, "console")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return w, err
		}
	}
	if w.secrets, err = newSecrets(filepath.Join(w.dir, "secrets")); err != nil {
		return w, err
	}
	w.scanner = newScanner(w.secrets)
	if w.log, err = openLog(filepath.Join(w.logs(), "pulumi.log")); err != nil {
		return w, err
	}

	network := step.Step("network")
	w.network, err = machines.NewNetwork(ctx, w.id, machines.NetworkOptions{
		Addresses: []netip.Prefix{netip.PrefixFrom(operator, elasticPool.Bits())}, Populated: []netip.Prefix{carriers, strangers},
	})
	network.Done(err)
	if err != nil {
		return w, fmt.Errorf("network: %w", err)
	}

	emulated := step.Step("emulator")
	moto, err := emulator.Start(ctx, emulator.Options{
		Python: t.Python.Python(), Dir: filepath.Join(w.dir, "emulator"), NetNS: w.network.Name(),
		EIPPool: elasticPool, ConsoleDir: filepath.Join(w.dir, "console"), Progress: emulated,
	})
	if err == nil {
		w.emulator = moto
		err = moto.CreateBackend(ctx, stateBucket)
	}
	emulated.Done(err)
	if err != nil {
		return w, fmt.Errorf("emulator: %w", err)
	}

	front := step.Step("AWS's names")
	w.front, err = awsfront.Start(ctx, awsfront.Options{Network: w.network, Config: w.emulator.AWSConfig(), Endpoint: w.emulator.URL(), Progress: front})
	front.Done(err)
	if err != nil {
		return w, err
	}

	w.watcher = machines.NewWatcher(machines.WatcherOptions{
		Config: w.emulator.AWSConfig(), Network: w.network, Image: t.Image, Dir: w.machinesDir(),
		ConsoleDir: filepath.Join(w.dir, "console"), KnownHosts: filepath.Join(w.dir, "known_hosts"),
		Resolver: w.front.Resolver(), Trust: w.front.Authority(), Progress: step,
	})
	// Like the rest of the world they last until it is closed: a kept platform that a signal ends is yet to be destroyed.
	standing := context.WithoutCancel(ctx)
	w.watcher.Start(standing)
	w.database = database.Start(standing, database.Options{
		Config: w.emulator.AWSConfig(), Machines: w.watcher.Machines, Network: w.network, PublicKey: w.secrets.publicKey, KeyFile: w.secrets.key,
		KnownHosts: filepath.Join(w.dir, "known_hosts"), Front: w.front, Secret: w.secrets.add, Progress: step,
	})

	if w.env, err = w.environment(o, t); err != nil {
		return w, err
	}
	return w, w.writeOperatorFile(o)
}

// Remove tears down everything of a stack's rehearsal, wherever an earlier run left it, and answers what is still there.
func Remove(ctx context.Context, stack string) ([]string, error) {
	_, err := machines.Teardown(ctx, id(stack))
	if rmErr := os.RemoveAll(Dir(stack)); rmErr != nil {
		err = errors.Join(err, rmErr)
	}
	left, leftErr := machines.Leftovers(id(stack))
	if _, statErr := os.Stat(Dir(stack)); statErr == nil {
		left = append(left, Dir(stack))
	}
	slices.Sort(left)
	return left, errors.Join(err, leftErr)
}
