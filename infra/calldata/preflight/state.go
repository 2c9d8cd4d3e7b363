package preflight

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/stacks"
)

// state checks the bucket, and in it the lock.
func (i *inspector) state(ctx context.Context) {
	b, f := i.stateBucket(ctx)
	if b.Name == "" || f.status == verdict.Fail {
		i.record(CheckLock, skip("no state in a bucket"), 0)
		return
	}
	i.check(ctx, CheckLock, func(ctx context.Context) found { return i.lock(ctx, b) })
}

// stateBucket checks the bucket. The bucket is empty where the state is elsewhere.
func (i *inspector) stateBucket(ctx context.Context) (statestore.Bucket, found) {
	text := statestore.URL(i.tools.getenv, i.file.Backend)
	var b statestore.Bucket
	f := i.check(ctx, CheckState, func(ctx context.Context) found {
		scheme, _, _ := strings.Cut(text, ":")
		switch { // a URL of another scheme may hold a password, and is not shown
		case text == "":
			return fail("Pulumi is logged in nowhere: make the bucket with `calldata bootstrap`, which says how to log in")
		case scheme == "file":
			return warn("the state is on this machine alone: `calldata bootstrap` makes a bucket for it")
		case scheme != "s3":
			return skip("the state is not in S3, but with a backend of the kind %s", scheme)
		}
		var err error
		if b, err = statestore.ParseBucket(text); err != nil {
			return fail("%s", err)
		}
		return i.bucket(ctx, b)
	})
	return b, f
}

func (i *inspector) bucket(ctx context.Context, b statestore.Bucket) found {
	client := i.clients.s3(b)
	_, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(b.Name)})
	var answer *smithyhttp.ResponseError
	switch {
	case awsapi.Is(err, "NotFound", "NoSuchBucket"):
		return fail("bucket %s does not exist: `calldata bootstrap --bucket %s` makes it", b.Name, b.Name)
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusForbidden:
		return fail("bucket %s keeps %s out: it is another account's, or s3:ListBucket is missing", b.Name, i.id.ARN)
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusMovedPermanently:
		return fail("bucket %s is in the region %s: log in with ?region=%s", b.Name, answer.Response.Header.Get("X-Amz-Bucket-Region"),
			answer.Response.Header.Get("X-Amz-Bucket-Region"))
	case err != nil:
		return unknown(err)
	}
	versioning, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String(b.Name)})
	switch {
	case err != nil:
		return warn("bucket %s is there, whether it is versioned could not be checked: %s", b.Name, awsapi.Message(err))
	case versioning.Status != types.BucketVersioningStatusEnabled:
		return warn("bucket %s keeps no versions, so a broken state could not be taken back: `calldata bootstrap --bucket %s` mends it", b.Name, b.Name)
	}
	return ok("%s, versioned", b.URL)
}

// lock looks for whoever works on the stack.
func (i *inspector) lock(ctx context.Context, b statestore.Bucket) found {
	held, err := statestore.Locks(ctx, statestore.NewBucketStore(i.clients.s3(b), b), stacks.Project, i.file.Stack)
	switch {
	case err != nil:
		return unknown(err)
	case len(held) == 0:
		return ok("nobody holds it")
	}
	return fail("%s\nwait until that is over; if it was killed, remove the lock: pulumi cancel -s %s", strings.Join(held, "\n"), i.file.Stack)
}
