package dr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/promise"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/stacks"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// bench is the command on a stack of which a test says what AWS and the machines would say.
type bench struct {
	opts  *Options
	stack stacks.Outputs
	out   bytes.Buffer
}

// newBench is a stack with two engines in different zones, a fleet of two SBCs and a database with a standby, all well.
func newBench() *bench {
	b := &bench{stack: stacktest.Stack()}
	second := b.stack.Nodes[0]
	b.stack.Nodes[0].Zone, second.Zone = "eu-west-1a", "eu-west-1b"
	second.Name, second.InstanceID = "trial-uc-2", "i-0aaaaaaaaaaaaaaa4"
	b.stack.Nodes = append(b.stack.Nodes, second)
	b.stack.Database = &stacks.Database{Host: "db.example.com", Port: 5432, SecretARN: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"}
	b.opts = &Options{
		IO: &cli.IO{In: strings.NewReader(""), Out: &b.out, Err: io.Discard, Getenv: func(string) string { return "" }},
		tools: tools{
			members: func(context.Context, stacks.Outputs, stacks.Role) ([]stacks.Node, error) {
				return make([]stacks.Node, 2), nil
			},
			backups: func(_ context.Context, _ *cli.IO, _ stacks.Outputs, role stacks.Role) ([]backup.Backup, error) {
				return map[stacks.Role][]backup.Backup{
					stacks.RoleUCEngine: {
						{ID: "trial-uc-1/20261130T110000Z-1", Damaged: "no manifest"}, {ID: "trial-uc-1/20261130T020000Z-2"},
						{ID: "trial-uc-1/20261129T020000Z-3"}, {ID: "trial-uc-2/20261130T100000Z-4"},
					},
					stacks.RoleC4Router: {{ID: "database/20261130T020000Z-5"}},
				}[role], nil
			},
			database: func(context.Context, stacks.Outputs) (Database, error) {
				return Database{ID: "trial-router", Standby: true, Restorable: now.Add(-3 * time.Minute)}, nil
			},
			copies: func(context.Context, string, string, func(string) string) ([]statestore.Checkpoint, error) {
				return []statestore.Checkpoint{statestore.NewCheckpoint(statestore.FromHistory, statestore.Object{Time: now})}, nil
			},
			pair: func(_ context.Context, _ *cli.IO, n stacks.Node, _ stacks.Outputs) (*Pair, error) {
				if n.Name == "trial-uc-1" {
					return &Pair{Master: n.Name, Begun: now.Add(-20 * time.Minute)}, nil
				}
				return nil, nil
			},
			now: func() time.Time { return now },
		},
	}
	return b
}

// withCopies gives the stack copies in a second region.
func (b *bench) withCopies(archives []backup.Backup, err error) {
	b.stack.Backups.Copy = &stacks.BackupsCopy{Region: "us-west-2", Bucket: "trial-copies", KeyARN: "arn:aws:kms:us-west-2:123456789012:key/2"}
	b.opts.archives = func(_ context.Context, _ *cli.IO, _ stacks.Outputs, where string, _ ...stacks.Role) ([]backup.Backup, error) {
		if where != "trial:copy" {
			return nil, errors.New("asked for " + where)
		}
		return archives, err
	}
}

func (b *bench) run(t *testing.T, args ...string) error {
	t.Helper()
	b.out.Reset()
	cmd := newCmd(b.opts)
	cmd.SetArgs(append([]string{"plan", "trial", "--outputs", stacktest.Write(t, b.stack)}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(t.Context())
}

func (b *bench) plan(t *testing.T, code int) map[string]Loss {
	t.Helper()
	err := b.run(t, "--json")
	assert.Equal(t, code, cli.Code(err), err)
	var p Plan
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &p))
	found := map[string]Loss{}
	for _, l := range p.Losses {
		assert.NotEmpty(t, l.Steps, l.What)
		found[l.What] = l
	}
	return found
}

func TestAHealthyStackKeepsItsPromises(t *testing.T) {
	t.Parallel()
	b := newBench()
	all := b.plan(t, cli.ExitOK)
	for what, status := range map[string]verdict.Status{
		"a machine of trial-sbc": verdict.OK, "engine trial-uc-1": verdict.OK, "engine trial-uc-2": verdict.OK, "c4-router trial-router-1": verdict.OK,
		"all engines": verdict.OK, "the Routers' database": verdict.OK, "data in the Routers' database": verdict.OK, "Pulumi's state": verdict.OK,
		"a zone": verdict.OK, "the region": verdict.Warn,
	} {
		assert.Equal(t, status, all[what].Status, what)
	}
	assert.Len(t, all, 10)
	assert.Equal(t, "backup trial-uc-1/20261130T020000Z-2", all["all engines"].Detail, "the newest that is whole")
	assert.InDelta(t, (10 * time.Hour).Seconds(), *all["all engines"].Age, 0)
	assert.Contains(t, all["data in the Routers' database"].Detail, "our own backup database/20261130T020000Z-5 is 10h0m old")
	assert.Nil(t, all["the region"].Age)
	assert.Nil(t, all["the region"].RPO, "nothing is promised without copies")
	assert.Equal(t, "trial-uc-1 copied its data", all["engine trial-uc-2"].Detail)
	assert.InDelta(t, (20 * time.Minute).Seconds(), *all["engine trial-uc-2"].Age, 0)

	require.NoError(t, b.run(t))
	assert.Regexp(t, `(?m)^all engines +ok +10h0m +26 h +2 h +backup trial-uc-1/20261130T020000Z-2$`, b.out.String())
	assert.Regexp(t, `(?m)^a machine of trial-sbc +ok +nothing +nothing +1 min +2 run$`, b.out.String())
	assert.Contains(t, b.out.String(), "\nall engines is lost:\n  1. pulumi up -s trial --replace \"$(pulumi stack -s trial --show-urns | grep -o 'urn:.*:Instance::trial-uc-1$')\"\n"+
		"  2. calldata backup restore trial trial-uc-1\n  3. calldata inventory trial | calldata configure --stack trial --playbook uc-engine --limit trial-uc-1\n")
}

func TestPromisesThatAreNotKept(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.stack.Nodes[2].Zone = b.stack.Nodes[0].Zone
	b.opts.now = func() time.Time { return now.Add(17 * time.Hour) }
	b.opts.members = stacktest.Members
	b.opts.database = func(context.Context, stacks.Outputs) (Database, error) { return Database{ID: "trial-router"}, nil }
	b.opts.copies = func(context.Context, string, string, func(string) string) ([]statestore.Checkpoint, error) {
		return nil, nil
	}
	all := b.plan(t, cli.ExitUnhealthy)
	for what, detail := range map[string]string{
		"a machine of trial-sbc": "1 runs: nobody is there meanwhile", "all engines": "backup trial-uc-1/20261130T020000Z-2",
		"the Routers' database": "RDS names no time that trial-router can be restored to", "Pulumi's state": "its backend keeps no copy of it",
		"a zone": "all engines are in eu-west-1a",
	} {
		assert.Equal(t, verdict.Fail, all[what].Status, what)
		assert.Equal(t, detail, all[what].Detail)
	}
	b.opts.backups = func(context.Context, *cli.IO, stacks.Outputs, stacks.Role) ([]backup.Backup, error) {
		return []backup.Backup{{ID: "trial-uc-1/20261130T020000Z-2", Failed: map[string]string{"wazo": "no space"}}}, nil
	}
	assert.Equal(t, "there is no whole backup of trial-uc-1", b.plan(t, cli.ExitUnhealthy)["all engines"].Detail)
}

func TestWhatCannotBeAskedIsSaid(t *testing.T) {
	t.Parallel()
	b := newBench()
	away := errors.New("nobody answers")
	b.opts.members = func(context.Context, stacks.Outputs, stacks.Role) ([]stacks.Node, error) { return nil, away }
	b.opts.backups = func(context.Context, *cli.IO, stacks.Outputs, stacks.Role) ([]backup.Backup, error) { return nil, away }
	b.opts.database = func(context.Context, stacks.Outputs) (Database, error) { return Database{}, away }
	b.opts.copies = func(context.Context, string, string, func(string) string) ([]statestore.Checkpoint, error) {
		return nil, away
	}
	b.opts.pair = func(context.Context, *cli.IO, stacks.Node, stacks.Outputs) (*Pair, error) { return nil, away }
	b.withCopies(nil, away)
	all := b.plan(t, cli.ExitUnreachable)
	skipped := 0
	for _, l := range all {
		if l.Status == verdict.Skip {
			assert.Contains(t, l.Detail, "nobody answers")
			skipped++
		}
	}
	assert.Equal(t, 8, skipped, "fleet, two engines of a pair, all engines, database, its data, state, region")
	assert.Equal(t, verdict.OK, all["a zone"].Status)
}

func TestAStackThatHasNoBucketYet(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.stack.Nodes, b.stack.Fleets, b.stack.Database, b.stack.Backups = b.stack.Nodes[:2], nil, nil, nil
	all := b.plan(t, cli.ExitUnhealthy)
	assert.Len(t, all, 5)
	for what, status := range map[string]verdict.Status{
		"engine trial-uc-1": verdict.Fail, "c4-router trial-router-1": verdict.Fail, "a zone": verdict.Warn, "the region": verdict.Warn,
	} {
		assert.Equal(t, status, all[what].Status, what)
		assert.NotContains(t, strings.Join(all[what].Steps, "\n"), "backup restore")
	}
}

// As a stack of the shape dev: one engine, and a Router that has the database on its own disk.
func TestARouterWithTheDatabaseOnIt(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.stack.Nodes, b.stack.Fleets, b.stack.Database = b.stack.Nodes[:2], nil, nil
	all := b.plan(t, cli.ExitOK)
	engine, router := all["engine trial-uc-1"], all["c4-router trial-router-1"]
	assert.Equal(t, "backup trial-uc-1/20261130T020000Z-2", engine.Detail)
	assert.InDelta(t, (2 * time.Hour).Seconds(), *engine.RTO, 0)
	assert.Equal(t, "backup database/20261130T020000Z-5", router.Detail)
	assert.InDelta(t, (26 * time.Hour).Seconds(), *router.RPO, 0)
	const back = "calldata backup restore trial trial-router-1 --backup database/latest --part database"
	assert.Equal(t, back, router.Steps[1], "what else it has names the machine that was lost")
	assert.Contains(t, all["the region"].Steps, back)
	b.opts.now = func() time.Time { return now.Add(17 * time.Hour) }
	assert.Equal(t, verdict.Fail, b.plan(t, cli.ExitUnhealthy)["engine trial-uc-1"].Status)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	b := newBench()
	assert.Equal(t, cli.ExitUsage, cli.Code(b.run(t, "stage")))
	assert.Equal(t, cli.ExitUsage, cli.Code(b.run(t, "--timeout", "0s")))
}

// TestOnTheEmulator asks real clients.
func TestOnTheEmulator(t *testing.T) { //nolint:paralleltest // it sets the environment
	e := emulatortest.Start(t)
	for _, pair := range e.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	ctx, stack := t.Context(), stacktest.Stack()
	stack.Region = e.AWSConfig().Region
	made, err := rds.NewFromConfig(e.AWSConfig()).CreateDBInstance(ctx, &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: aws.String("trial-router"), DBInstanceClass: aws.String("db.t4g.small"), Engine: aws.String("postgres"),
		MasterUsername: aws.String("calldata"), MasterUserPassword: aws.String("not-a-secret"), MultiAZ: aws.Bool(true), BackupRetentionPeriod: aws.Int32(7),
	})
	require.NoError(t, err)
	stack.Database = &stacks.Database{Host: aws.ToString(made.DBInstance.Endpoint.Address)}
	db, err := describeDatabase(ctx, stack)
	require.NoError(t, err)
	assert.Equal(t, "trial-router", db.ID)
	assert.True(t, db.Standby)
	assert.False(t, db.Restorable.IsZero())
	stack.Database.Host = "nowhere.example.com"
	_, err = describeDatabase(ctx, stack)
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
}

func TestCopiesOfTheState(t *testing.T) {
	t.Parallel()
	_, err := copies(t.Context(), "", "nosuch", func(string) string { return "" })
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	dir := t.TempDir()
	found, err := copies(t.Context(), "", "dev", func(name string) string {
		return map[string]string{"PULUMI_BACKEND_URL": "file://" + dir}[name]
	})
	require.NoError(t, err)
	assert.Empty(t, found)
}

func TestTheRegionWithCopies(t *testing.T) {
	t.Parallel()
	b := newBench()
	archives := []backup.Backup{{ID: "trial-uc-1/20261130T020000Z-2"}, {ID: "trial-uc-1/20261130T030000Z-9", Damaged: "torn"}, {ID: "database/20261130T050000Z-5"}}
	b.withCopies(archives, nil)
	region := b.plan(t, cli.ExitOK)["the region"]
	assert.Equal(t, verdict.OK, region.Status)
	assert.InDelta(t, (10 * time.Hour).Seconds(), *region.Age, 0, "that of the older one")
	assert.InDelta(t, promise.Of(promise.Region).RPO.Seconds(), *region.RPO, 0)
	assert.Equal(t, "us-west-2 has trial-uc-1/20261130T020000Z-2, database/20261130T050000Z-5", region.Detail)
	assert.Contains(t, region.Steps, "calldata backup restore NEW NEW-uc-1 --backup trial-uc-1/latest --from 's3://trial-copies?region=us-west-2' --allow stack")
	assert.Contains(t, region.Steps, "calldata backup restore NEW NEW-router-1 --part database --from 's3://trial-copies?region=us-west-2' --allow stack")

	b.opts.now = func() time.Time { return now.Add(24 * time.Hour) }
	b.opts.pair = func(context.Context, *cli.IO, stacks.Node, stacks.Outputs) (*Pair, error) { return nil, nil } //nolint:nilnil // no pair
	assert.Equal(t, verdict.Fail, b.plan(t, cli.ExitUnhealthy)["the region"].Status, "the copies have stopped")
	b.opts.now = func() time.Time { return now }
	b.withCopies(archives[:2], nil)
	assert.Equal(t, "us-west-2 has no whole backup of database", b.plan(t, cli.ExitUnhealthy)["the region"].Detail)
	b.stack.Database = nil
	assert.Equal(t, "us-west-2 has trial-uc-1/20261130T020000Z-2", b.plan(t, cli.ExitOK)["the region"].Detail)
}

func TestTheCopyOfAPair(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		pair   *Pair
		status verdict.Status
		code   int
		detail string
	}{
		"none":         {nil, verdict.Warn, cli.ExitOK, "no engine says that it copies its data"},
		"never":        {&Pair{Master: "trial-uc-1"}, verdict.Fail, cli.ExitUnhealthy, "has not copied its data since it was started"},
		"under way":    {&Pair{"trial-uc-1", ago(time.Minute), true}, verdict.OK, cli.ExitOK, "is copying its data"},
		"failed":       {&Pair{"trial-uc-1", ago(11 * time.Minute), true}, verdict.Fail, cli.ExitUnhealthy, "began 11m0s ago has failed"},
		"about due":    {&Pair{"trial-uc-1", ago(61 * time.Minute), false}, verdict.OK, cli.ExitOK, "the next copy is due"},
		"not any more": {&Pair{"trial-uc-1", ago(3 * time.Hour), false}, verdict.Fail, cli.ExitUnhealthy, "trial-uc-1 copied its data"},
	} {
		b := newBench()
		b.opts.pair = func(context.Context, *cli.IO, stacks.Node, stacks.Outputs) (*Pair, error) { return c.pair, nil }
		l := b.plan(t, c.code)["engine trial-uc-2"]
		assert.Equal(t, c.status, l.Status, name)
		assert.Contains(t, l.Detail, c.detail, name)
	}
}

func TestWhatAMasterSays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*Pair{
		"":               nil,
		"0 0\n":          {Master: "uc-1"},
		"1764504000 0\n": {Master: "uc-1", Begun: time.Unix(1764504000, 0)},
		"1764504000 2\n": {Master: "uc-1", Begun: time.Unix(1764504000, 0), Left: true},
	} {
		got, err := parsePair("uc-1", text)
		require.NoError(t, err)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"1764504000", "now 0", "1 2 3"} {
		_, err := parsePair("uc-1", text)
		require.ErrorContains(t, err, "uc-1 says", text)
	}
}

// The command as it is, on the files that a master has.
func TestLookAtPair(t *testing.T) {
	t.Parallel()
	tmp, cron := t.TempDir(), filepath.Join(t.TempDir(), "xivo-ha-master")
	script := strings.NewReplacer("sudo -n ", "", "/tmp", tmp, "/etc/cron.d/xivo-ha-master", cron).Replace(lookAtPair)
	look := func() string {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
		require.NoError(t, err)
		return string(out)
	}
	write := func(path, text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, now, now))
	}
	assert.Empty(t, look())
	write(cron, "")
	assert.Equal(t, "0 0\n", look())
	dump, rows := filepath.Join(tmp, "out_master_backup.sql"), "COPY public.extensions (id) FROM stdin;\n"+strings.Repeat("1\n", 1000)
	write(dump, rows)
	assert.Equal(t, fmt.Sprintf("%d 1\n", now.Unix()), look(), "half of a dump")
	for _, end := range []string{"", "\\unrestrict " + strings.Repeat("k", 63) + "\n\n"} {
		write(dump, rows+"--\n-- PostgreSQL database dump complete\n--\n\n"+end)
		assert.Equal(t, fmt.Sprintf("%d 0\n", now.Unix()), look())
	}
	write(filepath.Join(tmp, "replication.sql"), "")
	assert.Equal(t, fmt.Sprintf("%d 1\n", now.Unix()), look())
}
