package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/backup"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/stacks"
)

// TestFailover makes stage afresh in the region of its copies, with the real engine: the database begins with the copy of a recovery
// point. The same command again changes nothing.
func TestFailover(t *testing.T) {
	dir, emulator := projectOf(t, stacks.KindStage)
	ownAnsible(t, dir)
	commit(t, "Stage")
	_, code := calldata(t, "", "deploy", "stage", "--yes", "--skip", "preflight")
	require.Equal(t, cli.ExitOK, code)
	far := emulator.AWSConfig()
	far.Region = "us-west-2" // the scene's copyRegion

	failover := func(typed string, args ...string) (made, int) {
		t.Helper()
		out, code := calldata(t, typed, append([]string{"dr", "failover", "stage", "--skip", "preflight", "--json"}, args...)...)
		var r made
		if out != "" {
			require.NoError(t, json.Unmarshal([]byte(out), &r))
		}
		return r, code
	}
	_, code = failover("", "--plan")
	require.Equal(t, cli.ExitUnhealthy, code, "nothing was copied yet")
	copied := copyDatabase(t, emulator.AWSConfig(), far)
	r, code := failover("", "--plan")
	require.Equal(t, cli.ExitOK, code)
	assert.Equal(t, "planned", r.Result)
	assert.Equal(t, copied.arn, r.Returns[0].Source)
	_, code = failover("stage\n")
	require.Equal(t, cli.ExitDeclined, code)
	assert.NoFileExists(t, filepath.Join(dir, "Pulumi.stage-us-west-2.yaml"))

	r, code = failover("stage-us-west-2\n")
	require.Equal(t, cli.ExitOK, code)
	assert.Equal(t, "made", r.Result)
	assert.NotEmpty(t, r.Next)
	databases, err := rds.NewFromConfig(far).DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{})
	require.NoError(t, err)
	require.Len(t, databases.DBInstances, 1)
	database := databases.DBInstances[0]
	assert.Equal(t, "stage-us-west-2-router", aws.ToString(database.DBInstanceIdentifier))
	assert.Equal(t, "calldata", aws.ToString(database.DBName), "the snapshot's")
	assert.NotNil(t, database.MasterUserSecret)
	assert.NotEqual(t, copied.key, aws.ToString(database.KmsKeyId), "the key of the copies goes with the old stack")

	r, code = failover("stage-us-west-2\n")
	require.Equal(t, cli.ExitOK, code)
	assert.Contains(t, r.step("deploy"), "unchanged")
	for _, stack := range []string{"stage", "stage-us-west-2"} {
		pulumi(t, "preview", "--refresh", "--expect-no-changes", "--stack", stack)
	}
	// Once the snapshot is not named any more, its copy goes, and the database stays as it is.
	pulumi(t, "config", "rm", "calldata-foundation:databaseSnapshot", "--stack", "stage-us-west-2")
	out, code := calldata(t, "", "deploy", "stage-us-west-2", "--yes", "--skip", "preflight", "--json")
	require.Equal(t, cli.ExitOK, code)
	var after struct{ Changed map[string]int }
	require.NoError(t, json.Unmarshal([]byte(out), &after))
	assert.Subset(t, []string{"delete", "same", "update"}, slices.Collect(maps.Keys(after.Changed)))
	assert.Equal(t, 1, after.Changed["delete"])
	_, code = calldata(t, "stage-us-west-2\n", "destroy", "stage-us-west-2")
	assert.Equal(t, cli.ExitOK, code)

	// The same at home, which leaves nothing.
	_, code = calldata(t, "", "dr", "drill", "stage", "--skip", "preflight", "--yes")
	assert.Equal(t, cli.ExitOK, code)
	assert.NoFileExists(t, filepath.Join(dir, "Pulumi.stage-drill.yaml"))
	assert.NoDirExists(t, filepath.Join(dir, "ansible", "inventories", "stage-drill"))
	assert.NotContains(t, pulumi(t, "stack", "ls"), "stage-drill")
	databases, err = rds.NewFromConfig(emulator.AWSConfig()).DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{})
	require.NoError(t, err)
	assert.Len(t, databases.DBInstances, 1)
}

// ownAnsible gives a project a copy of the repository's content for Ansible, for tests that write into it.
func ownAnsible(t *testing.T, dir string) {
	t.Helper()
	link := filepath.Join(dir, "ansible")
	content, err := filepath.EvalSymlinks(link)
	require.NoError(t, err)
	require.NoError(t, os.Remove(link))
	require.NoError(t, os.CopyFS(link, os.DirFS(content)))
}

// made is what the command prints.
type made struct {
	Result  string
	Returns []struct{ Source string }
	Steps   []struct{ Name, Detail string }
	Next    []string
}

func (m made) step(name string) string {
	for _, s := range m.Steps {
		if s.Name == name {
			return s.Detail
		}
	}
	return ""
}

// copyOf is a copy of a database in the second region, and the key that encrypts it.
type copyOf struct{ arn, key string }

// copyDatabase has AWS Backup save stage's database and copy that to the second region, as its plan does at night.
func copyDatabase(t *testing.T, near, far aws.Config) copyOf {
	t.Helper()
	ctx, role := t.Context(), aws.String("arn:aws:iam::123456789012:role/backup")
	vault := func(settings aws.Config) (name, arn *string) {
		all, err := backup.NewFromConfig(settings).ListBackupVaults(ctx, &backup.ListBackupVaultsInput{})
		require.NoError(t, err)
		require.Len(t, all.BackupVaultList, 1)
		return all.BackupVaultList[0].BackupVaultName, all.BackupVaultList[0].BackupVaultArn
	}
	name, _ := vault(near)
	_, destination := vault(far)
	databases, err := rds.NewFromConfig(near).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	require.NoError(t, err)
	client := backup.NewFromConfig(near)
	saved, err := client.StartBackupJob(ctx, &backup.StartBackupJobInput{BackupVaultName: name, ResourceArn: databases.DBInstances[0].DBInstanceArn, IamRoleArn: role})
	require.NoError(t, err)
	_, err = client.StartCopyJob(ctx, &backup.StartCopyJobInput{
		SourceBackupVaultName: name, RecoveryPointArn: saved.RecoveryPointArn, DestinationBackupVaultArn: destination, IamRoleArn: role,
	})
	require.NoError(t, err)
	copies, err := rds.NewFromConfig(far).DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{SnapshotType: aws.String("awsbackup")})
	require.NoError(t, err)
	require.Len(t, copies.DBSnapshots, 1)
	return copyOf{aws.ToString(copies.DBSnapshots[0].DBSnapshotArn), aws.ToString(copies.DBSnapshots[0].KmsKeyId)}
}
