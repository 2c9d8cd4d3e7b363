package machines

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

const (
	// pollInterval is how often the watcher asks for instances and addresses.
	pollInterval = 300 * time.Millisecond
	// patience is how many polls in a row may fail before that counts as an error: an emulator under load answers late.
	patience = 20
	// closeTimeout bounds how long Stop waits for machines to go.
	closeTimeout = 60 * time.Second
)

// EC2 is the part of the EC2 API that a Watcher asks. *ec2.Client has it.
type EC2 interface {
	DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	DescribeAddresses(context.Context, *ec2.DescribeAddressesInput, ...func(*ec2.Options)) (*ec2.DescribeAddressesOutput, error)
	DescribeInstanceAttribute(context.Context, *ec2.DescribeInstanceAttributeInput, ...func(*ec2.Options)) (*ec2.DescribeInstanceAttributeOutput, error)
	DescribeKeyPairs(context.Context, *ec2.DescribeKeyPairsInput, ...func(*ec2.Options)) (*ec2.DescribeKeyPairsOutput, error)
	DescribeSubnets(context.Context, *ec2.DescribeSubnetsInput, ...func(*ec2.Options)) (*ec2.DescribeSubnetsOutput, error)
	DescribeVolumes(context.Context, *ec2.DescribeVolumesInput, ...func(*ec2.Options)) (*ec2.DescribeVolumesOutput, error)
}

// fleet is what a Watcher does with machines. *Set does it.
type fleet interface {
	Launch(context.Context, Spec) error
	WaitBooted(context.Context, string) error
	Stop(context.Context, string) error
	Terminate(context.Context, string) error
	SetElasticIP(context.Context, string, netip.Addr) error
	SetVolumes(string, []Volume) error
	Close(context.Context) error
}

// WatcherOptions says what a Watcher watches and where its machines live.
type WatcherOptions struct {
	// Config is for the EC2 API whose instances become machines.
	Config aws.Config
	// Network, Image, Dir, ConsoleDir, KnownHosts, Resolver and Trust are those of SetOptions.
	Network                     *Network
	Image                       *Image
	Dir, ConsoleDir, KnownHosts string
	Resolver                    netip.Addr
	Trust                       []byte
	// Progress hears of every machine that boots or goes. Default: nobody.
	Progress progress.Reporter
}

// Watcher keeps one machine per EC2 instance: it boots one when an instance runs, stops it when the instance stops,
// removes it when the instance is terminated, and moves Elastic IPs and volumes as they are associated and attached.
type Watcher struct {
	// Machines are the machines that the watcher keeps.
	Machines *Set

	api      EC2
	fleet    fleet
	progress progress.Reporter
	cancel   context.CancelFunc
	done     chan struct{}

	mu      sync.Mutex
	known   map[string]*instance
	subnets map[string]netip.Prefix
	polls   int // finished without an error
	failed  int // failed polls in a row
	errs    []error
	changed chan struct{} // closed and replaced when something above changes
}

// state is what a machine is, or is to be.
type state string

const (
	off  state = "off"
	on   state = "on"
	gone state = "gone"
)

// instance is what the watcher knows of one EC2 instance.
type instance struct {
	want state
	// public is the address that is to lead to it.
	public netip.Addr
	// volumes are the ids of those that are to be attached to it, besides its root volume.
	volumes []string
	// is, has and holds are what the machine is and has; busy while that is being changed.
	is    state
	has   netip.Addr
	holds []string
	busy  bool
	// booting while it runs its user data.
	booting bool
	// broken instances are left alone until they are to go: a second try would fail alike.
	broken bool
	detail types.Instance
}

// NewWatcher makes a watcher with an empty set of machines. Start starts it.
func NewWatcher(o WatcherOptions) *Watcher {
	set := NewSet(SetOptions{Image: o.Image, Network: o.Network, Dir: o.Dir, ConsoleDir: o.ConsoleDir, KnownHosts: o.KnownHosts,
		Resolver: o.Resolver, Trust: o.Trust, Progress: o.Progress})
	w := newWatcher(ec2.NewFromConfig(o.Config), set, o.Progress)
	w.Machines = set
	return w
}

func newWatcher(api EC2, f fleet, p progress.Reporter) *Watcher {
	if p == nil {
		p = progress.Discard
	}
	return &Watcher{api: api, fleet: f, progress: p, known: map[string]*instance{}, subnets: map[string]netip.Prefix{}, changed: make(chan struct{})}
}

// Start begins to watch, until Stop is called or ctx ends.
func (w *Watcher) Start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		var work sync.WaitGroup
		defer work.Wait()
		for {
			w.poll(ctx, &work)
			select {
			case <-ctx.Done():
				return
			case <-time.After(pollInterval):
			}
		}
	}()
}

// Stop ends the watching and removes all machines. It may be called twice, and without Start.
func (w *Watcher) Stop() {
	if w.cancel == nil {
		return
	}
	w.cancel()
	<-w.done
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := w.fleet.Close(ctx); err != nil {
		w.fail(err)
	}
}

// Err is everything that went wrong so far: machines that did not boot, an API that stopped answering.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.errs...)
}

// WaitIdle waits until every instance that the API knows now has its machine in the right state, booted with its user
// data, and answers Err.
func (w *Watcher) WaitIdle(ctx context.Context) error {
	w.mu.Lock()
	// One poll may be under way with an older answer.
	since := w.polls + 2
	w.mu.Unlock()
	for {
		w.mu.Lock()
		idle := w.polls >= since && w.settled()
		failing := w.failed >= patience
		changed := w.changed
		w.mu.Unlock()
		if idle || failing {
			return w.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("machines are not all in the state of their instances: %w", ctx.Err()), w.Err())
		}
	}
}

// settled reports whether nothing is left to do. The caller holds the lock.
func (w *Watcher) settled() bool {
	for _, i := range w.known {
		if i.busy || i.booting || !i.broken && (i.is != i.want || i.want == on && i.has != i.public || i.want != gone && !slices.Equal(i.holds, i.volumes)) {
			return false
		}
	}
	return true
}

// notify wakes those who wait. The caller holds the lock.
func (w *Watcher) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *Watcher) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs = append(w.errs, err)
	w.notify()
}

// poll looks once, and starts what follows from it.
func (w *Watcher) poll(ctx context.Context, work *sync.WaitGroup) {
	instances, addresses, err := w.look(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.notify()
	if err != nil {
		if ctx.Err() == nil {
			if w.failed++; w.failed == patience {
				w.errs = append(w.errs, fmt.Errorf("ask for instances %d times: %w", patience, err))
			}
		}
		return
	}
	w.failed = 0
	w.polls++
	w.update(instances, addresses)
	for id, i := range w.known {
		if i.busy {
			continue
		}
		if i.want == gone && i.is == gone {
			delete(w.known, id)
			continue
		}
		if act := w.next(id, i); act != nil {
			i.busy = true
			work.Go(func() { act(ctx) })
		}
	}
}

// look asks the API for all instances, and for the addresses that are associated with one.
func (w *Watcher) look(ctx context.Context) ([]types.Instance, map[string]netip.Addr, error) {
	var instances []types.Instance
	pages := ec2.NewDescribeInstancesPaginator(w.api, &ec2.DescribeInstancesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range page.Reservations {
			instances = append(instances, r.Instances...)
		}
	}
	out, err := w.api.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	if err != nil {
		return nil, nil, err
	}
	addresses := map[string]netip.Addr{}
	for _, a := range out.Addresses {
		if ip, err := netip.ParseAddr(aws.ToString(a.PublicIp)); err == nil && aws.ToString(a.InstanceId) != "" {
			addresses[aws.ToString(a.InstanceId)] = ip
		}
	}
	return instances, addresses, nil
}

// update turns the API's answer into what is wanted. The caller holds the lock.
func (w *Watcher) update(instances []types.Instance, addresses map[string]netip.Addr) {
	seen := map[string]bool{}
	for _, detail := range instances {
		id := aws.ToString(detail.InstanceId)
		want := wanted(detail.State)
		i := w.known[id]
		if i == nil {
			if want == gone {
				continue
			}
			i = &instance{is: gone}
			w.known[id] = i
		}
		seen[id] = true
		i.want, i.detail, i.public, i.volumes = want, detail, netip.Addr{}, attached(detail)
		if ip, found := addresses[id]; found {
			i.public = ip
		} else if ip, err := netip.ParseAddr(aws.ToString(detail.PublicIpAddress)); err == nil {
			i.public = ip
		}
	}
	for id, i := range w.known {
		if !seen[id] {
			i.want = gone
		}
	}
}

// attached are the ids of an instance's volumes, besides the root volume.
func attached(detail types.Instance) []string {
	var ids []string
	for _, b := range detail.BlockDeviceMappings {
		if b.Ebs != nil && aws.ToString(b.DeviceName) != aws.ToString(detail.RootDeviceName) {
			ids = append(ids, aws.ToString(b.Ebs.VolumeId))
		}
	}
	slices.Sort(ids)
	return ids
}

// wanted is the state that a machine is to have in an instance's state
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html).
func wanted(s *types.InstanceState) state {
	if s == nil {
		return gone
	}
	switch s.Name {
	case types.InstanceStateNamePending, types.InstanceStateNameRunning:
		return on
	case types.InstanceStateNameStopping, types.InstanceStateNameStopped:
		return off
	default:
		return gone
	}
}

// next is the one thing to do now for an instance, nil when there is nothing. The caller holds the lock.
func (w *Watcher) next(id string, i *instance) func(context.Context) {
	switch {
	case i.want == gone:
		return func(ctx context.Context) {
			w.settle(i, gone, netip.Addr{}, w.do(ctx, "remove "+id, func(ctx context.Context) error { return w.fleet.Terminate(ctx, id) }))
		}
	case i.broken:
		return nil
	case i.want == off && i.is == on:
		return func(ctx context.Context) {
			w.settle(i, off, netip.Addr{}, w.do(ctx, "stop "+id, func(ctx context.Context) error { return w.fleet.Stop(ctx, id) }))
		}
	case i.want == on && i.is != on:
		detail, public := i.detail, i.public
		return func(ctx context.Context) { w.launch(ctx, i, detail, public) }
	case i.want == on && i.has != i.public:
		public := i.public
		return func(ctx context.Context) {
			w.settle(i, on, public, w.fleet.SetElasticIP(ctx, id, public))
		}
	case i.is != gone && !slices.Equal(i.holds, i.volumes) && !w.heldByAnother(i):
		// A machine that is off is plugged, too: its volumes move while it is off.
		is, has, ids := i.is, i.has, i.volumes
		return func(ctx context.Context) {
			err := w.do(ctx, fmt.Sprintf("attach %s to %s", cmp.Or(strings.Join(ids, ", "), "nothing"), id), func(ctx context.Context) error {
				volumes, err := w.volumes(ctx, ids)
				if err != nil {
					return err
				}
				return w.fleet.SetVolumes(id, volumes)
			})
			if err == nil {
				w.mu.Lock()
				i.holds = ids
				w.mu.Unlock()
			}
			w.settle(i, is, has, err)
		}
	}
	return nil
}

// heldByAnother reports whether a machine that is on its way off has still to let go a volume that i is to have. On EC2 the
// instance has stopped by then; an emulator's instance stops at once, its machine does not. The caller holds the lock.
func (w *Watcher) heldByAnother(i *instance) bool {
	for _, other := range w.known {
		if other != i && !other.broken && slices.ContainsFunc(i.volumes, func(v string) bool { return slices.Contains(other.holds, v) }) {
			return true
		}
	}
	return false
}

// volumes asks for the sizes of volumes.
func (w *Watcher) volumes(ctx context.Context, ids []string) ([]Volume, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out, err := w.api.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: ids})
	if err != nil {
		return nil, fmt.Errorf("read volumes %s: %w", strings.Join(ids, ", "), err)
	}
	var volumes []Volume
	for _, v := range out.Volumes {
		volumes = append(volumes, Volume{ID: aws.ToString(v.VolumeId), GiB: int(aws.ToInt32(v.Size))})
	}
	return volumes, nil
}

// settle records how an action ended.
func (w *Watcher) settle(i *instance, is state, has netip.Addr, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i.busy = false
	if err == nil {
		i.is, i.has = is, has
	} else {
		i.broken = true
		// What failed halfway is removed with its instance; what cannot be removed is left to Teardown.
		i.is = off
		if is == gone {
			i.is = gone
		}
		w.errs = append(w.errs, err)
	}
	w.notify()
}

func (w *Watcher) do(ctx context.Context, name string, action func(context.Context) error) error {
	step := w.progress.Step(name)
	err := action(ctx)
	step.Done(err)
	return err
}

// launch makes a machine from an instance and follows its boot.
func (w *Watcher) launch(ctx context.Context, i *instance, detail types.Instance, public netip.Addr) {
	id := aws.ToString(detail.InstanceId)
	name := id
	for _, tag := range detail.Tags {
		if aws.ToString(tag.Key) == "Name" {
			name = fmt.Sprintf("%s (%s)", aws.ToString(tag.Value), id)
		}
	}
	step := w.progress.Step("boot " + name)
	spec, err := w.spec(ctx, detail, public)
	if err == nil {
		err = w.fleet.Launch(ctx, spec)
	}
	if ctx.Err() != nil {
		err = nil // everything ends; Stop removes it
	}
	if err == nil {
		w.mu.Lock()
		i.booting = true
		w.mu.Unlock()
	}
	w.settle(i, on, public, err)
	if err == nil {
		err = w.fleet.WaitBooted(ctx, id)
		w.mu.Lock()
		i.booting = false
		// One that is to go may well go while it boots.
		if err != nil && i.want == on && ctx.Err() == nil {
			i.broken = true
			w.errs = append(w.errs, err)
		} else {
			err = nil
		}
		w.notify()
		w.mu.Unlock()
	}
	step.Done(err)
}

// spec collects what the API says about an instance.
func (w *Watcher) spec(ctx context.Context, detail types.Instance, public netip.Addr) (Spec, error) {
	id := aws.ToString(detail.InstanceId)
	subnet, err := w.subnet(ctx, aws.ToString(detail.SubnetId))
	if err != nil {
		return Spec{}, fmt.Errorf("instance %s: %w", id, err)
	}
	private, err := netip.ParseAddr(aws.ToString(detail.PrivateIpAddress))
	if err != nil {
		return Spec{}, fmt.Errorf("instance %s: private address: %w", id, err)
	}
	s := Spec{InstanceID: id, PrivateIP: netip.PrefixFrom(private, subnet.Bits()), ElasticIP: public, KeyName: aws.ToString(detail.KeyName),
		InstanceType: string(detail.InstanceType), ImageID: aws.ToString(detail.ImageId)}
	if detail.Placement != nil {
		s.Zone = aws.ToString(detail.Placement.AvailabilityZone)
		s.Region = strings.TrimRight(s.Zone, "abcdefghijklmnopqrstuvwxyz")
	}
	data, err := w.api.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: detail.InstanceId, Attribute: types.InstanceAttributeNameUserData})
	if err != nil {
		return Spec{}, fmt.Errorf("read user data of instance %s: %w", id, err)
	}
	if data.UserData != nil {
		if s.UserData, err = base64.StdEncoding.DecodeString(aws.ToString(data.UserData.Value)); err != nil {
			return Spec{}, fmt.Errorf("read user data of instance %s: %w", id, err)
		}
	}
	if s.KeyName != "" {
		keys, err := w.api.DescribeKeyPairs(ctx, &ec2.DescribeKeyPairsInput{KeyNames: []string{s.KeyName}, IncludePublicKey: aws.Bool(true)})
		if err != nil {
			return Spec{}, fmt.Errorf("read key pair %s of instance %s: %w", s.KeyName, id, err)
		}
		for _, k := range keys.KeyPairs {
			s.PublicKeys = append(s.PublicKeys, strings.TrimSpace(aws.ToString(k.PublicKey)))
		}
	}
	return s, nil
}

// subnet answers a subnet's addresses, and remembers them: they never change.
func (w *Watcher) subnet(ctx context.Context, id string) (netip.Prefix, error) {
	w.mu.Lock()
	known, found := w.subnets[id]
	w.mu.Unlock()
	if found {
		return known, nil
	}
	out, err := w.api.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{id}})
	if err == nil && len(out.Subnets) == 0 {
		err = errors.New("the API does not know it")
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("read subnet %s: %w", id, err)
	}
	prefix, err := netip.ParsePrefix(aws.ToString(out.Subnets[0].CidrBlock))
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("read subnet %s: %w", id, err)
	}
	w.mu.Lock()
	w.subnets[id] = prefix
	w.mu.Unlock()
	return prefix, nil
}
