// Package machinelogs names the CloudWatch log groups that the machines' service calldata-logs writes to. The machines may not
// make them: a stack does, with its retention and key.
package machinelogs
