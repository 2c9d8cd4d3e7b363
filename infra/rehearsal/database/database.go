package database

import (
	"context"
	_ "embed" // the machines' setup
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
)

//go:embed setup.sh
var setup string

const (
	pollInterval = time.Second
	bootTimeout  = 3 * time.Minute
	// fromTheEnd is how far from the end of its subnet the first database has its address, others before it: the emulator gives
	// out the first ones.
	fromTheEnd = 6
	// originTag is by which the emulator says what an instance began as: see emulator/extension/rds.py. RDS itself says it nowhere. The
	// prefix is that of AWS's own tags, which are no drift to Pulumi.
	originTag = "aws:rehearsal:origin"
)

// Front is what makes a machine known by an AWS name. *awsfront.Front is one.
type Front interface {
	SetHost(name string, addresses ...netip.Addr)
	Certificate(name string) (certificate, key []byte, err error)
}

// Options say which account is played, and where.
type Options struct {
	// Config is for the AWS API whose database instances become machines.
	Config aws.Config
	// Machines are where the machines are made, in Network.
	Machines *machines.Set
	Network  *machines.Network
	// PublicKey, in authorized_keys form, and the private key's file KeyFile let this package in. KnownHosts is Machines' own.
	PublicKey, KeyFile, KnownHosts string
	Front                          Front
	// Secret hears of every password.
	Secret func(name, value string)
	// Progress hears of every database.
	Progress progress.Reporter
}

// Watcher makes and removes machines as the account's database instances come and go.
type Watcher struct {
	o       Options
	rds     *rds.Client
	ec2     *ec2.Client
	secrets *secretsmanager.Client
	cancel  context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex
	known map[string]instance // by identifier
	errs  []error
}

// instance is one that has a machine.
type instance struct {
	endpoint string
	// number is by which its addresses differ from those of others in the same subnets.
	number  uint32
	address netip.Prefix
}

// Start begins to watch, until Stop is called or ctx ends.
func Start(ctx context.Context, o Options) *Watcher {
	w := &Watcher{
		o: o, rds: rds.NewFromConfig(o.Config), ec2: ec2.NewFromConfig(o.Config), secrets: secretsmanager.NewFromConfig(o.Config),
		done: make(chan struct{}), known: map[string]instance{},
	}
	ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		for {
			w.poll(ctx)
			select {
			case <-ctx.Done():
				return
			case <-time.After(pollInterval):
			}
		}
	}()
	return w
}

// Stop ends the watching. The machines stay with their set.
func (w *Watcher) Stop() {
	w.cancel()
	<-w.done
}

// Err is everything that went wrong so far.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.errs...)
}

// Machine is the name of the machine that plays the database instance called identifier.
func Machine(identifier string) string { return "rds-" + identifier }

func (w *Watcher) poll(ctx context.Context) {
	out, err := w.rds.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil {
		return // an emulator that is starting or going: the next poll tells
	}
	there := map[string]bool{}
	for _, i := range out.DBInstances {
		id := aws.ToString(i.DBInstanceIdentifier)
		// A replica is a name alone.
		if i.Endpoint == nil || aws.ToString(i.DBInstanceStatus) != "available" || i.ReadReplicaSourceDBInstanceIdentifier != nil {
			continue
		}
		there[id] = true
		if _, known := w.instance(id); !known && !unfinished(i) {
			w.keep(id, instance{endpoint: aws.ToString(i.Endpoint.Address), number: w.free()})
			w.note(w.boot(ctx, id, i))
		}
	}
	w.mu.Lock()
	known := maps.Clone(w.known)
	w.mu.Unlock()
	for id, i := range known {
		if !there[id] {
			w.mu.Lock()
			delete(w.known, id)
			w.mu.Unlock()
			w.o.Front.SetHost(i.endpoint)
			w.note(w.o.Machines.Terminate(ctx, Machine(id)))
		}
	}
}

// unfinished tells whether an instance is yet to get its password: the provider restores a snapshot, and then modifies what came of it.
func unfinished(i types.DBInstance) bool {
	_, restored := origin(i.TagList)
	return restored && i.MasterUserSecret == nil
}

func (w *Watcher) note(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs = append(w.errs, err)
}

// boot makes the machine of a database instance and gives it the instance's name when PostgreSQL answers there.
func (w *Watcher) boot(ctx context.Context, id string, i types.DBInstance) (err error) {
	step := w.o.Progress.Step("database " + id)
	defer func() {
		if err != nil {
			err = fmt.Errorf("database %s: %w", id, err)
		}
		step.Done(err)
	}()
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	self, _ := w.instance(id)
	places, err := w.places(ctx, i.DBSubnetGroup, self.number)
	if err != nil {
		return err
	}
	address := places[0].address
	self.address = address
	w.keep(id, self)
	settings, err := w.settings(ctx, i)
	if err != nil {
		return err
	}
	err = w.o.Machines.Launch(ctx, machines.Spec{InstanceID: Machine(id), PrivateIP: address, PublicKeys: []string{w.o.PublicKey}})
	if err == nil {
		err = w.o.Machines.WaitBooted(ctx, Machine(id))
	}
	if err != nil {
		return err
	}
	if from, ok := origin(i.TagList); ok {
		if err := w.copyLog(ctx, from.source, address); err != nil {
			return fmt.Errorf("copy the log of %s: %w", from.source, err)
		}
		settings += from.settings()
	}
	cmd := w.ssh(ctx, address)
	cmd.Stdin = strings.NewReader(settings + setup)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("set PostgreSQL up: %w", said(err, out))
	}
	w.o.Front.SetHost(aws.ToString(i.Endpoint.Address), address.Addr())
	return nil
}

// ssh is a shell of root's on a machine. The program comes by standard input, or is words.
func (w *Watcher) ssh(ctx context.Context, at netip.Prefix, words ...string) *exec.Cmd {
	args := []string{"-i", w.o.KeyFile, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + w.o.KnownHosts,
		"admin@" + at.Addr().String(), "--", "sudo"}
	if len(words) == 0 {
		words = []string{"bash", "-s"}
	}
	return w.o.Network.Command(ctx, "ssh", append(args, words...)...)
}

// said is a command's failure with what it printed.
func said(err error, out []byte) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return err
}

// free is the least number that no instance has.
func (w *Watcher) free() uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := map[uint32]bool{}
	for _, i := range w.known {
		taken[i.number] = true
	}
	n := uint32(0)
	for taken[n] {
		n++
	}
	return n
}

func (w *Watcher) instance(id string) (instance, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := w.known[id]
	return i, ok
}

func (w *Watcher) keep(id string, i instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[id] = i
}

// place is where a database may be.
type place struct {
	zone    string
	address netip.Prefix
}

// places are those of the nth database in a subnet group, at least one, the lowest address first.
func (w *Watcher) places(ctx context.Context, group *types.DBSubnetGroup, n uint32) ([]place, error) {
	if group == nil || len(group.Subnets) == 0 {
		return nil, errors.New("it has no subnets")
	}
	ids := []string{}
	for _, s := range group.Subnets {
		ids = append(ids, aws.ToString(s.SubnetIdentifier))
	}
	out, err := w.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: ids})
	if err != nil {
		return nil, err
	}
	var places []place
	for _, s := range out.Subnets {
		p, err := netip.ParsePrefix(aws.ToString(s.CidrBlock))
		if err != nil {
			return nil, err
		}
		places = append(places, place{aws.ToString(s.AvailabilityZone), address(p, n)})
	}
	if len(places) == 0 {
		return nil, errors.New("its subnets are not there")
	}
	slices.SortFunc(places, func(a, b place) int { return a.address.Addr().Compare(b.address.Addr()) })
	return places, nil
}

// address is that of the nth database of a subnet, from 0.
func address(subnet netip.Prefix, n uint32) netip.Prefix {
	first := subnet.Masked().Addr().As4()
	last := binary.BigEndian.Uint32(first[:]) | (1<<(32-subnet.Bits()) - 1)
	var at [4]byte
	binary.BigEndian.PutUint32(at[:], last-fromTheEnd-n)
	return netip.PrefixFrom(netip.AddrFrom4(at), subnet.Bits())
}

// settings are the lines before setup, each a variable of the shell.
func (w *Watcher) settings(ctx context.Context, i types.DBInstance) (string, error) {
	if i.MasterUserSecret == nil {
		return "", errors.New("it has no secret with a password: set ManageMasterUserPassword")
	}
	value, err := w.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: i.MasterUserSecret.SecretArn})
	if err != nil {
		return "", fmt.Errorf("read its password: %w", err)
	}
	var login struct{ Username, Password string }
	if err := json.Unmarshal([]byte(aws.ToString(value.SecretString)), &login); err != nil {
		return "", fmt.Errorf("secret %s is not the JSON that RDS writes: %w", aws.ToString(i.MasterUserSecret.SecretArn), err)
	}
	w.o.Secret("password of "+aws.ToString(i.DBInstanceIdentifier), login.Password)
	certificate, key, err := w.o.Front.Certificate(aws.ToString(i.Endpoint.Address))
	if err != nil {
		return "", err
	}
	parameters, err := w.parameters(ctx, i.DBParameterGroups)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, v := range []struct{ name, value string }{
		{"NAME", aws.ToString(i.DBName)}, {"USER_NAME", login.Username}, {"PASSWORD", strings.ReplaceAll(login.Password, "'", "''")},
		{"PORT", fmt.Sprint(aws.ToInt32(i.Endpoint.Port))}, {"CERTIFICATE", string(certificate)}, {"KEY", string(key)},
		{"PARAMETERS", parameters},
	} {
		fmt.Fprintf(&out, "%s='%s'\n", v.name, strings.ReplaceAll(v.value, "'", `'\''`))
	}
	return out.String(), nil
}

// parameters are those of the instance's groups that PostgreSQL has too, as lines of its configuration.
func (w *Watcher) parameters(ctx context.Context, groups []types.DBParameterGroupStatus) (string, error) {
	var lines strings.Builder
	for _, g := range groups {
		pages := rds.NewDescribeDBParametersPaginator(w.rds, &rds.DescribeDBParametersInput{DBParameterGroupName: g.DBParameterGroupName, Source: aws.String("user")})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return "", fmt.Errorf("read its parameters: %w", err)
			}
			for _, p := range page.Parameters {
				if name := aws.ToString(p.ParameterName); !strings.HasPrefix(name, "rds.") {
					fmt.Fprintf(&lines, "%s = '%s'\n", name, strings.ReplaceAll(aws.ToString(p.ParameterValue), "'", "''"))
				}
			}
		}
	}
	return lines.String(), nil
}
