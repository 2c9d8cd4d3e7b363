package release

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/reach"
	"github.com/calldata/calldata-foundation/stacks"
)

// outcome is what became of the calls of a while.
type outcome struct {
	// calls are legs through a Router, failed those that the platform could not carry: busy, unanswered and unknown numbers are
	// people's own.
	calls, failed int
}

func (o outcome) share() float64 {
	if o.calls == 0 {
		return 0
	}
	return 100 * float64(o.failed) / float64(o.calls)
}

func (o outcome) String() string { return fmt.Sprintf("%d of %d calls failed", o.failed, o.calls) }

const (
	// someFailures is how many calls may fail by chance where there are many: more are judged by their share alone.
	someFailures = 2
	// chance is how likely so many failures among so few calls may be where nothing has changed, for them to count.
	chance = 0.01
)

// worse reports whether more calls fail than before. The share that fails has to be above that of before by more than limit percent of all
// calls, in any case. A share of few calls says little, since one call is much of it: more than two failures are enough, which is the rule
// for platforms that have many calls in the time of a step. Where there are few, one or two failures count if they are no chance: if they
// would come in less than one of a hundred such whiles, did each call fail with the share that is allowed (binomial distribution). With
// the defaults, and no failures before, these are two of up to seven calls, and never one.
func (o outcome) worse(before outcome, limit float64) bool {
	allowed := before.share() + limit
	if o.share() <= allowed {
		return false
	}
	return o.failed > someFailures || atLeast(o.failed, o.calls, allowed/100) < chance
}

// atLeast is how likely at least k of n calls fail where each does with the likelihood p.
func atLeast(k, n int, p float64) float64 {
	below, term := 0.0, math.Pow(1-p, float64(n)) // the term of i failures, from 0 on
	for i := range k {
		below += term
		term *= float64(n-i) / float64(i+1) * p / (1 - p)
	}
	return 1 - below
}

// fileVariable names a file with the database's URL, as for calldata routing, where the way is another than over a Router.
const fileVariable = "CALLDATA_ROUTING_DATABASE_FILE"

// records is the way to the Routers' records.
func records(ctx context.Context, stack stacks.Outputs, getenv func(string) string) (*pgx.ConnConfig, func(), error) {
	file := getenv(fileVariable)
	if file == "" {
		return reach.Way{Stack: stack, Getenv: getenv}.Open(ctx)
	}
	url, err := private.Read(fileVariable, file)
	if err != nil {
		return nil, nil, cli.WithCode(cli.ExitUsage, err)
	}
	config, err := pgx.ParseConfig(strings.TrimSpace(string(url)))
	if err != nil {
		return nil, nil, cli.UsageErrorf("%s: want a URL of the form postgres://user:password@host:port/c4", fileVariable) // the password is in no error
	}
	return config, func() {}, nil
}

// calls reads the Routers' records of calls that began from since on and before until. A time-out of the one who is called, 408, is a failure of the way there as well as a 5xx.
func calls(ctx context.Context, stack stacks.Outputs, getenv func(string) string, since, until time.Time) (outcome, error) {
	config, done, err := records(ctx, stack, getenv)
	if err != nil {
		return outcome{}, err
	}
	defer done()
	config.RuntimeParams["application_name"] = "calldata release"
	db, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return outcome{}, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("connect to the Routers' database on %s", config.Host))
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	var o outcome
	err = db.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE code = 408 OR code BETWEEN 500 AND 599) FROM cdr WHERE started_at >= $1 AND started_at < $2`, since, until).Scan(&o.calls, &o.failed)
	if err != nil {
		return o, fmt.Errorf("read the Routers' records: %w", err)
	}
	return o, nil
}
