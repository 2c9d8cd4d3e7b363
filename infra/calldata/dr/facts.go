package dr

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

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
	// pair is that of the engines; archives are the copies of backups in a second region.
	pair     answer[*Pair]
	archives answer[[]backup.Backup]
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
		if far := copied(stack); far != nil {
			f.archives = ask(report, "copies of backups in "+far.Region, func() ([]backup.Backup, error) {
				return o.archives(ctx, o.IO, stack, stack.Stack+":copy", saved(stack)...)
			})
		}
	}
	if engines := engines(stack); len(engines) > 1 {
		f.pair = ask(report, "the copy of a pair", func() (*Pair, error) { return o.paired(ctx, stack, engines) })
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

// copied is where the stack's backups are copied to, or nil.
func copied(stack stacks.Outputs) *stacks.BackupsCopy {
	if stack.Backups == nil {
		return nil
	}
	return stack.Backups.Copy
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
