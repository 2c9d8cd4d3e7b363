package afresh

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/calldata/calldata-foundation/components/rds/snapshot"
	"github.com/calldata/calldata-foundation/components/tags"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// Snapshot is a snapshot of the Routers' database.
type Snapshot struct {
	// ARN is its name for RDS, Type who made it: automated is RDS, awsbackup is AWS Backup, manual is somebody.
	ARN  string `json:"arn"`
	Type string `json:"type"`
	// Time is how new the data is; a copy has the time of its original.
	Time time.Time `json:"time"`
}

// available is the status of a snapshot that a database can begin with.
const available = "available"

// NewestSnapshot finds the newest snapshot of a database that is in a region. AWS Backup's copies of another region's keep the
// name of the database. RDS lists those of AWS Backup only when it is asked for them.
// Source: Amazon RDS API Reference, DescribeDBSnapshots, SnapshotType.
func NewestSnapshot(ctx context.Context, region, database string) (Snapshot, error) {
	settings, err := awsapi.Load(ctx, region, "", "")
	if err != nil {
		return Snapshot{}, cli.WithCode(cli.ExitUsage, err)
	}
	client, newest := rds.NewFromConfig(settings), Snapshot{}
	for _, kind := range []*string{nil, aws.String("awsbackup")} {
		pages := rds.NewDescribeDBSnapshotsPaginator(client, &rds.DescribeDBSnapshotsInput{DBInstanceIdentifier: &database, SnapshotType: kind})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return Snapshot{}, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask RDS in %s: %s", region, awsapi.Message(err)))
			}
			newest = newer(newest, page.DBSnapshots)
		}
	}
	if newest.ARN == "" {
		return Snapshot{}, cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("RDS has no snapshot of the database %s in %s that a database could begin with", database, region))
	}
	return newest, nil
}

// newer is the newest of a snapshot and those of a list that a database of another stack can begin with.
func newer(newest Snapshot, list []rdstypes.DBSnapshot) Snapshot {
	for _, s := range list {
		made := aws.ToTime(cmp.Or(s.OriginalSnapshotCreateTime, s.SnapshotCreateTime))
		var name string
		for _, t := range s.TagList {
			if aws.ToString(t.Key) == tags.KeyName {
				name = aws.ToString(t.Value)
			}
		}
		if aws.ToString(s.Status) == available && !snapshot.Begins(aws.ToString(s.DBSnapshotIdentifier), name) && made.After(newest.Time) {
			newest = Snapshot{ARN: aws.ToString(s.DBSnapshotArn), Type: aws.ToString(s.SnapshotType), Time: made.UTC()}
		}
	}
	return newest
}

// zonesOf are the first zones of a region that are open to everybody and in service, in alphabetical order.
func zonesOf(ctx context.Context, region string, count int) ([]string, error) {
	settings, err := awsapi.Load(ctx, region, "", "")
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	out, err := ec2.NewFromConfig(settings).DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{
		Filters: []ec2types.Filter{{Name: aws.String("region-name"), Values: []string{region}}, {Name: aws.String("state"), Values: []string{available}}},
	})
	if err != nil {
		return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask EC2 in %s: %s", region, awsapi.Message(err)))
	}
	var names []string
	for _, z := range out.AvailabilityZones {
		// Local and wavelength zones have longer names.
		if letter, ok := strings.CutPrefix(aws.ToString(z.ZoneName), region); ok && len(letter) == 1 {
			names = append(names, aws.ToString(z.ZoneName))
		}
	}
	slices.Sort(names)
	return names[:min(len(names), count)], nil
}
