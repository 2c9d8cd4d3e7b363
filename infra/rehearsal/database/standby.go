package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// FailoverTime is when, after the loss of the primary, the endpoint's name leads to the standby: the middle of the 60 to 120 seconds
// that RDS names. Source: Amazon RDS User Guide, "Failing over a Multi-AZ DB instance for Amazon RDS".
const FailoverTime = 90 * time.Second

// Zones are where the machines of database instances are, by the instances' identifiers.
func (w *Watcher) Zones(ctx context.Context) (map[string]string, error) {
	out, err := w.rds.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil {
		return nil, fmt.Errorf("ask for databases: %w", err)
	}
	zones := map[string]string{}
	for _, i := range out.DBInstances {
		id := aws.ToString(i.DBInstanceIdentifier)
		at, ok := w.o.Machines.Address(Machine(id))
		if !ok {
			continue
		}
		self, _ := w.instance(id)
		places, err := w.places(ctx, i.DBSubnetGroup, self.number)
		if err != nil {
			return nil, fmt.Errorf("database %s: %w", id, err)
		}
		for _, p := range places {
			if p.address.Addr() == at {
				zones[id] = p.zone
			}
		}
	}
	return zones, nil
}

// FailOver has the standby of a database take over whose machine went off at a time: a Multi-AZ deployment's replica has every
// transaction that the primary has committed, so that the same disk boots at an address of another zone, recovers as after a crash, and
// gets the endpoint's name after FailoverTime. It answers when that was.
func (w *Watcher) FailOver(ctx context.Context, id, lostZone string, lost time.Time) (time.Time, error) {
	at, err := w.failOver(ctx, id, lostZone, lost)
	if err != nil {
		err = fmt.Errorf("fail over database %s: %w", id, err)
	}
	return at, err
}

func (w *Watcher) failOver(ctx context.Context, id, lostZone string, lost time.Time) (time.Time, error) {
	out, err := w.rds.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String(id)})
	if err != nil {
		return time.Time{}, err
	}
	if len(out.DBInstances) != 1 {
		return time.Time{}, errors.New("it is not there")
	}
	self, _ := w.instance(id)
	to, err := w.standby(ctx, out.DBInstances[0], self.number, lostZone)
	if err != nil {
		return time.Time{}, err
	}
	if err := w.o.Machines.Start(ctx, Machine(id), to.address); err != nil {
		return time.Time{}, err
	}
	if err := w.o.Machines.WaitBooted(ctx, Machine(id)); err != nil {
		return time.Time{}, err
	}
	if err := w.answers(ctx, to); err != nil {
		return time.Time{}, err
	}
	select {
	case <-time.After(time.Until(lost.Add(FailoverTime))):
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	self.address = to.address
	w.keep(id, self)
	w.o.Front.SetHost(aws.ToString(out.DBInstances[0].Endpoint.Address), to.address.Addr())
	return time.Now(), nil
}

// standby is where the replica of a Multi-AZ database is: in another zone.
func (w *Watcher) standby(ctx context.Context, i types.DBInstance, n uint32, lostZone string) (place, error) {
	if !aws.ToBool(i.MultiAZ) {
		return place{}, errors.New("it is not Multi-AZ and has no standby")
	}
	places, err := w.places(ctx, i.DBSubnetGroup, n)
	if err != nil {
		return place{}, err
	}
	at := slices.IndexFunc(places, func(p place) bool { return p.zone != lostZone })
	if at < 0 {
		return place{}, fmt.Errorf("all its subnets are in %s", lostZone)
	}
	return places[at], nil
}

// answers waits until PostgreSQL has recovered.
func (w *Watcher) answers(ctx context.Context, at place) error {
	cmd := w.ssh(ctx, at.address)
	cmd.Stdin = strings.NewReader(`cd /; for i in $(seq 60); do runuser -u postgres -- psql -qXAtc "SELECT 1" && exit 0; sleep 1; done; exit 1`)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("PostgreSQL of the standby does not answer: %w", said(err, out))
	}
	return nil
}
