package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/stacks"
)

// heard is the other end of a command: it hears all that the command reads, and then answers.
type heard struct {
	all    bytes.Buffer
	said   *strings.Reader
	closed chan struct{}
}

func (h *heard) Write(p []byte) (int, error) { return h.all.Write(p) }

func (h *heard) Read(p []byte) (int, error) {
	<-h.closed
	return h.said.Read(p)
}

func (h *heard) Close() error {
	close(h.closed)
	return nil
}

// TestRestoreDatabase fails once on the Router, and goes on.
func TestRestoreDatabase(t *testing.T) {
	e := emulatortest.Start(t)
	for _, pair := range e.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	client := rds.NewFromConfig(e.AWSConfig())
	made, err := client.CreateDBInstance(t.Context(), &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: aws.String("trial-router"), DBInstanceClass: aws.String("db.t4g.small"), Engine: aws.String("postgres"), AllocatedStorage: aws.Int32(20),
		DBName: aws.String("c4"), MasterUsername: aws.String("calldata"), ManageMasterUserPassword: aws.Bool(true), BackupRetentionPeriod: aws.Int32(7),
		MultiAZ: aws.Bool(true), Tags: []types.Tag{{Key: aws.String("Environment"), Value: aws.String("trial")}},
	})
	require.NoError(t, err)
	b := newBench(t, sshtest.Reply{Stderr: "failed: the disk has no room", Code: 1})
	b.stack.Region = "us-east-1"
	engine, machine := &b.stack.Nodes[0], &b.stack.Nodes[1]
	engine.PrivateIP, machine.PrivateIP = machine.PrivateIP, engine.PrivateIP // the Router is the one that answers
	b.stack.Database = &stacks.Database{Host: aws.ToString(made.DBInstance.Endpoint.Address), Port: 5432, SecretARN: aws.ToString(made.DBInstance.MasterUserSecret.SecretArn)}
	b.stack.Backups = &stacks.Backups{Bucket: "trial-backup", KeyARN: "arn:aws:kms:us-east-1:123456789012:key/1"}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // RDS restores to whole seconds, from the instance's birth on

	require.ErrorContains(t, b.run(t, "restore-database", "trial", "--to", "2099-01-01T00:00:00Z", "--yes"), "want an earlier time")
	require.ErrorContains(t, b.run(t, "restore-database", "trial", "--to", "latest"), "--yes", "nobody is there to ask")
	there := func(id string) *types.DBInstance {
		i, _, err := existing(context.Background(), client, id, time.Time{})
		if err == nil {
			return i
		}
		out, err := client.DescribeDBInstances(context.Background(), &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
		require.NoError(t, err)
		return &out.DBInstances[0]
	}
	require.Nil(t, there("trial-router-then"), "nothing has been touched")

	to := time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
	err = b.run(t, "restore-database", "trial", "--to", to, "--yes")
	require.ErrorContains(t, err, "the disk has no room")
	require.ErrorContains(t, err, "the same command goes on with it")
	then := there("trial-router-then")
	require.NotNil(t, then)
	tags := map[string]string{}
	for _, tag := range then.TagList {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	assert.Equal(t, to, tags[timeTag])
	assert.Equal(t, "trial", tags["Environment"], "what may be done with it goes by this")
	assert.False(t, aws.ToBool(then.MultiAZ))
	err = b.run(t, "restore-database", "trial", "--to", "2026-01-01T00:00:00Z", "--yes")
	require.ErrorContains(t, err, "delete it: aws rds delete-db-instance", "one of another time is nobody's to take")

	read := map[string]*heard{}
	server := sshtest.Start(t, func(command string) sshtest.Reply {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.commands = append(b.commands, command)
		for what, says := range map[string]string{"--server": "database-then/20261129T020000Z-1\n", "cat >" + memberKey: ""} {
			if strings.Contains(command, what) {
				read[what] = &heard{said: strings.NewReader(says), closed: make(chan struct{})}
				return sshtest.Reply{Join: read[what]}
			}
		}
		return sshtest.Reply{}
	})
	b.opts.port, b.env["CALLDATA_SSH_KEY"], b.env["CALLDATA_KNOWN_HOSTS"] = server.Port, server.KeyFile, server.KnownHosts
	b.commands = nil
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("AGE-SECRET-KEY-1\n"), 0o600))
	require.NoError(t, b.run(t, "restore-database", "trial", "--to", "latest", "--yes", "--json", "--identity", key), "which is that of the run before")
	for _, h := range read {
		<-h.closed
	}
	assert.Equal(t, "AGE-SECRET-KEY-1\n", read["cat >"+memberKey].all.String())
	var login struct{ Host, Username, Password string }
	require.NoError(t, json.Unmarshal(read["--server"].all.Bytes(), &login))
	assert.Equal(t, aws.ToString(then.Endpoint.Address), login.Host)
	assert.Equal(t, "calldata", login.Username)
	all := strings.Join(b.commands, "\n")
	assert.NotContains(t, all, login.Password)
	assert.Contains(t, all, "calldata-backup restore database-then/20261129T020000Z-1 --yes --identity "+memberKey+" --part database")
	assert.Contains(t, all, "rm -f "+memberKey, "no key stays on the Router")
	var done Rewound
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &done))
	assert.Equal(t, "database-then/20261129T020000Z-1", done.Backup)
	assert.Equal(t, "trial-router-1", done.Router)
	assert.Empty(t, done.Kept)
	assert.Nil(t, there("trial-router-then"), "it is gone when all is done")
}

func TestRestoreDatabaseMistakes(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{})
	err := b.run(t, "restore-database", "trial", "--to", "yesterday", "--identity-secret", "mine; rm")
	for _, part := range []string{`--to is "yesterday"`, "--identity-secret is"} {
		require.ErrorContains(t, err, part)
	}
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	b.stack.Database = nil
	require.ErrorContains(t, b.run(t, "restore-database", "trial", "--to", "latest"), "no database of RDS")
	assert.Empty(t, b.commands)
}
