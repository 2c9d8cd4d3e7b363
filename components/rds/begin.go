package rds

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/rds/snapshot"
)

// copyTime is how long RDS may copy: under another key it writes every block anew, which the provider's 20 minutes are too short for.
const copyTime = "6h"

// begin gives the database the snapshot that it begins with: a copy under its own key. RDS restores a database under the
// snapshot's key and never changes it; that key is of the stack which made the snapshot, and goes with it.
// Source: Amazon RDS User Guide, "Encrypting Amazon RDS resources", "Limitations".
func (b *builder) begin(args *rds.InstanceArgs) error {
	if b.args.Snapshot == "" {
		return nil
	}
	name := snapshot.Begin(b.name)
	copied, err := rds.NewSnapshotCopy(b.ctx, name, &rds.SnapshotCopyArgs{
		SourceDbSnapshotIdentifier: pulumi.String(b.args.Snapshot), TargetDbSnapshotIdentifier: pulumi.String(name),
		KmsKeyId: b.args.KMSKeyARN.ToStringOutput(), Tags: b.tags(name),
	}, b.parent, pulumi.Timeouts(&pulumi.CustomTimeouts{Create: copyTime}), pulumi.IgnoreChanges([]string{"sourceDbSnapshotIdentifier"}))
	if err != nil {
		return err
	}
	args.SnapshotIdentifier = copied.TargetDbSnapshotIdentifier
	// These are the snapshot's: its storage may have grown and never shrinks, its minor version may be newer than RDS's default.
	args.DbName, args.AllocatedStorage, args.EngineVersion = nil, nil, nil
	return nil
}

// begun are the inputs that say what a database begins with. A change of one would replace it by a new one, with all its data.
var begun = []string{"snapshotIdentifier", "dbName"}
