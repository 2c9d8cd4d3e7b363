package snapshot

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for name, region := range map[string]string{
		"before-the-change": "", "rds:prod-router-2026-11-30-03-05": "", "awsbackup:job-1a2b3c4d": "",
		"arn:aws:rds:us-west-2:123456789012:snapshot:awsbackup:copyjob-1a2b": "us-west-2", "arn:aws:rds:eu-west-1:123456789012:snapshot:mine": "eu-west-1",
	} {
		assert.NoError(t, Check(name), name)
		assert.Equal(t, region, Region(name), name)
	}
	for _, name := range []string{
		"", "1a", "a-", "a--b", "a b", "other:a", "arn:aws:rds:us-west-2:123456789012:db:prod-router", "arn:aws:ec2:us-west-2::snapshot/snap-1",
		"arn:aws:rds:us-west-2:123456789012:auto-backup:ab-1", strings.Repeat("a", 256),
	} {
		assert.Error(t, Check(name), name)
		assert.Empty(t, Region(name), name)
	}
}

func TestCopyThatADatabaseBeginsWith(t *testing.T) {
	t.Parallel()
	assert.NoError(t, Check(Begin("prod-router")))
	assert.True(t, Begins(Begin("prod-router"), Begin("prod-router")))
	assert.False(t, Begins("awsbackup:job-1", ""))
	assert.False(t, Begins("awsbackup:job-1", "prod-router"))
	assert.False(t, Begins("before-we-begin", ""), "a person's, of a database whose tags its snapshots do not get")
	assert.False(t, Begins("before-we-begin", "prod-router"), "a person's, of one whose tags they get")
}
