// Package awsapi is what commands that ask AWS themselves share: settings, identity, errors.
package awsapi

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// retries is how often a call is tried: enough for throttling, not so often that a person waits for minutes.
const retries = 4

var regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

// CheckRegion reports what keeps region from being the name of an AWS region.
func CheckRegion(region string) error {
	if !regionForm.MatchString(region) {
		return fmt.Errorf("%q is no AWS region: want one like us-east-1", region)
	}
	return nil
}

// Load reads AWS settings as the AWS CLI does: environment, profile, metadata service. An empty profile is the
// environment's; an empty region is the profile's, or else fallback.
func Load(ctx context.Context, region, profile, fallback string) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{config.WithRetryMaxAttempts(retries), config.WithDefaultRegion(fallback)}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	settings, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("AWS settings: %w", err)
	}
	return settings, nil
}

// S3 makes a client of S3. Servers other than AWS's own have no host name for each bucket.
func S3(settings aws.Config) *s3.Client {
	return s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = settings.BaseEndpoint != nil })
}

// Identity is who a command works as.
type Identity struct {
	// Account is the account's twelve digits.
	Account string `json:"account"`
	// ARN is the user or the role session.
	ARN string `json:"arn"`
	// Partition is "aws" outside China and the government's regions.
	Partition string `json:"-"`
}

// Identifier is the part of STS that knows who asks.
type Identifier interface {
	GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

// WhoAmI answers whose credentials are in use, or what to do where there are none that work.
func WhoAmI(ctx context.Context, client Identifier) (Identity, error) {
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Identity{}, fmt.Errorf("no AWS credentials that work: %s; set AWS_PROFILE, or log in with `aws sso login`", Message(err))
	}
	id := Identity{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn), Partition: "aws"}
	if parsed, err := arn.Parse(id.ARN); err == nil {
		id.Partition = parsed.Partition
	}
	return id, nil
}

// Is reports whether err is AWS's answer with one of codes.
func Is(err error, codes ...string) bool {
	var failure smithy.APIError
	return errors.As(err, &failure) && slices.Contains(codes, failure.ErrorCode())
}

// Denied reports whether AWS refused the call for want of permission.
func Denied(err error) bool {
	return Is(err, "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "Forbidden", "403")
}

// Message is an AWS error without the request ids around it.
func Message(err error) string {
	var failure smithy.APIError
	if errors.As(err, &failure) {
		return strings.TrimSuffix(failure.ErrorCode()+": "+failure.ErrorMessage(), ": ")
	}
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		return operation.OperationName + ": " + operation.Err.Error()
	}
	return err.Error()
}
