// Package keys is a customer managed KMS key for one use. The account administers the key, and the key's policy says
// through which AWS services it may be used: whoever holds it can encrypt and decrypt volumes, a database or a bucket,
// but nothing directly.
package keys
