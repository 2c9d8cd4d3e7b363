package afresh

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/assert"
)

func TestNewestSnapshot(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	of := func(name string, hour int, tag string) rdstypes.DBSnapshot {
		s := rdstypes.DBSnapshot{
			DBSnapshotIdentifier: &name, DBSnapshotArn: aws.String("arn of " + name), SnapshotType: aws.String("manual"), Status: aws.String("available"),
			SnapshotCreateTime: aws.Time(noon.Add(time.Duration(hour) * time.Hour)),
		}
		if tag != "" {
			s.TagList = []rdstypes.Tag{{Key: aws.String("Role"), Value: aws.String("database")}, {Key: aws.String("Name"), Value: &tag}}
		}
		return s
	}
	copied, unfinished := of("awsbackup:copyjob-1", 9, ""), of("unfinished", 9, "")
	copied.OriginalSnapshotCreateTime = aws.Time(noon.Add(time.Hour))
	unfinished.Status = aws.String("creating")
	for want, list := range map[string][]rdstypes.DBSnapshot{
		"rds:new":             {of("rds:old", 0, "prod-router"), of("rds:new", 2, "prod-router"), copied},
		"awsbackup:copyjob-1": {of("rds:old", 0, "prod-router"), copied, unfinished},
		"rds:mine":            {of("rds:mine", 0, ""), of("prod-drill-router-begin", 2, "prod-drill-router-begin")},
		"before-we-begin":     {of("rds:old", 0, ""), of("before-we-begin", 1, "")},
		"tagged-begin":        {of("rds:old", 0, "prod-router"), of("tagged-begin", 1, "prod-router")},
	} {
		assert.Equal(t, "arn of "+want, newer(Snapshot{}, list).ARN)
	}
	before := Snapshot{ARN: "arn of a page before", Time: noon.Add(5 * time.Hour)}
	assert.Equal(t, before, newer(before, []rdstypes.DBSnapshot{of("rds:new", 2, "")}))
	assert.Empty(t, newer(Snapshot{}, []rdstypes.DBSnapshot{unfinished}))
}
