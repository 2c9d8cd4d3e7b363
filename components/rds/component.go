package rds

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/backup"
	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/provider"
)

const (
	// port is PostgreSQL's own, which the port table knows.
	port = 5432
	// performanceDays is the retention of performance data that costs nothing.
	performanceDays = 7
	// monitoringSeconds is the interval of enhanced monitoring.
	monitoringSeconds = 60
	// authority signs the server's certificate, until 2061.
	// Source: Amazon RDS User Guide, "Using SSL/TLS to encrypt a connection to a DB instance or cluster".
	authority = "rds-ca-rsa2048-g1"
	// monitoringPolicy lets RDS write the operating system's figures.
	// Source: Amazon RDS User Guide, "Setting up and enabling Enhanced Monitoring".
	monitoringPolicy = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
)

// logs are the logs that RDS for PostgreSQL can send to CloudWatch.
var logs = []string{"postgresql", "upgrade"}

// Rds is one PostgreSQL.
type Rds struct {
	pulumi.ResourceState

	// Endpoint is its host name. It stays the same when the standby takes over.
	Endpoint pulumi.StringOutput
	// Port is where it listens.
	Port pulumi.IntOutput
	// SecretARN is the secret in Secrets Manager that holds the master user's name and password.
	SecretARN pulumi.StringOutput
	// InstanceID is the DB instance identifier.
	InstanceID pulumi.StringOutput
	// ARN is its ARN.
	ARN pulumi.StringOutput
}

// builder registers the children of one Rds.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOrInvokeOption
}

// NewRds registers a database. Its name is also its DB instance identifier, since the log groups, which are there before
// it, are named after that. It fails before the first resource if args are not valid.
func NewRds(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Rds, error) {
	if err := errors.Join(checkName(name), args.Validate()); err != nil {
		return nil, fmt.Errorf("database %s: %w", name, err)
	}
	self := &Rds{}
	if err := ctx.RegisterComponentResource("calldata:rds:Rds", name, self, opts...); err != nil {
		return nil, fmt.Errorf("database %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self)}
	if err := b.build(self); err != nil {
		return nil, fmt.Errorf("database %s: %w", name, err)
	}
	return self, nil
}

func (b *builder) build(self *Rds) error {
	first, err := b.logGroups()
	if err != nil {
		return err
	}
	monitoring, permission, err := b.monitoringRole()
	if err != nil {
		return err
	}
	if permission != nil {
		first = append(first, permission)
	}
	subnets, err := rds.NewSubnetGroup(b.ctx, b.name, &rds.SubnetGroupArgs{
		Description: pulumi.String("Subnets of the database " + b.name), SubnetIds: b.args.SubnetIDs, Tags: b.tags(b.name),
	}, b.parent, pulumi.RetainOnDelete(b.args.Protect)) // the retained database needs it
	if err != nil {
		return err
	}
	major, err := major(b.args.EngineVersion)
	if err != nil {
		return err
	}
	group, err := rds.NewParameterGroup(b.ctx, b.name, &rds.ParameterGroupArgs{
		Family: pulumi.Sprintf("postgres%d", major), Description: pulumi.String("Settings of the database " + b.name),
		Parameters: parameters(b.args.Routers), Tags: b.tags(b.name),
	}, b.parent, pulumi.RetainOnDelete(b.args.Protect))
	if err != nil {
		return err
	}
	instance, err := b.instance(subnets, group, monitoring, first)
	if err != nil {
		return err
	}
	self.Endpoint, self.Port, self.InstanceID, self.ARN = instance.Address, instance.Port, instance.Identifier, instance.Arn
	self.SecretARN = instance.MasterUserSecrets.Index(pulumi.Int(0)).SecretArn().Elem()
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{
		"endpoint": self.Endpoint, "port": self.Port, "secretArn": self.SecretARN, "instanceId": self.InstanceID, "arn": self.ARN,
	})
}

func (b *builder) instance(subnets *rds.SubnetGroup, group *rds.ParameterGroup, monitoring pulumi.StringPtrInput, first []pulumi.Resource) (*rds.Instance, error) {
	secretKey := b.args.SecretKMSKeyARN
	if secretKey == nil {
		secretKey = b.args.KMSKeyARN
	}
	args := &rds.InstanceArgs{
		Identifier: pulumi.String(b.name), Engine: pulumi.String("postgres"), EngineVersion: pulumi.String(b.args.EngineVersion),
		InstanceClass: pulumi.String(b.args.InstanceClass), AllocatedStorage: pulumi.Int(b.args.AllocatedGiB), StorageType: pulumi.String("gp3"),
		StorageEncrypted: pulumi.Bool(true), KmsKeyId: b.args.KMSKeyARN.ToStringOutput(),
		DbName: pulumi.String(b.args.DatabaseName), Username: pulumi.String(b.args.Username),
		ManageMasterUserPassword: pulumi.Bool(true), MasterUserSecretKmsKeyId: secretKey.ToStringOutput(), IamDatabaseAuthenticationEnabled: pulumi.Bool(true),
		DbSubnetGroupName: subnets.Name, ParameterGroupName: group.Name, VpcSecurityGroupIds: b.args.SecurityGroupIDs,
		Port: pulumi.Int(port), PubliclyAccessible: pulumi.Bool(false), CaCertIdentifier: pulumi.String(authority),
		MultiAz:               pulumi.Bool(b.args.MultiAZ),
		BackupRetentionPeriod: pulumi.Int(b.args.BackupDays), BackupWindow: pulumi.String(b.args.BackupWindow), CopyTagsToSnapshot: pulumi.Bool(true),
		DeleteAutomatedBackups: pulumi.Bool(!b.args.Protect), MaintenanceWindow: pulumi.String(b.args.MaintenanceWindow),
		AutoMinorVersionUpgrade: pulumi.Bool(true), AllowMajorVersionUpgrade: pulumi.Bool(b.args.AllowMajorUpgrade),
		// A change that restarts the database in the middle of the day drops calls.
		ApplyImmediately:           pulumi.Bool(false),
		PerformanceInsightsEnabled: pulumi.Bool(b.args.PerformanceInsights), EnabledCloudwatchLogsExports: pulumi.ToStringArray(logs),
		DeletionProtection: pulumi.Bool(b.args.Protect), SkipFinalSnapshot: pulumi.Bool(!b.args.Protect),
		Tags: b.backedUp(b.name),
	}
	if b.args.MaxAllocatedGiB > 0 {
		args.MaxAllocatedStorage = pulumi.Int(b.args.MaxAllocatedGiB)
	}
	if b.args.PerformanceInsights {
		args.PerformanceInsightsKmsKeyId, args.PerformanceInsightsRetentionPeriod = b.args.KMSKeyARN.ToStringOutput(), pulumi.Int(performanceDays)
	}
	if monitoring != nil {
		args.MonitoringInterval, args.MonitoringRoleArn = pulumi.Int(monitoringSeconds), monitoring
	}
	if b.args.Protect {
		args.FinalSnapshotIdentifier = pulumi.String(b.name + "-final")
	}
	if err := b.begin(args); err != nil {
		return nil, err
	}
	// Two databases cannot have the same identifier, so that a replacement comes after its predecessor has gone.
	return rds.NewInstance(b.ctx, b.name, args, b.parent, pulumi.DependsOn(first), pulumi.DeleteBeforeReplace(true),
		pulumi.Protect(b.args.Protect), pulumi.RetainOnDelete(b.args.Protect), pulumi.IgnoreChanges(begun))
}

// logGroups registers the groups that the database's logs go to. RDS would make them too, but to keep them for ever.
func (b *builder) logGroups() ([]pulumi.Resource, error) {
	var groups []pulumi.Resource
	for _, log := range logs {
		name := b.name + "-" + log
		args := &cloudwatch.LogGroupArgs{
			Name: pulumi.Sprintf("/aws/rds/instance/%s/%s", b.name, log), RetentionInDays: pulumi.Int(b.args.LogRetentionDays), Tags: b.tags(name),
		}
		if b.args.LogsKMSKeyARN != nil {
			args.KmsKeyId = b.args.LogsKMSKeyARN.ToStringOutput()
		}
		group, err := cloudwatch.NewLogGroup(b.ctx, name, args, b.parent, pulumi.RetainOnDelete(b.args.Protect))
		if err != nil {
			return nil, err
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// monitoringRole registers the role of enhanced monitoring, and answers its ARN and what gives it its permission. Both
// are nil without enhanced monitoring.
func (b *builder) monitoringRole() (pulumi.StringPtrInput, pulumi.Resource, error) {
	if !b.args.EnhancedMonitoring {
		return nil, nil, nil
	}
	account, err := provider.Account(b.ctx, b.parent)
	if err != nil {
		return nil, nil, err
	}
	trust, err := iamdoc.Trust("monitoring.rds.amazonaws.com", account)
	if err != nil {
		return nil, nil, err
	}
	name := b.name + "-monitoring"
	role, err := iam.NewRole(b.ctx, name, &iam.RoleArgs{
		Description: pulumi.String("Lets RDS publish the operating system's figures of " + b.name), AssumeRolePolicy: pulumi.String(trust), Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return nil, nil, err
	}
	permission, err := iam.NewRolePolicyAttachment(b.ctx, name, &iam.RolePolicyAttachmentArgs{Role: role.Name, PolicyArn: pulumi.String(monitoringPolicy)}, b.parent)
	return role.Arn, permission, err
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}

// backedUp are the tags of what AWS Backup takes.
func (b *builder) backedUp(name string) pulumi.StringMap {
	all := b.tags(name)
	all[backup.TagKey] = pulumi.String(b.args.Tags.Environment)
	return all
}
