package dr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// Database is what RDS says of the Routers' database.
type Database struct {
	// ID is its identifier.
	ID string
	// Standby says whether there is one in another zone.
	Standby bool
	// Restorable is the newest time that it can be restored to. Zero where RDS keeps no backups of it.
	Restorable time.Time
}

// answer is something that was asked for, or why there is no answer.
type answer[T any] struct {
	value T
	err   error
}

// facts are what a plan is made of.
type facts struct {
	members  map[stacks.Role]answer[int]
	backups  map[stacks.Role]answer[[]backup.Backup]
	database answer[Database]
	copies   answer[[]statestore.Checkpoint]
	replica  answer[string]
}

// gather asks everything that there is to ask of the stack.
func (o *Options) gather(ctx context.Context, stack stacks.Outputs) facts {
	report, done := o.IO.Reporter()
	defer done()
	f := facts{members: map[stacks.Role]answer[int]{}, backups: map[stacks.Role]answer[[]backup.Backup]{}}
	for _, one := range stack.Fleets {
		f.members[one.Role] = ask(report, "machines of "+one.Name, func() (int, error) {
			nodes, err := o.members(ctx, stack, one.Role)
			return len(nodes), err
		})
	}
	if stack.Backups != nil {
		for _, role := range saved(stack) {
			f.backups[role] = ask(report, "backups of "+string(role), func() ([]backup.Backup, error) { return o.backups(ctx, o.IO, stack, role) })
		}
		f.replica = ask(report, "copies in another region", func() (string, error) { return o.replica(ctx, stack) })
	}
	if stack.Database != nil {
		f.database = ask(report, "database", func() (Database, error) { return o.database(ctx, stack) })
	}
	f.copies = ask(report, "copies of the state", func() ([]statestore.Checkpoint, error) { return o.copies(ctx, o.Dir, stack.Stack, o.IO.Getenv) })
	return f
}

func ask[T any](report progress.Reporter, what string, question func() (T, error)) answer[T] {
	step := report.Step("ask for " + what)
	value, err := question()
	step.Done(err)
	return answer[T]{value, err}
}

// saved are the roles whose backups bring something back: the engine's, and the Routers' for their database.
func saved(stack stacks.Outputs) []stacks.Role {
	roles := []stacks.Role{}
	for _, n := range stack.Nodes {
		if (slices.Contains(n.Roles, stacks.RoleUCEngine) || ownDatabase(stack, n)) && !slices.Contains(roles, n.Roles[0]) {
			roles = append(roles, n.Roles[0]) // a machine writes below the first of its roles
		}
	}
	if stack.Database != nil && !slices.Contains(roles, stacks.RoleC4Router) {
		roles = append(roles, stacks.RoleC4Router)
	}
	return roles
}

// ownDatabase says whether a machine is a Router that has the Routers' database on its own disk.
func ownDatabase(stack stacks.Outputs, n stacks.Node) bool {
	return stack.Database == nil && n.Roles[0] == stacks.RoleC4Router
}

// newest is the newest whole backup of a source.
func newest(all []backup.Backup, source string) (backup.Backup, bool) {
	var found backup.Backup
	for _, b := range all {
		if b.Source() == source && b.Whole() && b.Time().After(found.Time()) {
			found = b
		}
	}
	return found, found.ID != ""
}

// describeDatabase finds the database by the name that it listens at.
func describeDatabase(ctx context.Context, stack stacks.Outputs) (Database, error) {
	settings, err := awsapi.Load(ctx, stack.Region, "", "")
	if err != nil {
		return Database{}, cli.WithCode(cli.ExitUsage, err)
	}
	i, err := awsapi.DatabaseAt(ctx, rds.NewFromConfig(settings), stack.Database.Host)
	if err != nil {
		return Database{}, err
	}
	found := Database{ID: aws.ToString(i.DBInstanceIdentifier), Standby: aws.ToBool(i.MultiAZ)}
	if aws.ToInt32(i.BackupRetentionPeriod) > 0 {
		found.Restorable = aws.ToTime(i.LatestRestorableTime)
	}
	return found, nil
}

// replica is the bucket that S3 copies the stack's backups to, or empty.
func replica(ctx context.Context, stack stacks.Outputs) (string, error) {
	settings, err := awsapi.Load(ctx, stack.Region, "", "")
	if err != nil {
		return "", cli.WithCode(cli.ExitUsage, err)
	}
	out, err := awsapi.S3(settings).GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: &stack.Backups.Bucket})
	var coded smithy.APIError
	switch {
	case errors.As(err, &coded) && coded.ErrorCode() == "ReplicationConfigurationNotFoundError":
		return "", nil
	case err != nil:
		return "", cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask S3: %s", awsapi.Message(err)))
	}
	for _, rule := range out.ReplicationConfiguration.Rules {
		if rule.Destination != nil && rule.Status == "Enabled" {
			return strings.TrimPrefix(aws.ToString(rule.Destination.Bucket), "arn:aws:s3:::"), nil
		}
	}
	return "", nil
}

// copies are the copies of the stack's state that its backend keeps.
func copies(ctx context.Context, dir, stack string, getenv func(string) string) ([]statestore.Checkpoint, error) {
	if dir == "" {
		dir = "."
	}
	root, err := repo.Find(dir)
	if err != nil {
		return nil, err
	}
	file, err := stackfile.Read(root, stack)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	store, err := statestore.Open(ctx, statestore.URL(getenv, file.Backend), root)
	if err != nil {
		return nil, err
	}
	found, err := statestore.Stack{Store: store, Project: stacks.Project, Name: stack}.Checkpoints(ctx)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask for the copies of the state: %w", err))
	}
	return found, nil
}
