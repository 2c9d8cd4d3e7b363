package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/awsfront"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	assert.Equal(t, netip.MustParsePrefix("10.20.3.249/24"), address(netip.MustParsePrefix("10.20.3.0/24"), 0))
	assert.Equal(t, netip.MustParsePrefix("10.20.15.249/20"), address(netip.MustParsePrefix("10.20.0.0/20"), 0))
	assert.Equal(t, netip.MustParsePrefix("10.20.3.247/24"), address(netip.MustParsePrefix("10.20.3.0/24"), 2))
}

// TestInstanceBecomesPostgreSQL logs in as a Router does: by the endpoint's name, with TLS, with the secret's password.
func TestInstanceBecomesPostgreSQL(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("boots a machine")
	}
	if missing := machines.Preflight(); len(missing) > 0 {
		t.Skipf("this host cannot run machines: %v", missing)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	id := fmt.Sprintf("cd-test-database-%d", os.Getpid())
	dir := machines.StateDir(id)
	t.Cleanup(func() {
		_, err := machines.Teardown(context.Background(), id)
		assert.NoError(t, err)
		assert.NoError(t, os.RemoveAll(dir))
	})
	root, err := cache.Default()
	require.NoError(t, err)
	image, err := machines.EnsureImage(ctx, filepath.Join(root, "image"), progress.Discard)
	require.NoError(t, err)
	python, err := pyenv.Prepare(ctx, filepath.Join(root, "venv"), progress.Discard)
	require.NoError(t, err)
	network, err := machines.NewNetwork(ctx, id, machines.NetworkOptions{})
	require.NoError(t, err)
	moto, err := emulator.Start(ctx, emulator.Options{Python: python.Python(), Dir: filepath.Join(dir, "emulator"), NetNS: network.Name()})
	require.NoError(t, err)
	t.Cleanup(moto.Stop)
	front, err := awsfront.Start(ctx, awsfront.Options{Network: network, Config: moto.AWSConfig(), Endpoint: moto.URL()})
	require.NoError(t, err)
	t.Cleanup(front.Stop)

	key := filepath.Join(dir, "id_ed25519")
	public, err := machines.NewLogin(key)
	require.NoError(t, err)
	known := filepath.Join(dir, "known_hosts")
	set := machines.NewSet(machines.SetOptions{Image: image, Network: network, Dir: filepath.Join(dir, "machines"), ConsoleDir: filepath.Join(dir, "console"),
		KnownHosts: known, Resolver: front.Resolver(), Trust: front.Authority()})
	t.Cleanup(func() { assert.NoError(t, set.Close(context.Background())) })
	told := make(chan string, 2)
	watcher := Start(ctx, Options{Config: moto.AWSConfig(), Machines: set, Network: network, PublicKey: public, KeyFile: key, KnownHosts: known,
		Front: front, Secret: func(_, value string) { told <- value }, Progress: progress.Discard})
	t.Cleanup(watcher.Stop)

	vpcs := ec2.NewFromConfig(moto.AWSConfig())
	vpc, err := vpcs.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.20.0.0/16")})
	require.NoError(t, err)
	var subnets []string
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		subnet, err := vpcs.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String(fmt.Sprintf("10.20.%d.0/24", i)), AvailabilityZone: aws.String(zone)})
		require.NoError(t, err)
		subnets = append(subnets, *subnet.Subnet.SubnetId)
	}
	client := rds.NewFromConfig(moto.AWSConfig())
	_, err = client.CreateDBSubnetGroup(ctx, &rds.CreateDBSubnetGroupInput{DBSubnetGroupName: aws.String("intra"), DBSubnetGroupDescription: aws.String("test"), SubnetIds: subnets})
	require.NoError(t, err)
	_, err = client.CreateDBParameterGroup(ctx, &rds.CreateDBParameterGroupInput{DBParameterGroupName: aws.String("ours"), DBParameterGroupFamily: aws.String("postgres15"),
		Description: aws.String("test")})
	require.NoError(t, err)
	parameter := func(name, value string) types.Parameter {
		return types.Parameter{ParameterName: aws.String(name), ParameterValue: aws.String(value), ApplyMethod: types.ApplyMethodPendingReboot}
	}
	_, err = client.ModifyDBParameterGroup(ctx, &rds.ModifyDBParameterGroupInput{DBParameterGroupName: aws.String("ours"),
		Parameters: []types.Parameter{parameter("max_connections", "168"), parameter("rds.force_ssl", "1")}})
	require.NoError(t, err)
	made, err := client.CreateDBInstance(ctx, &rds.CreateDBInstanceInput{DBInstanceIdentifier: aws.String("test-db"), DBInstanceClass: aws.String("db.t4g.small"), Engine: aws.String("postgres"),
		DBName: aws.String("c4"), MasterUsername: aws.String("calldata"), ManageMasterUserPassword: aws.Bool(true), DBSubnetGroupName: aws.String("intra"), DBParameterGroupName: aws.String("ours"), AllocatedStorage: aws.Int32(20), Port: aws.Int32(5432), MultiAZ: aws.Bool(true)})
	require.NoError(t, err)

	endpoint := aws.ToString(made.DBInstance.Endpoint.Address)
	secretOf := func(i *types.DBInstance) (login struct{ Username, Password string }) {
		secret, err := secretsmanager.NewFromConfig(moto.AWSConfig()).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: i.MasterUserSecret.SecretArn})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal([]byte(*secret.SecretString), &login))
		return login
	}
	login, at := secretOf(made.DBInstance), "10.20.0.249"
	sql := func(mode, statement string) (string, error) {
		script := fmt.Sprintf("umask 077; cat >~/.pgpass <<'E'\n*:*:*:%s:%s\nE\npsql -At 'host=%s dbname=c4 user=%s sslmode=%s sslrootcert=/etc/ssl/certs/ca-certificates.crt' <<'E'\n%s\nE\n",
			login.Username, strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(login.Password), endpoint, login.Username, mode, statement)
		cmd := network.Command(ctx, "ssh", "-i", key, "-o", "BatchMode=yes", "-o", "UserKnownHostsFile="+known, "admin@"+at, "bash -s")
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := sql("verify-full", "CREATE TABLE IF NOT EXISTS calls(n int); SELECT current_user || ' ' || split_part(version(), ' ', 2)")
		require.NoError(c, errors.Join(err, watcher.Err()), out)
		assert.Contains(c, out, "calldata 15.")
	}, 90*time.Second, 2*time.Second, "the database answers under its endpoint")
	assert.Equal(t, login.Password, <-told)
	out, err := sql("verify-full", "SHOW max_connections")
	require.NoError(t, err, out)
	assert.Equal(t, "168", out, "what the parameter group says")
	out, err = sql("disable", "SELECT 1")
	require.Error(t, err, "without TLS nobody gets in: %s", out)

	// The zone of the primary is lost: the standby has what was written, and the endpoint's name.
	zones, err := watcher.Zones(ctx)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"test-db": "us-east-1a"}, zones)
	require.NoError(t, set.Kill(ctx, Machine("test-db")))
	_, err = watcher.FailOver(ctx, "test-db", "us-east-1a", time.Now().Add(-FailoverTime))
	require.NoError(t, err)
	at = "10.20.1.249"
	out, err = sql("verify-full", "SELECT count(*) FROM calls")
	require.NoError(t, err, out)
	assert.Equal(t, "0", out)
	zones, err = watcher.Zones(ctx)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"test-db": "us-east-1b"}, zones)
	_, err = watcher.FailOver(ctx, "other", "us-east-1a", time.Now())
	require.ErrorContains(t, err, "fail over database other")

	out, err = sql("require", "INSERT INTO calls VALUES (1), (2)")
	require.NoError(t, err, out)
	out, err = sql("require", "SELECT extract(epoch FROM clock_timestamp())::float8")
	require.NoError(t, err, out)
	seconds, err := strconv.ParseFloat(out, 64)
	require.NoError(t, err)
	out, err = sql("require", "INSERT INTO calls VALUES (3)")
	require.NoError(t, err, out)
	then, err := client.RestoreDBInstanceToPointInTime(ctx, &rds.RestoreDBInstanceToPointInTimeInput{SourceDBInstanceIdentifier: aws.String("test-db"), TargetDBInstanceIdentifier: aws.String("then"),
		RestoreTime: aws.Time(time.UnixMilli(int64(seconds*1000) + 1)), DBSubnetGroupName: aws.String("intra"), DBParameterGroupName: aws.String("ours"), ManageMasterUserPassword: aws.Bool(true)})
	require.NoError(t, err)
	endpoint, login = aws.ToString(then.DBInstance.Endpoint.Address), secretOf(then.DBInstance)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := sql("verify-full", "SELECT string_agg(n::text, ' ') FROM calls")
		require.NoError(c, errors.Join(err, watcher.Err()), out)
		assert.Equal(c, "1 2", out, "what there was at that time")
	}, 150*time.Second, 2*time.Second, "the restored database answers under its own endpoint, with its own password")
	assert.Equal(t, login.Password, <-told)

	// A snapshot, and copies of it, have what there was when it was taken. The password comes later, as the provider asks for it.
	endpoint, login, at = aws.ToString(made.DBInstance.Endpoint.Address), secretOf(made.DBInstance), "10.20.1.249"
	_, err = client.CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{DBInstanceIdentifier: aws.String("test-db"), DBSnapshotIdentifier: aws.String("night")})
	require.NoError(t, err)
	_, err = client.CopyDBSnapshot(ctx, &rds.CopyDBSnapshotInput{SourceDBSnapshotIdentifier: aws.String("night"), TargetDBSnapshotIdentifier: aws.String("copy")})
	require.NoError(t, err)
	out, err = sql("require", "INSERT INTO calls VALUES (4)")
	require.NoError(t, err, out)
	_, err = client.RestoreDBInstanceFromDBSnapshot(ctx, &rds.RestoreDBInstanceFromDBSnapshotInput{DBInstanceIdentifier: aws.String("anew"), DBSnapshotIdentifier: aws.String("copy"),
		DBInstanceClass: aws.String("db.t4g.small"), DBSubnetGroupName: aws.String("intra"), DBParameterGroupName: aws.String("ours"), Port: aws.Int32(5432)})
	require.NoError(t, err)
	time.Sleep(2 * pollInterval)
	anew, err := client.ModifyDBInstance(ctx, &rds.ModifyDBInstanceInput{DBInstanceIdentifier: aws.String("anew"), ManageMasterUserPassword: aws.Bool(true), ApplyImmediately: aws.Bool(true)})
	require.NoError(t, err)
	endpoint, login = aws.ToString(anew.DBInstance.Endpoint.Address), secretOf(anew.DBInstance)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := sql("verify-full", "SELECT string_agg(n::text, ' ') FROM calls")
		require.NoError(c, errors.Join(err, watcher.Err()), out)
		assert.Equal(c, "1 2 3", out, "what there was when the snapshot was taken")
	}, 150*time.Second, 2*time.Second, "the database that began with a snapshot answers")
	assert.Equal(t, login.Password, <-told)

	for _, id := range []string{"test-db", "then", "anew"} {
		_, err = client.DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{DBInstanceIdentifier: aws.String(id), SkipFinalSnapshot: aws.Bool(true)})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return len(set.IDs()) == 0 }, 30*time.Second, time.Second)
}
