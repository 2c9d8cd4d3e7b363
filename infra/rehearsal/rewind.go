package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/promise"
)

// harm is what somebody does to the data by mistake: no number leads anywhere any more, and RDS's standby has it too.
const harm = `
cd /
runuser -u postgres -- psql -qX --set ON_ERROR_STOP=1 --dbname c4 --command 'DELETE FROM did' --command 'CREATE TABLE mistake (n int)'
`

// rewound is the other restore: data is lost by mistake, and an operator brings the database back to the second before.
func (w *world) rewound(ctx context.Context, o Options, d *deployment, step progress.Step) Check {
	c := Check{Name: "restore to a time"}
	s := step.Step(c.Name)
	ctx, cancel := context.WithTimeout(ctx, drillTime)
	defer cancel()
	r, err := w.newDrill(ctx, o, d)
	if err == nil {
		c.Detail, err = r.rewind(ctx)
	}
	if err != nil {
		c.Detail = err.Error()
	}
	c.OK = err == nil
	s.Done(err)
	return c
}

func (r *drill) rewind(ctx context.Context) (string, error) {
	before, to, err := r.still(ctx)
	if err != nil {
		return "", err
	}
	if _, err := r.w.asRoot(ctx, *r.database, harm); err != nil {
		return "", err
	}
	now, err := r.look(ctx)
	if err != nil {
		return "", err
	}
	if slices.Contains(before.same(now), databaseDigest) {
		return "", fmt.Errorf("%s is as before the mistake, so that a restore would prove nothing", databaseDigest)
	}
	began := time.Now()
	if _, err := r.w.operator(ctx, "backup", "restore-database", r.o.Stack, "--to", to.UTC().Format(time.RFC3339), "--identity", r.w.secrets.backup, "--yes", "--json"); err != nil {
		return "", err
	}
	took := time.Since(began)
	if now, err = r.look(ctx); err != nil {
		return "", err
	}
	if same := before.same(now); len(same) < len(before) {
		return "", fmt.Errorf("not as before the mistake: %s", strings.Join(before.without(same), ", "))
	}
	return fmt.Sprintf("the Routers' database as it was a second before a mistake, in %s, of %s promised; every digest as before",
		progress.Short(took), promise.Span(promise.Of(promise.Data).RTO)), nil
}

// still is a second at which nothing changes, and what there is then. RDS takes whole seconds.
func (r *drill) still(ctx context.Context) (digests, time.Time, error) {
	var changed []string
	for range saveTries {
		before, err := r.look(ctx)
		if err != nil {
			return nil, time.Time{}, err
		}
		to := time.Now().Truncate(time.Second).Add(time.Second)
		select {
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		case <-time.After(time.Until(to.Add(time.Second))):
		}
		after, err := r.look(ctx)
		if err != nil {
			return nil, time.Time{}, err
		}
		if changed = before.without(before.same(after)); len(changed) == 0 {
			return before, to, nil
		}
	}
	return nil, time.Time{}, fmt.Errorf("it changes while it is looked at, %d times: %s", saveTries, strings.Join(changed, ", "))
}
