package routing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/postgrestest"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/database"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/document"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/plan"
)

const (
	example = "../../../docs/examples/routing.yml"
	schema  = "../../../ansible/roles/c4_router/files/schema"
)

// server is a PostgreSQL of the test's own, with the role's schema.
func server(t *testing.T) (url string, restart func()) {
	t.Helper()
	url, restart = postgrestest.Start(t)
	files, err := filepath.Glob(schema + "/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for range 2 { // running it again changes nothing
		for _, file := range files {
			text, err := os.ReadFile(file) //nolint:gosec // the repository's own
			require.NoError(t, err)
			_, err = conn.PgConn().Exec(t.Context(), string(text)).ReadAll()
			require.NoError(t, err, file)
		}
	}
	return url, restart
}

// owner is who a file belongs to.
func owner(info os.FileInfo) (uid, gid int) {
	stat := info.Sys().(*syscall.Stat_t)
	return int(stat.Uid), int(stat.Gid)
}

// bench runs the command against a server.
type bench struct {
	t       *testing.T
	url     string
	restart func()
	dir     string
	conn    *pgx.Conn
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir()}
	b.url, b.restart = server(t)
	var err error
	b.conn, err = pgx.Connect(t.Context(), b.url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.conn.Close(context.Background()) })
	b.put("database", b.url)
	b.put("secrets", "telco_password: correct horse battery\n")
	text, err := os.ReadFile(example)
	require.NoError(t, err)
	b.put("routing.yml", string(text))
	return b
}

func (b *bench) put(name, text string) {
	require.NoError(b.t, os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600))
}

func (b *bench) edit(pairs ...string) {
	text, err := os.ReadFile(filepath.Join(b.dir, "routing.yml"))
	require.NoError(b.t, err)
	changed := strings.NewReplacer(pairs...).Replace(string(text))
	require.NotEqual(b.t, string(text), changed)
	b.put("routing.yml", changed)
}

func (b *bench) run(args ...string) (string, error) {
	var out, diagnostics bytes.Buffer
	streams := &cli.IO{In: strings.NewReader(""), Out: &out, Err: &diagnostics, Width: func() int { return 80 }, Getenv: func(name string) string {
		return map[string]string{secretsVariable: filepath.Join(b.dir, "secrets"), databaseVariable: filepath.Join(b.dir, "database")}[name]
	}}
	cmd := NewCmdRouting(streams)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append(args, "stage", "-f", filepath.Join(b.dir, "routing.yml")))
	err := cmd.ExecuteContext(b.t.Context())
	for _, text := range []string{out.String(), diagnostics.String(), fmt.Sprint(err)} {
		assert.NotContains(b.t, text, "correct horse")
	}
	return out.String(), err
}

func (b *bench) count(query string) (n int) {
	b.t.Helper()
	require.NoError(b.t, b.conn.QueryRow(b.t.Context(), query).Scan(&n))
	return n
}

func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out, err := b.run("plan")
	require.NoError(t, err)
	assert.Contains(t, out, "+ did +14155550100\n")
	assert.Contains(t, out, "+ trunk telco-2\n")
	assert.Contains(t, out, "0 to change, 0 to remove, against revision 0")
	assert.Zero(t, b.count("SELECT count(*) FROM routing_revision"), "a plan writes nothing")

	out, err = b.run("apply")
	require.NoError(t, err)
	assert.Contains(t, out, "revision 1, loaded by 0 Routers")
	assert.Equal(t, 3, b.count("SELECT count(*) FROM did"))
	assert.Equal(t, 1, b.count("SELECT count(*) FROM uacreg WHERE length(auth_ha1) = 32 AND auth_password = ''"))
	assert.Zero(t, b.count("SELECT count(*) FROM routing_revision WHERE document LIKE '%correct horse%'"))
	sets := b.count("SELECT sum(setid) FROM dispatcher")

	out, err = b.run("apply")
	require.NoError(t, err)
	assert.Contains(t, out, "no changes: revision 1 is what the document says")
	assert.Equal(t, 1, b.count("SELECT count(*) FROM routing_revision"), "applying twice is applying once")

	b.edit("weight: 75", "weight: 60", `{number: "+14155550100", ipbx: acme-1}`, `{number: "+14155550101", ipbx: acme-1}`, `to: "+14155550100"`, `to: "+14155550101"`)
	out, err = b.run("plan", "--json")
	require.NoError(t, err)
	var p plan.Plan
	require.NoError(t, json.Unmarshal([]byte(out), &p))
	require.Len(t, p.Changes, 3)
	assert.Equal(t, []change.Change{{Op: change.Delete, Kind: "did", Name: "+14155550100"}, {Op: change.Create, Kind: "did", Name: "+14155550101"}}, p.Changes[:2])
	assert.Equal(t, "targets", p.Changes[2].Fields[0].Name)
	_, err = b.run("apply")
	require.NoError(t, err)
	assert.Equal(t, sets, b.count("SELECT sum(setid) FROM dispatcher"), "numbers of sets stay")
	assert.Equal(t, 1, b.count("SELECT count(*) FROM did WHERE tprefix = '14155550101'"))
}

func TestChangesByHandAndNewPasswordsAreSeen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.run("apply")
	require.NoError(t, err)
	_, err = b.conn.Exec(t.Context(), "UPDATE did SET tvalue = 'tenant=globex' WHERE tprefix = '14155550100'")
	require.NoError(t, err)
	b.put("secrets", "telco_password: correct horse battery staple\n")
	out, err := b.run("plan")
	require.NoError(t, err)
	for _, table := range []string{"did", "uacreg", "ht_trunk"} {
		assert.Contains(t, out, "! table "+table+" was changed")
	}
	_, err = b.run("apply")
	require.NoError(t, err)
	assert.Zero(t, b.count("SELECT count(*) FROM did WHERE tvalue = 'tenant=globex'"))
	out, err = b.run("plan")
	require.NoError(t, err)
	assert.Contains(t, out, "no changes")
}

func TestApplyWaitsForRouters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.conn.Exec(t.Context(), `INSERT INTO routing_loaded (router, revision, seen_at) VALUES
		('quick', 0, now()), ('slow', 0, now()), ('dead', 0, now() - interval '10 minutes')`)
	require.NoError(t, err)
	_, err = b.run("apply", "--timeout", "10ms")
	require.Error(t, err)
	assert.Equal(t, cli.ExitTimeout, cli.Code(err))
	assert.ErrorContains(t, err, "revision 1 is applied, but")
	assert.ErrorContains(t, err, "quick (revision 0), slow (revision 0)")
	assert.NotContains(t, err.Error(), "dead")
	_, err = b.conn.Exec(t.Context(), "UPDATE routing_loaded SET revision = 1")
	require.NoError(t, err)
	out, err := b.run("apply")
	require.NoError(t, err, "the same command goes on")
	assert.Contains(t, out, "revision 1, loaded by 2 Routers")
}

func TestOfTwoApplicationsOneWins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	text, err := os.ReadFile(example)
	require.NoError(t, err)
	d, err := document.Parse(text)
	require.NoError(t, err)
	results := make(chan error, 2)
	for range 2 {
		go func() {
			db, err := database.Open(context.Background(), b.url)
			if err == nil {
				defer db.Close()
				_, err = db.Apply(context.Background(), 0, d, map[string]string{"telco_password": "x"}, "test")
			}
			results <- err
		}()
	}
	first, second := <-results, <-results
	require.ErrorIs(t, errors.Join(first, second), database.ErrMoved)
	assert.True(t, first == nil || second == nil)
	assert.Equal(t, 1, b.count("SELECT count(*) FROM routing_revision"))
}

// A failure in the middle leaves what was there.
func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.run("apply")
	require.NoError(t, err)
	_, err = b.conn.Exec(t.Context(), "ALTER TABLE ht_trunk ADD CHECK (key_name <> 'late')")
	require.NoError(t, err)
	b.edit("name: spare\n", "name: late\n", "trunk: spare", "trunk: late", `"trunk:spare"`, `"trunk:late"`)
	_, err = b.run("apply")
	require.ErrorContains(t, err, "write table ht_trunk")
	assert.Equal(t, 1, b.count("SELECT count(*) FROM routing_revision"))
	assert.Equal(t, 1, b.count("SELECT count(*) FROM address WHERE tag = 'spare'"))
	assert.Zero(t, b.count("SELECT count(*) FROM address WHERE tag = 'late'"))
}

func TestWrongInputTouchesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("secrets", "other: x\n")
	_, err := b.run("apply")
	require.ErrorContains(t, err, "trunk telco-2: the secrets file has no telco_password")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	b.edit("addresses: [10.20.1.6]", "addresses: [8.8.8.8]", "trunk: spare}", "trunk: sparse}")
	_, err = b.run("apply")
	require.ErrorContains(t, err, "8.8.8.8")
	require.ErrorContains(t, err, "sparse")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.NoError(t, os.Chmod(filepath.Join(b.dir, "database"), 0o644)) //nolint:gosec // that is what is refused
	b.put("secrets", "telco_password: correct horse\n")
	b.edit("addresses: [8.8.8.8]", "addresses: [10.20.1.6]", "trunk: sparse}", "trunk: spare}")
	_, err = b.run("apply")
	require.ErrorContains(t, err, "database")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.Zero(t, b.count("SELECT count(*) FROM routing_revision"))
}

func TestTestCommand(t *testing.T) {
	t.Parallel()
	b := &bench{t: t, dir: t.TempDir()}
	text, err := os.ReadFile(example)
	require.NoError(t, err)
	b.put("routing.yml", string(text))
	out, err := b.run("test")
	require.NoError(t, err)
	assert.Contains(t, out, "ok    trunk:telco-1 dials 4155550250: ipbx:acme-1")
	out, err = b.run("test", "--from", "ipbx:acme-1", "--to", "0114420712345")
	require.NoError(t, err)
	assert.Equal(t, "+4420712345 of acme, by route world\n  priority 1,  75 %  trunk:telco-1  as +4420712345\n"+
		"  priority 1,  25 %  trunk:telco-2  as +4420712345\n  priority 2, 100 %  trunk:spare  as 4420712345\n", out)
	b.edit(`expect: "trunk:spare"`, `expect: "trunk:telco-1"`)
	out, err = b.run("test")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	require.ErrorContains(t, err, "1 of 7 tests of the routing failed")
	assert.Contains(t, out, "FAIL  ipbx:acme-1 dials 011331234567: trunk:spare, want trunk:telco-1")
	_, err = b.run("test", "--from", "ipbx:nobody", "--to", "1")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	_, err = b.run("plan")
	assert.Equal(t, cli.ExitUsage, cli.Code(err), "no database is named that exists")
}
