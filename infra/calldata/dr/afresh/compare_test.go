package afresh

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/postgrestest"
)

func TestTablesOfADatabase(t *testing.T) {
	t.Parallel()
	url, _ := postgrestest.Start(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	do := func(sql string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	do(`CREATE TABLE a (n int, t text); INSERT INTO a SELECT i, 'x' FROM generate_series(1, 1000) i;
		CREATE TABLE b AS SELECT * FROM a ORDER BY n DESC; CREATE SCHEMA s; CREATE TABLE s."Odd name" (n int); CREATE TABLE router_lease (n int)`)
	found, err := tablesOf(t.Context(), conn)
	require.NoError(t, err)
	assert.Len(t, found, 3, "what Routers at work keep is not compared")
	assert.Equal(t, found["public.a"], found["public.b"], "rows have no order")
	assert.Equal(t, table{0, "0"}, found[`s."Odd name"`])
	assert.Equal(t, int64(1000), found["public.a"].rows)
	do(`UPDATE b SET t = 'y' WHERE n = 7`)
	changed, err := tablesOf(t.Context(), conn)
	require.NoError(t, err)
	assert.Equal(t, found["public.a"], changed["public.a"])
	assert.NotEqual(t, found["public.b"], changed["public.b"])
}
