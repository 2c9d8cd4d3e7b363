package rds

import (
	"os"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

const (
	instanceType   = "aws:rds/instance:Instance"
	parametersType = "aws:rds/parameterGroup:ParameterGroup"
	subnetsType    = "aws:rds/subnetGroup:SubnetGroup"
	copyType       = "aws:rds/snapshotCopy:SnapshotCopy"
	logGroupType   = "aws:cloudwatch/logGroup:LogGroup"
	attachmentType = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
	secret         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1"
	key            = "arn:aws:kms:us-east-1:123456789012:key/1"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args() Args {
	return Args{
		SubnetIDs: pulumi.ToStringArray([]string{"subnet-1", "subnet-2"}), SubnetZones: 2, SecurityGroupIDs: pulumi.ToStringArray([]string{"sg-1"}),
		KMSKeyARN: pulumi.String(key), EngineVersion: "16", InstanceClass: "db.t4g.medium", AllocatedGiB: 50, MaxAllocatedGiB: 200, MultiAZ: true, Routers: 4,
		BackupDays: 14, BackupWindow: "03:00-03:30", MaintenanceWindow: "sun:04:00-sun:05:00", PerformanceInsights: true, EnhancedMonitoring: true, LogRetentionDays: 90,
		DatabaseName: "c4", Username: "calldata",
		Tags: tags.Tags{Project: "p", Environment: "prod", Role: "database", Owner: "o", CostCenter: "c"},
	}
}

// withSecret is a recorder whose databases have a secret, as RDS's have.
type withSecret struct{ *componenttest.Recorder }

func (w withSecret) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	id, outputs, err := w.Recorder.NewResource(args)
	if args.TypeToken == instanceType {
		outputs["masterUserSecrets"] = resource.NewProperty([]resource.PropertyValue{
			resource.NewProperty(resource.PropertyMap{"secretArn": resource.NewProperty(secret)}),
		})
	}
	return id, outputs, err
}

// run registers one database, changed by change.
func run(t *testing.T, change func(*Args)) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		a := args()
		if change != nil {
			change(&a)
		}
		got, err := NewRds(ctx, "prod-db", a)
		if err != nil {
			return err
		}
		pulumi.All(got.Endpoint, got.Port, got.SecretARN, got.InstanceID, got.ARN).ApplyT(func(outputs []any) error {
			assert.Equal(t, []any{"prod-db.rds.amazonaws.com", 5432, secret, "prod-db", "arn:aws:rds:us-east-1:123456789012:prod-db"}, outputs)
			return nil
		})
		return nil
	}, pulumi.WithMocks("calldata-foundation", "prod", withSecret{rec})))
	return rec
}

func TestInstance(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	db := rec.One(t, instanceType)
	for field, want := range map[string]any{
		"identifier": "prod-db", "engine": "postgres", "engineVersion": "16", "instanceClass": "db.t4g.medium", "multiAz": true,
		"storageType": "gp3", "storageEncrypted": true, "kmsKeyId": key, "allocatedStorage": 50.0, "maxAllocatedStorage": 200.0,
		"dbName": "c4", "username": "calldata", "manageMasterUserPassword": true, "masterUserSecretKmsKeyId": key, "iamDatabaseAuthenticationEnabled": true,
		"publiclyAccessible": false, "caCertIdentifier": "rds-ca-rsa2048-g1", "port": 5432.0, "dbSubnetGroupName": "prod-db", "parameterGroupName": "prod-db",
		"backupRetentionPeriod": 14.0, "backupWindow": "03:00-03:30", "maintenanceWindow": "sun:04:00-sun:05:00", "copyTagsToSnapshot": true,
		"autoMinorVersionUpgrade": true, "allowMajorVersionUpgrade": false, "applyImmediately": false,
		"performanceInsightsEnabled": true, "performanceInsightsKmsKeyId": key, "performanceInsightsRetentionPeriod": 7.0,
		"monitoringInterval": 60.0, "monitoringRoleArn": "arn:aws:iam::123456789012:role/prod-db-monitoring", "enabledCloudwatchLogsExports": []any{"postgresql", "upgrade"},
		"deletionProtection": false, "skipFinalSnapshot": true, "deleteAutomatedBackups": true, "vpcSecurityGroupIds": []any{"sg-1"},
	} {
		assert.Equal(t, want, db.Inputs[field], field)
	}
	assert.NotContains(t, db.Inputs, "password")
	assert.NotContains(t, db.Inputs, "databaseInsightsMode", "the provider does not know it")
	assert.Equal(t, "prod", db.Inputs["tags"].(map[string]any)["Backup"], "AWS Backup finds it by this tag")
	for _, r := range rec.Resources() {
		if r.Type != "calldata:rds:Rds" && r.Type != "pulumi:pulumi:Stack" {
			assert.Equal(t, "calldata:rds:Rds prod-db", r.Parent, r.Name)
		}
	}
}

func TestDatabaseThatBeginsWithASnapshot(t *testing.T) {
	t.Parallel()
	const snapshot = "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:copyjob-1"
	rec := run(t, func(a *Args) { a.Snapshot = snapshot })
	copied := rec.One(t, copyType)
	assert.Equal(t, snapshot, copied.Inputs["sourceDbSnapshotIdentifier"])
	assert.Equal(t, key, copied.Inputs["kmsKeyId"], "RDS restores under the snapshot's key, and the other stack's may go")
	assert.Equal(t, []string{"sourceDbSnapshotIdentifier"}, copied.IgnoreChanges)
	assert.Equal(t, "database", copied.Inputs["tags"].(map[string]any)["Role"])
	db := rec.One(t, instanceType)
	assert.Equal(t, copied.Inputs["targetDbSnapshotIdentifier"], db.Inputs["snapshotIdentifier"])
	assert.Equal(t, key, db.Inputs["kmsKeyId"])
	assert.Equal(t, true, db.Inputs["manageMasterUserPassword"], "the old password is nobody's")
	for _, field := range []string{"dbName", "allocatedStorage", "engineVersion"} {
		assert.NotContains(t, db.Inputs, field, "it is the snapshot's")
	}
	assert.Equal(t, []string{"snapshotIdentifier", "dbName"}, db.IgnoreChanges, "another snapshot, or none, would replace the database")
	plain := run(t, nil)
	assert.Equal(t, db.IgnoreChanges, plain.One(t, instanceType).IgnoreChanges)
	assert.Empty(t, plain.OfType(copyType))
}

func TestLogGroupsAndMonitoringComeFirst(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.LogsKMSKeyARN = pulumi.String(key) })
	names := map[any]bool{}
	for name, group := range rec.OfType(logGroupType) {
		names[group.Inputs["name"]] = true
		assert.InDelta(t, 90, group.Inputs["retentionInDays"], 0, name)
		assert.Equal(t, key, group.Inputs["kmsKeyId"], name)
	}
	assert.Equal(t, map[any]bool{"/aws/rds/instance/prod-db/postgresql": true, "/aws/rds/instance/prod-db/upgrade": true}, names)
	assert.Subset(t, rec.One(t, instanceType).Dependencies, []string{logGroupType + " prod-db-postgresql", logGroupType + " prod-db-upgrade", attachmentType + " prod-db-monitoring"})
	role := rec.One(t, "aws:iam/role:Role").Inputs["assumeRolePolicy"]
	assert.Contains(t, role, "monitoring.rds.amazonaws.com")
	assert.Contains(t, role, `"aws:SourceAccount":["123456789012"]`)
	assert.Equal(t, monitoringPolicy, rec.One(t, attachmentType).Inputs["policyArn"])

	quiet := run(t, func(a *Args) { a.EnhancedMonitoring, a.PerformanceInsights, a.MaxAllocatedGiB = false, false, 0 })
	assert.Empty(t, quiet.OfType("aws:iam/role:Role"))
	for _, field := range []string{"monitoringInterval", "monitoringRoleArn", "performanceInsightsKmsKeyId", "performanceInsightsRetentionPeriod", "maxAllocatedStorage"} {
		assert.NotContains(t, quiet.One(t, instanceType).Inputs, field)
	}
	for name, group := range quiet.OfType(logGroupType) {
		assert.NotContains(t, group.Inputs, "kmsKeyId", name)
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	group := run(t, func(a *Args) { a.EngineVersion = "17.2" }).One(t, parametersType)
	assert.Equal(t, "postgres17", group.Inputs["family"])
	assert.NotContains(t, group.Inputs, "name", "another major version needs another group beside the old one")
	got := map[any]any{}
	for _, p := range group.Inputs["parameters"].([]any) {
		parameter := p.(map[string]any)
		got[parameter["name"]] = parameter["value"]
		if parameter["name"] == "max_connections" {
			assert.Equal(t, "pending-reboot", parameter["applyMethod"], "RDS refuses to change a static parameter at once")
		}
	}
	for name, want := range map[string]string{
		"rds.force_ssl": "1", "password_encryption": "scram-sha-256", "rds.accepted_password_auth_method": "scram", "log_connections": "1", "log_disconnections": "1",
		"max_connections": "168",
	} {
		assert.Equal(t, want, got[name], name)
	}
}

func TestProtection(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Protect = true })
	db := rec.One(t, instanceType)
	assert.True(t, db.Protect)
	assert.True(t, db.RetainOnDelete)
	assert.Equal(t, true, db.Inputs["deletionProtection"])
	assert.Equal(t, false, db.Inputs["skipFinalSnapshot"])
	assert.Equal(t, "prod-db-final", db.Inputs["finalSnapshotIdentifier"])
	assert.Equal(t, false, db.Inputs["deleteAutomatedBackups"])
	for _, token := range []string{parametersType, subnetsType} {
		assert.True(t, rec.One(t, token).RetainOnDelete, "%s: the database that stays needs it", token)
		assert.False(t, rec.One(t, token).Protect, token)
	}
	for name, group := range rec.OfType(logGroupType) {
		assert.True(t, group.RetainOnDelete, name)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	db := run(t, func(a *Args) { a.SecretKMSKeyARN = pulumi.String(key + "2") }).One(t, instanceType)
	assert.Equal(t, key+"2", db.Inputs["masterUserSecretKmsKeyId"])
	assert.Equal(t, key, db.Inputs["kmsKeyId"])
}

func TestPreviewKnowsNoOutputs(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{Preview: true}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		got, err := NewRds(ctx, "prod-db", args())
		if err != nil {
			return err
		}
		got.SecretARN.ApplyT(func(string) error { t.Error("the secret is known before the database"); return nil })
		return nil
	}))
	rec.One(t, instanceType)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewRds(ctx, "prod--db", Args{
			SubnetZones: 1, EngineVersion: "14.9", InstanceClass: "m7g.large", AllocatedGiB: 19, BackupDays: 36, BackupWindow: "x", MaintenanceWindow: "y",
			DatabaseName: "C4", Username: "admin",
		})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"database prod--db: ", `name: "prod--db" is not`, "subnet ids: they are missing", "subnet zones: 1", "security group ids: they are missing", "KMS key ARN: it is missing",
		"engine version: PostgreSQL 14 is older than 15", `instance class: "m7g.large"`, "allocated storage: 19 GiB, want 20 to 65536", "backup days: 36", `backup window: "x"`,
		`maintenance window: "y"`, "routers: 0", "log retention: 0 days", `database name: "C4"`, `user name: "admin" is kept`, "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, args().Validate())
	for want, change := range map[string]func(*Args){
		"engine version: \"latest\" is not like 16":                    func(a *Args) { a.EngineVersion = "latest" },
		"maximum storage: 54 GiB, want 0 for no growth, or 55":         func(a *Args) { a.MaxAllocatedGiB = 54 },
		"backup window: 04:30-05:30 falls into the maintenance window": func(a *Args) { a.BackupWindow = "04:30-05:30" },
		"backup days: 0, want 1 to 35":                                 func(a *Args) { a.BackupDays = 0 },
		`database name: "template1" is kept`:                           func(a *Args) { a.DatabaseName = "template1" },
		`snapshot: "prod router": want the identifier`:                 func(a *Args) { a.Snapshot = "prod router" },
		`user name: "pg_monitor" is kept`:                              func(a *Args) { a.Username = "pg_monitor" },
	} {
		a := args()
		change(&a)
		assert.EqualError(t, a.Validate(), firstLine(a.Validate()), "one error alone")
		assert.ErrorContains(t, a.Validate(), want)
	}
	a := args()
	a.MaxAllocatedGiB = 55
	assert.NoError(t, a.Validate())
}

func firstLine(err error) string {
	if err == nil {
		return ""
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}
