package deploy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/stacks"
)

const providerType = "pulumi:providers:aws"

func TestBackupsAreCopied(t *testing.T) {
	t.Parallel()
	for _, kind := range []stacks.Kind{stacks.KindStage, stacks.KindProd} {
		top := topologyOf(t, kind, "copyRegion", "eu-central-1")
		rec := graph(t, top)
		assert.Equal(t, "eu-central-1", rec.One(t, providerType).Inputs["region"])
		config := rec.One(t, "aws:s3/bucketReplicationConfig:BucketReplicationConfig")
		assert.Equal(t, string(kind)+"-backups", config.Inputs["bucket"])
		assert.Contains(t, config.Dependencies, "aws:s3/bucketVersioningV2:BucketVersioningV2 "+string(kind)+"-backups")
		plan := rec.One(t, "aws:backup/plan:Plan").Inputs["rules"].([]any)[0].(map[string]any)
		assert.Equal(t, []any{map[string]any{
			"destinationVaultArn": "arn:aws:backup:us-east-1:123456789012:" + string(kind) + "-copies", "lifecycle": map[string]any{"deleteAfter": float64(top.Backup.Days)},
		}}, plan["copyActions"])
		locks := rec.OfType("aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2")
		assert.Equal(t, locks[string(kind)+"-backups"].Inputs["rule"], locks[string(kind)+"-copies"].Inputs["rule"], "a copy is locked as its original")

		watched := rec.OfType("aws:cloudwatch/metricAlarm:MetricAlarm")
		rule := config.Inputs["rules"].([]any)[0].(map[string]any)
		assert.Equal(t, map[string]any{"SourceBucket": config.Inputs["bucket"], "DestinationBucket": string(kind) + "-copies", "RuleId": rule["id"]},
			watched[string(kind)+"-copies-copies-failed"].Inputs["dimensions"], "S3 has its metrics by these")
		late := watched[string(kind)+"-copies-copies-late"]
		assert.Equal(t, watched[string(kind)+"-copies-copies-failed"].Inputs["dimensions"], late.Inputs["dimensions"])
		assert.Equal(t, "eu-central-1", late.Provider, "S3 tells it there")
		assert.Equal(t, []any{"arn:aws:sns:us-east-1:123456789012:" + string(kind) + "-notice-elsewhere"}, late.Inputs["alarmActions"])
		assert.Equal(t, map[string]any{"BackupVaultName": top.Backup.Name}, watched[top.Backup.Name+"-backup-jobs-missed"].Inputs["dimensions"])
		assert.Contains(t, rec.One(t, "aws:cloudwatch/eventRule:EventRule").Inputs["eventPattern"], "arn:aws:backup:us-east-1:123456789012:"+string(kind)+"-copies")

		got, err := stacks.ParseOutputs(exports(t, top))
		require.NoError(t, err)
		assert.Equal(t, &stacks.BackupsCopy{Region: "eu-central-1", Bucket: string(kind) + "-copies", KeyARN: "arn:aws:kms:us-east-1:123456789012:" + string(kind) + "-copies"}, got.Backups.Copy)
	}
}

func TestCopiesAreNoticedOnlyWhereNoticesAreWanted(t *testing.T) {
	t.Parallel()
	rec := graph(t, topologyOf(t, stacks.KindStage, "copyRegion", "eu-central-1", "alarms", "few"))
	assert.Empty(t, rec.OfType("aws:cloudwatch/eventRule:EventRule"))
	assert.NotContains(t, rec.OfType("aws:cloudwatch/metricAlarm:MetricAlarm"), "stage-copies-copies-failed")
	assert.NotContains(t, rec.OfType("aws:sns/topic:Topic"), "stage-notice-elsewhere")
	assert.Empty(t, rec.OfType("aws:cloudwatch/logMetricFilter:LogMetricFilter"), "what nobody is told is not counted")
}

func TestNothingIsCopiedUnasked(t *testing.T) {
	t.Parallel()
	rec := graph(t, topologyOf(t, stacks.KindProd))
	assert.Empty(t, rec.OfType(providerType))
	assert.Empty(t, rec.OfType("aws:s3/bucketReplicationConfig:BucketReplicationConfig"))
	assert.Empty(t, rec.OfType("aws:cloudwatch/eventRule:EventRule"))
	assert.NotContains(t, rec.OfType("aws:cloudwatch/metricAlarm:MetricAlarm"), "prod-copies-copies-failed")
	got, err := stacks.ParseOutputs(exports(t, topologyOf(t, stacks.KindProd)))
	require.NoError(t, err)
	assert.Nil(t, got.Backups.Copy)
}
