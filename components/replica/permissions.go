package replica

import (
	"fmt"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// end is one end of the way that objects take: a bucket, its key, and the region of both.
type end struct{ bucket, key, region string }

// permissions are what S3 needs to copy objects. It can neither read them otherwise nor delete any: delete markers are not
// copied.
// Source: Amazon S3 User Guide, "Setting up permissions for live replication"; "Replicating encrypted objects"; "Object Lock
// considerations", "Using Object Lock with S3 Replication".
func permissions(from, to end) (string, error) {
	return iamdoc.Document(
		iamdoc.Statement{Sid: "FindObjects", Actions: []string{"s3:GetReplicationConfiguration", "s3:ListBucket"}, Resources: []string{from.bucket}},
		iamdoc.Statement{Sid: "ReadObjects", Resources: []string{from.bucket + "/*"}, Actions: []string{
			"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold",
		}},
		iamdoc.Statement{Sid: "WriteCopies", Actions: []string{"s3:ReplicateObject", "s3:ReplicateTags"}, Resources: []string{to.bucket + "/*"}},
		from.through("Decrypt", "kms:Decrypt"),
		to.through("Encrypt", "kms:Encrypt"),
	)
}

// through lets S3 use the key of one end for objects of its bucket alone. The context that S3 names is the bucket where a
// bucket key is in use, and the object where not, which each upload can say.
// Source: Amazon S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys", "Changes to note before enabling".
func (e end) through(sid, action string) iamdoc.Statement {
	return iamdoc.Statement{Sid: sid, Actions: []string{action}, Resources: []string{e.key}, Conditions: map[string]map[string][]string{
		"StringEquals": {"kms:ViaService": {fmt.Sprintf("s3.%s.amazonaws.com", e.region)}},
		"StringLike":   {"kms:EncryptionContext:aws:s3:arn": {e.bucket, e.bucket + "/*"}},
	}}
}
