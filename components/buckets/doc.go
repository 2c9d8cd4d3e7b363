// Package buckets is an S3 bucket as all of ours are: private, encrypted, versioned, reached over TLS alone, and cleaned
// up by itself. What may write to it from AWS's side is said by naming the writer.
package buckets
