package release

import (
	"context"
	"fmt"
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

// someFailures is how many calls may fail without anybody's fault: a share of few calls says nothing.
const someFailures = 2

// worse reports whether more calls fail than before, by more than limit percent of all.
func (o outcome) worse(before outcome, limit float64) bool {
	return o.failed > someFailures && o.share() > before.share()+limit
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

// calls reads the Routers' records. A time-out of the one who is called, 408, is a failure of the way there as well as a 5xx.
func calls(ctx context.Context, stack stacks.Outputs, getenv func(string) string, since time.Time) (outcome, error) {
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
	err = db.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE code = 408 OR code BETWEEN 500 AND 599) FROM cdr WHERE started_at >= $1`, since).Scan(&o.calls, &o.failed)
	if err != nil {
		return o, fmt.Errorf("read the Routers' records: %w", err)
	}
	return o, nil
}
