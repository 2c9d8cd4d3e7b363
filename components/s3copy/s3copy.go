// Package s3copy says what S3 needs to copy the objects of a bucket to one in another region.
package s3copy

import (
	"fmt"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// End is one end of the way that objects take.
type End struct {
	// Bucket and Key are the ARNs of a bucket and of the key that encrypts it, Region is the region of both.
	Bucket, Key, Region string
}

// Deletions says whether a deletion here is one there.
type Deletions bool

// What becomes of deletions. A copied one is a marker: the versions behind it stay.
const (
	LeaveDeletions Deletions = false
	CopyDeletions  Deletions = true
)

// Permissions are those of the role that S3 takes on. It can neither read objects otherwise nor delete versions of any.
// Source: Amazon S3 User Guide, "Setting up permissions for live replication"; "Replicating encrypted objects"; "Object Lock
// considerations", "Using Object Lock with S3 Replication"; "Replicating delete markers between buckets".
func Permissions(from, to End, deletions Deletions) (string, error) {
	write := []string{"s3:ReplicateObject", "s3:ReplicateTags"}
	if deletions == CopyDeletions {
		write = append(write, "s3:ReplicateDelete")
	}
	return iamdoc.Document(
		iamdoc.Statement{Sid: "FindObjects", Actions: []string{"s3:GetReplicationConfiguration", "s3:ListBucket"}, Resources: []string{from.Bucket}},
		iamdoc.Statement{Sid: "ReadObjects", Resources: []string{from.Bucket + "/*"}, Actions: []string{
			"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold",
		}},
		iamdoc.Statement{Sid: "WriteCopies", Actions: write, Resources: []string{to.Bucket + "/*"}},
		from.through("Decrypt", "kms:Decrypt"),
		to.through("Encrypt", "kms:Encrypt"),
	)
}

// through lets S3 use the key of one end for objects of its bucket alone. The context that S3 names is the bucket where a
// bucket key is in use, and the object where not, which each upload can say.
// Source: Amazon S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys", "Changes to note before enabling".
func (e End) through(sid, action string) iamdoc.Statement {
	return iamdoc.Statement{Sid: sid, Actions: []string{action}, Resources: []string{e.Key}, Conditions: map[string]map[string][]string{
		"StringEquals": {"kms:ViaService": {fmt.Sprintf("s3.%s.amazonaws.com", e.Region)}},
		"StringLike":   {"kms:EncryptionContext:aws:s3:arn": {e.Bucket, e.Bucket + "/*"}},
	}}
}
