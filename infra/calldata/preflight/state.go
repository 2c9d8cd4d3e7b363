package preflight

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// maxLock bounds what is read of a lock, in bytes; Pulumi writes about 100.
const maxLock = 1 << 16

// backend is where Pulumi keeps the state, if that is S3.
// Source: pulumi.com/docs/iac/concepts/state-and-backends, "AWS S3"; gocloud.dev/blob/s3blob, URLOpener.
type backend struct {
	url    string
	bucket string
	// prefix is empty, or ends with a slash.
	prefix string
	query  url.Values
}

func parseBackend(text string) (backend, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return backend{}, fmt.Errorf("%q is no URL of a bucket: want s3://BUCKET", text)
	}
	b := backend{url: text, bucket: u.Host, query: u.Query()}
	if path := strings.Trim(u.Path, "/"); path != "" {
		b.prefix = path + "/"
	}
	b.prefix += u.Query().Get("prefix")
	return b, nil
}

// client makes a client as the URL says; what it does not say is as in settings.
func (b backend) client(settings aws.Config) *s3.Client {
	if region := b.query.Get("region"); region != "" {
		settings.Region = region
	}
	if endpoint := b.query.Get("endpoint"); endpoint != "" {
		if !strings.Contains(endpoint, "://") {
			scheme := "https"
			if b.query.Get("disableSSL") == "true" || b.query.Get("disable_https") == "true" {
				scheme = "http"
			}
			endpoint = scheme + "://" + endpoint
		}
		settings.BaseEndpoint = aws.String(endpoint)
	}
	return awsapi.S3(settings)
}

// backendURL is where Pulumi would look for the state, in the order in which it looks.
// Source: pulumi/pulumi, pkg/workspace GetCurrentCloudURL; credentials.json is written by `pulumi login`.
func (i *inspector) backendURL() string {
	if env := i.tools.getenv("PULUMI_BACKEND_URL"); env != "" {
		return env
	}
	if i.file.Backend != "" {
		return i.file.Backend
	}
	home := i.tools.getenv("PULUMI_HOME")
	if home == "" {
		home = filepath.Join(i.tools.getenv("HOME"), ".pulumi")
	}
	data, err := os.ReadFile(filepath.Join(home, "credentials.json")) //nolint:gosec // Pulumi's own
	if err != nil {
		return ""
	}
	var credentials struct{ Current string } // nothing else is looked at: the file holds tokens
	if json.Unmarshal(data, &credentials) != nil {
		return ""
	}
	return credentials.Current
}

// state checks the bucket, and in it the lock.
func (i *inspector) state(ctx context.Context) {
	b, f := i.stateBucket(ctx)
	if b.bucket == "" || f.status == verdict.Fail {
		i.record(CheckLock, skip("no state in a bucket"), 0)
		return
	}
	i.check(ctx, CheckLock, func(ctx context.Context) found { return i.lock(ctx, b) })
}

// stateBucket checks the bucket. The backend is empty where the state is elsewhere.
func (i *inspector) stateBucket(ctx context.Context) (backend, found) {
	text := i.backendURL()
	var b backend
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
		if b, err = parseBackend(text); err != nil {
			return fail("%s", err)
		}
		return i.bucket(ctx, b)
	})
	return b, f
}

func (i *inspector) bucket(ctx context.Context, b backend) found {
	client := i.clients.s3(b)
	_, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(b.bucket)})
	var answer *smithyhttp.ResponseError
	switch {
	case awsapi.Is(err, "NotFound", "NoSuchBucket"):
		return fail("bucket %s does not exist: `calldata bootstrap --bucket %s` makes it", b.bucket, b.bucket)
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusForbidden:
		return fail("bucket %s keeps %s out: it is another account's, or s3:ListBucket is missing", b.bucket, i.id.ARN)
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusMovedPermanently:
		return fail("bucket %s is in the region %s: log in with ?region=%s", b.bucket, answer.Response.Header.Get("X-Amz-Bucket-Region"),
			answer.Response.Header.Get("X-Amz-Bucket-Region"))
	case err != nil:
		return unknown(err)
	}
	versioning, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String(b.bucket)})
	switch {
	case err != nil:
		return warn("bucket %s is there, whether it is versioned could not be checked: %s", b.bucket, awsapi.Message(err))
	case versioning.Status != types.BucketVersioningStatusEnabled:
		return warn("bucket %s keeps no versions, so a broken state could not be taken back: `calldata bootstrap --bucket %s` mends it", b.bucket, b.bucket)
	}
	return ok("%s, versioned", b.url)
}

// lock looks for whoever works on the stack. Locks do not expire: one that a killed Pulumi left stays until somebody
// removes it.
// Source: pulumi/pulumi v3.259.0, pkg/backend/diy/lock.go.
func (i *inspector) lock(ctx context.Context, b backend) found {
	client := i.clients.s3(b)
	prefix := fmt.Sprintf("%s.pulumi/locks/organization/%s/%s/", b.prefix, stacks.Project, i.file.Stack)
	var held []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String(b.bucket), Prefix: aws.String(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unknown(err)
		}
		for _, object := range page.Contents {
			held = append(held, i.holder(ctx, client, b, object))
		}
	}
	if len(held) == 0 {
		return ok("nobody holds it")
	}
	return fail("%s\nwait until that is over; if it was killed, remove the lock: pulumi cancel -s %s", strings.Join(held, "\n"), i.file.Stack)
}

// holder describes one lock.
func (i *inspector) holder(ctx context.Context, client stateAPI, b backend, object types.Object) string {
	var lock struct {
		Pid                int
		Username, Hostname string
		Timestamp          time.Time
	}
	at := aws.ToTime(object.LastModified)
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(b.bucket), Key: object.Key})
	if err == nil {
		defer func() { _ = out.Body.Close() }()
		err = json.NewDecoder(io.LimitReader(out.Body, maxLock)).Decode(&lock)
	}
	if err != nil {
		return fmt.Sprintf("somebody holds it since %s (%s cannot be read)", since(at), aws.ToString(object.Key))
	}
	if !lock.Timestamp.IsZero() {
		at = lock.Timestamp
	}
	text := fmt.Sprintf("%s@%s holds it since %s, process %d", cmp.Or(lock.Username, "somebody"), cmp.Or(lock.Hostname, "somewhere"), since(at), lock.Pid)
	if here, err := os.Hostname(); err == nil && here == lock.Hostname {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", lock.Pid)); errors.Is(err, os.ErrNotExist) && lock.Pid > 0 {
			text += ", which no longer runs on this machine"
		}
	}
	return text
}

func since(at time.Time) string {
	return fmt.Sprintf("%s (%s ago)", at.UTC().Format(time.RFC3339), progress.Short(time.Since(at)))
}
