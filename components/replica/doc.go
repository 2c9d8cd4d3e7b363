// Package replica keeps copies of a stack's backups in a second region: a bucket that S3 copies every new object of the
// backups' bucket to, and a vault that AWS Backup can copy to, under a key of that region. Nothing that is deleted in the
// first region is deleted there.
package replica
