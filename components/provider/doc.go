// Package provider asks the AWS provider where and as whom it works.
package provider
