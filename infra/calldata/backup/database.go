package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	backupcomponent "github.com/calldata/calldata-foundation/components/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	// timeTag is what an instance that was restored by this command has that time in.
	timeTag = "calldata:restored-to"
	// savedTag is on it when a Router has saved what it has: the Router's name, and the backup's. A restore that has begun goes on with
	// that one alone.
	savedTag = "calldata:saved-as"
	// thenSuffix is after the database's name in that of the instance that is restored beside it.
	thenSuffix = "-then"
)

// rewinding is what `calldata backup restore-database` works with besides Options.
type rewinding struct {
	Options
	// To is a time as in RFC 3339, or "latest".
	To string
	// Identity is the private key of the machines' backups.
	Identity Identity
	// Keep leaves the restored instance.
	Keep bool
	// Yes asks nobody.
	Yes bool

	poll time.Duration
}

func newCmdRestoreDatabase(base *Options) *cobra.Command {
	o := &rewinding{Options: *base, poll: 15 * time.Second}
	cmd := &cobra.Command{
		Use:   "restore-database STACK --to TIME",
		Short: "Bring the Routers' database back as it was at a time",
		Long: `Bring the Routers' database back as it was at a time, to the second, which RDS can until about five minutes ago. RDS restores an
instance beside the database, named after it with -then; a Router saves what is in it as a backup of the source database-then, and
restores that as any backup: it is checked first, takes the place of what is there, and what was there stays beside as c4_before_N,
call records and all. Then the instance is deleted. Calls go on; the Router that does it takes none meanwhile.

RDS needs ten minutes and more, by the size of the database. After a failure the same command goes on with the instance that is there.
calldata-backup rollback, on the same Router, takes it back.

The stack's name has to be typed before anything is touched, unless --yes is given. Needs AWS credentials that may restore and delete
instances of RDS and read the secret of the restored one.

Exit codes: 0 done, 1 the restore failed or was refused, 2 wrong input, 8 not confirmed, 4 AWS or the Routers do not answer, 5 out
of time, 6 a tool is missing.`,
		Example: `  calldata backup restore-database prod --to 2026-11-29T02:15:00Z --identity backup.key
  calldata backup restore-database stage --to latest --yes --json`,
		Args:              o.args(1, 1),
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addFlags(cmd)
	o.Identity.addFlags(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.To, "to", "", "time to go back to, as 2026-11-29T02:15:00Z, or latest")
	f.BoolVar(&o.Keep, "keep", false, "leave the instance that RDS restores, to look into it")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask for the stack's name")
	return cmd
}

// Rewound is what `calldata backup restore-database` prints.
type Rewound struct {
	Stack string `json:"stack"`
	// Database is the instance's identifier.
	Database string `json:"database"`
	// Time is what it was brought back to.
	Time time.Time `json:"time"`
	// Router did it, from Backup.
	Router string `json:"router"`
	Backup string `json:"backup"`
	// Kept is the restored instance, where it was left.
	Kept string `json:"kept,omitempty"`
}

func (r Rewound) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s of stack %s is as it was at %s, restored by %s from %s\n", r.Database, r.Stack, r.Time.UTC().Format(time.RFC3339), r.Router, r.Backup)
	if err == nil && r.Kept != "" {
		_, err = fmt.Fprintf(w, "%s is left: aws rds delete-db-instance --db-instance-identifier %s --skip-final-snapshot\n", r.Kept, r.Kept)
	}
	return err
}

// validate answers the time, zero for the latest.
func (o *rewinding) validate() (time.Time, error) {
	errs := o.Identity.validate()
	var to time.Time
	if o.To != latest {
		var err error
		if to, err = time.Parse(time.RFC3339, o.To); err != nil {
			errs = append(errs, fmt.Errorf("--to is %q, want a time as 2026-11-29T02:15:00Z, or %s", o.To, latest))
		}
	}
	return to, cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

func (o *rewinding) run(ctx context.Context) error {
	to, err := o.validate()
	if err != nil {
		return err
	}
	stack, _, err := o.load(ctx)
	if err != nil {
		return err
	}
	if stack.Database == nil {
		return cli.UsageErrorf("stack %s has no database of RDS: restore that of its Router with `calldata backup restore %s NODE --part database`", stack.Stack, stack.Stack)
	}
	if stack.Backups == nil {
		return cli.UsageErrorf("stack %s has no bucket for backups, which the way leads through", stack.Stack)
	}
	settings, err := awsapi.Load(ctx, stack.Region, "", "")
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	client := rds.NewFromConfig(settings)
	db, err := awsapi.DatabaseAt(ctx, client, stack.Database.Host)
	if err != nil {
		return err
	}
	id := aws.ToString(db.DBInstanceIdentifier)
	then, begun, err := existing(ctx, client, id+thenSuffix, to)
	if err != nil {
		return err
	}
	if then != nil {
		to = begun // that of an earlier run, which was the latest then
	} else if to, err = restorable(db, to); err != nil {
		return err
	}
	question := fmt.Sprintf("The Routers' database %s of stack %s will be as it was at %s; what it is now stays beside it.", id, stack.Stack, to.UTC().Format(time.RFC3339))
	if err := confirm.Unless(ctx, o.Yes, o.IO, question, stack.Stack); err != nil {
		return err
	}
	report, done := o.IO.Reporter()
	defer done()
	if then == nil {
		if err := begin(ctx, client, db, to); err != nil {
			return err
		}
	}
	then, err = o.available(ctx, client, id+thenSuffix, report)
	if err != nil {
		return err
	}
	result := Rewound{Stack: stack.Stack, Database: id, Time: to}
	server, err := loginOf(ctx, secretsmanager.NewFromConfig(settings), then)
	if err == nil {
		result.Router, result.Backup, err = o.take(ctx, client, stack, then, server)
	}
	if err != nil {
		return fmt.Errorf("%w\nThe instance %s is there; the same command goes on with it", err, id+thenSuffix)
	}
	if o.Keep {
		result.Kept = id + thenSuffix
	} else if _, err = client.DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{
		DBInstanceIdentifier: then.DBInstanceIdentifier, SkipFinalSnapshot: aws.Bool(true), DeleteAutomatedBackups: aws.Bool(true),
	}); err != nil {
		result.Kept, err = id+thenSuffix, fmt.Errorf("the database is back, but %s is not deleted: %s", id+thenSuffix, awsapi.Message(err))
	}
	done()
	return errors.Join(err, o.IO.Print(o.JSON, result, result.write))
}

// restorable answers the time that is meant, if RDS can restore to it.
func restorable(db types.DBInstance, to time.Time) (time.Time, error) {
	id, until := aws.ToString(db.DBInstanceIdentifier), aws.ToTime(db.LatestRestorableTime)
	switch {
	case aws.ToInt32(db.BackupRetentionPeriod) == 0 || until.IsZero():
		return to, cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("RDS names no time that %s can be restored to", id))
	case to.IsZero():
		return until.Truncate(time.Second), nil
	case to.After(until):
		return to, cli.UsageErrorf("--to is %s, and RDS can restore %s until %s: want an earlier time, or latest", to.UTC().Format(time.RFC3339), id, until.UTC().Format(time.RFC3339))
	}
	return to, nil
}

// existing answers the instance that an earlier run has begun, and its time; nil where there is none. A zero time is any. One of another
// time is nobody's to delete.
func existing(ctx context.Context, client *rds.Client, id string, to time.Time) (*types.DBInstance, time.Time, error) {
	out, err := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	var none *types.DBInstanceNotFoundFault
	if errors.As(err, &none) {
		return nil, to, nil
	}
	if err != nil {
		return nil, to, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask RDS for %s: %s", id, awsapi.Message(err)))
	}
	begun, err := time.Parse(time.RFC3339, tag(out.DBInstances[0].TagList, timeTag))
	if err != nil || (!to.IsZero() && !begun.Equal(to)) {
		return nil, to, cli.UsageErrorf("there is an instance %s, of another time or none (tag %s): give its time, or delete it: aws rds delete-db-instance --db-instance-identifier %s --skip-final-snapshot",
			id, timeTag, id)
	}
	return &out.DBInstances[0], begun, nil
}

// tag is the value of a tag, or empty.
func tag(tags []types.Tag, key string) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// begin has RDS restore the database beside itself. What is not named is as of the source.
func begin(ctx context.Context, client *rds.Client, db types.DBInstance, to time.Time) error {
	id := aws.ToString(db.DBInstanceIdentifier)
	in := &rds.RestoreDBInstanceToPointInTimeInput{
		SourceDBInstanceIdentifier: &id, TargetDBInstanceIdentifier: aws.String(id + thenSuffix), RestoreTime: &to,
		DBInstanceClass: db.DBInstanceClass, MultiAZ: aws.Bool(false), PubliclyAccessible: aws.Bool(false), DeletionProtection: aws.Bool(false),
		ManageMasterUserPassword: aws.Bool(true), Tags: []types.Tag{{Key: aws.String(timeTag), Value: aws.String(to.UTC().Format(time.RFC3339))}},
	}
	for _, t := range db.TagList { // policies and costs go by them; by one of them AWS Backup would save this instance, too
		if key := aws.ToString(t.Key); !strings.HasPrefix(key, "aws:") && key != backupcomponent.TagKey {
			in.Tags = append(in.Tags, t)
		}
	}
	if db.DBSubnetGroup != nil {
		in.DBSubnetGroupName = db.DBSubnetGroup.DBSubnetGroupName
	}
	if db.MasterUserSecret != nil {
		in.MasterUserSecretKmsKeyId = db.MasterUserSecret.KmsKeyId
	}
	if len(db.DBParameterGroups) > 0 {
		in.DBParameterGroupName = db.DBParameterGroups[0].DBParameterGroupName
	}
	for _, g := range db.VpcSecurityGroups {
		in.VpcSecurityGroupIds = append(in.VpcSecurityGroupIds, aws.ToString(g.VpcSecurityGroupId))
	}
	if _, err := client.RestoreDBInstanceToPointInTime(ctx, in); err != nil {
		return fmt.Errorf("restore %s: %s", id, awsapi.Message(err))
	}
	return nil
}

// available waits until RDS has restored the instance.
func (o *rewinding) available(ctx context.Context, client *rds.Client, id string, report progress.Reporter) (*types.DBInstance, error) {
	step := report.Step("RDS restores " + id)
	found, err := func() (*types.DBInstance, error) {
		for {
			out, err := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
			if err != nil {
				return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask RDS for %s: %s", id, awsapi.Message(err)))
			}
			i := out.DBInstances[0]
			switch state := aws.ToString(i.DBInstanceStatus); {
			case state == "available" && i.Endpoint != nil && i.MasterUserSecret != nil:
				return &i, nil
			case state == "failed" || strings.HasPrefix(state, "incompatible-"):
				return nil, fmt.Errorf("RDS could not restore %s, it is %s: look at its events, and delete it", id, state)
			default:
				step.Progress(0, 0, "it is "+state)
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(o.poll):
			}
		}
	}()
	step.Done(err)
	return found, err
}

// loginOf answers what `calldata-backup now --server` reads.
func loginOf(ctx context.Context, client *secretsmanager.Client, i *types.DBInstance) ([]byte, error) {
	user, password, err := awsapi.DatabaseLogin(ctx, client, aws.ToString(i.MasterUserSecret.SecretArn))
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"host": aws.ToString(i.Endpoint.Address), "port": aws.ToInt32(i.Endpoint.Port), "username": user, "password": password,
	})
}

// saveThen saves the other server as root on a Router. It reads the server's login, and keeps it in memory.
const saveThen = `
set -euo pipefail
umask 077
dir=$(mktemp -d -p /run calldata-then.XXXXXX)
trap "rm -rf $dir" EXIT
cat >$dir/server
/usr/local/sbin/calldata-backup now --part database --server $dir/server | tee $dir/said >&2
id=$(sed -n "s/^\(database-then\/[A-Za-z0-9-]*\): complete$/\1/p" $dir/said)
[ -n "$id" ] || { echo "the backup has no name" >&2; exit 1; }
echo "$id"
`

// take has the first Router that answers take the data over, or the one that has begun to, and answers its name and that of the backup.
func (o *rewinding) take(ctx context.Context, client *rds.Client, stack stacks.Outputs, then *types.DBInstance, server []byte) (router, id string, err error) {
	routers, err := fleet.Choose(ctx, stack, string(stacks.RoleC4Router), o.members)
	if err != nil {
		return "", "", err
	}
	if by, saved, _ := strings.Cut(tag(then.TagList, savedTag), " "); slices.ContainsFunc(routers, func(n stacks.Node) bool { return n.Name == by }) {
		id, routers = saved, slices.DeleteFunc(routers, func(n stacks.Node) bool { return n.Name != by })
	}
	var errs []error
	for _, n := range routers {
		err := o.save(ctx, client, stack, n, then, server, &id)
		if err == nil {
			restore := &RestoreOptions{Options: o.Options, Parts: []string{SharedSource}, Identity: o.Identity}
			_, err = restore.onMember(ctx, stack, n, []string{id}, nil)
			return n.Name, id, err
		}
		if cli.Code(err) != cli.ExitUnreachable || ctx.Err() != nil {
			return n.Name, id, err
		}
		errs = append(errs, err)
	}
	return "", "", cli.WithCode(cli.ExitUnreachable, errors.Join(errs...))
}

// save has a Router save the other server, unless that was done, and notes the backup's name.
func (o *rewinding) save(ctx context.Context, client *rds.Client, stack stacks.Outputs, n stacks.Node, then *types.DBInstance, server []byte, id *string) error {
	if *id != "" {
		return nil
	}
	var out bytes.Buffer
	err := o.logIn(ctx, stack, n, "save what it has", func(client *ssh.Client) error {
		return login.Feed(ctx, client, "sudo -n bash -c '"+saveThen+"'", bytes.NewReader(server), &out)
	})
	if err != nil {
		return err
	}
	*id = strings.TrimSpace(out.String())
	if _, err := client.AddTagsToResource(ctx, &rds.AddTagsToResourceInput{ResourceName: then.DBInstanceArn, Tags: []types.Tag{{Key: aws.String(savedTag), Value: aws.String(n.Name + " " + *id)}}}); err != nil {
		return fmt.Errorf("note that %s was saved as %s: %s", aws.ToString(then.DBInstanceIdentifier), *id, awsapi.Message(err))
	}
	return nil
}
