package statestore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// Locks says in a line each who holds the lock of a stack. Locks do not expire: one that a killed Pulumi left stays until somebody
// removes it.
// Source: pulumi/pulumi v3.259.0, pkg/backend/diy/lock.go.
func Locks(ctx context.Context, store Store, project, stack string) ([]string, error) {
	objects, err := store.List(ctx, fmt.Sprintf(".pulumi/locks/organization/%s/%s/", project, stack))
	if err != nil {
		return nil, err
	}
	var held []string
	for _, object := range objects {
		held = append(held, holder(ctx, store, object))
	}
	return held, nil
}

// holder describes one lock.
func holder(ctx context.Context, store Store, object Object) string {
	var lock struct {
		Pid                int
		Username, Hostname string
		Timestamp          time.Time
	}
	at := object.Time
	data, err := store.Read(ctx, object.Key)
	if err == nil {
		err = json.Unmarshal(data, &lock)
	}
	if err != nil {
		return fmt.Sprintf("somebody holds it since %s (%s cannot be read)", since(at), object.Key)
	}
	if !lock.Timestamp.IsZero() {
		at = lock.Timestamp
	}
	text := fmt.Sprintf("%s@%s holds it since %s, process %d", cmp.Or(lock.Username, "somebody"), cmp.Or(lock.Hostname, "somewhere"), since(at), lock.Pid)
	if here, err := os.Hostname(); err == nil && here == lock.Hostname {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", lock.Pid)); errors.Is(err, os.ErrNotExist) && lock.Pid > 0 {
			text += ", which no longer runs on this machine"
		}
	}
	return text
}

func since(at time.Time) string {
	return fmt.Sprintf("%s (%s ago)", at.UTC().Format(time.RFC3339), progress.Short(time.Since(at)))
}
