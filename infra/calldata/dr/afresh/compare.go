package afresh

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/reach"
	"github.com/calldata/calldata-foundation/stacks"
)

// table is what a table of a database holds.
type table struct {
	rows int64
	// digest is the same for the same rows in whatever order.
	digest string
}

// atWork are the tables of Routers at work: what they have loaded, their login, who is registering.
var atWork = []string{"public.routing_loaded", "public.router_login", "public.router_lease"}

// readTables reads the digests of all tables of a stack's C4 database, all as of one moment, through one of its Routers.
func readTables(ctx context.Context, streams *cli.IO, stack stacks.Outputs) (map[string]table, error) {
	config, closed, err := reach.Way{Stack: stack, Getenv: streams.Getenv}.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer closed()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("connect to the database of stack %s: %w", stack.Stack, err))
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing was written
	return tablesOf(ctx, conn)
}

func tablesOf(ctx context.Context, conn *pgx.Conn) (map[string]table, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing was written
	rows, err := tx.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	found := map[string]table{}
	for _, name := range names {
		if slices.Contains(atWork, name) {
			continue
		}
		var t table
		// A sum has no order, and needs no memory however many rows there are.
		err := tx.QueryRow(ctx, `SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint), 0)::text FROM `+name+` t`).Scan(&t.rows, &t.digest)
		if err != nil {
			return nil, fmt.Errorf("read the table %s: %w", name, err)
		}
		found[name] = t
	}
	return found, nil
}

// compared says how a database that came back differs from the one that went on meanwhile. It is an error where a table is missing, or
// nothing is as it was.
func compared(was, is map[string]table) (string, error) {
	var missing, changed []string
	same := 0
	for _, name := range slices.Sorted(maps.Keys(was)) {
		switch now, ok := is[name]; {
		case !ok:
			missing = append(missing, name)
		case now == was[name]:
			same++
		default:
			changed = append(changed, fmt.Sprintf("%s (%d rows, %d came back)", name, was[name].rows, now.rows))
		}
	}
	text := fmt.Sprintf("%d of %d tables are as in the old database", same, len(was))
	if len(changed) > 0 {
		text += "; others were changed since: " + strings.Join(changed, ", ")
	}
	switch {
	case len(missing) > 0:
		return "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%s; missing are %s", text, strings.Join(missing, ", ")))
	case same == 0 && len(was) > 0:
		return "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%s: that is not a backup of it", text))
	}
	return text, nil
}
