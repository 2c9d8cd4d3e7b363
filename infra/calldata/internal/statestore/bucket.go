package statestore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// Bucket is a URL of a bucket in S3, taken apart.
// Source: pulumi.com/docs/iac/concepts/state-and-backends, "AWS S3"; gocloud.dev/blob/s3blob, URLOpener.
type Bucket struct {
	// URL is the whole of it, Name the bucket's name.
	URL, Name string
	// Prefix begins every key: empty, or it ends with a slash unless the URL says otherwise.
	Prefix string

	query url.Values
}

// ParseBucket takes a URL apart.
func ParseBucket(text string) (Bucket, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return Bucket{}, fmt.Errorf("%q is no URL of a bucket: want s3://BUCKET", text)
	}
	b := Bucket{URL: text, Name: u.Host, query: u.Query()}
	if path := strings.Trim(u.Path, "/"); path != "" {
		b.Prefix = path + "/"
	}
	b.Prefix += u.Query().Get("prefix")
	return b, nil
}

// Client makes a client as the URL says; what it does not say is as in settings.
func (b Bucket) Client(settings aws.Config) *s3.Client {
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

// BucketAPI is the part of S3 that a Store needs.
type BucketAPI interface {
	s3.ListObjectsV2APIClient
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// NewBucketStore makes the Store of a bucket.
func NewBucketStore(client BucketAPI, b Bucket) Store { return bucketStore{client, b} }

type bucketStore struct {
	client BucketAPI
	Bucket
}

func (b bucketStore) List(ctx context.Context, prefix string) ([]Object, error) {
	var found []Object
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: aws.String(b.Name), Prefix: aws.String(b.Prefix + prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Contents {
			found = append(found, Object{Key: strings.TrimPrefix(aws.ToString(object.Key), b.Prefix), Time: aws.ToTime(object.LastModified)})
		}
	}
	return found, nil
}

func (b bucketStore) Read(ctx context.Context, key string) ([]byte, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(b.Name), Key: aws.String(b.Prefix + key)})
	if awsapi.Is(err, "NoSuchKey", "NotFound") {
		return nil, fmt.Errorf("%s: %w", key, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Body.Close() }()
	return io.ReadAll(out.Body)
}

func (b bucketStore) Write(ctx context.Context, key string, data []byte) error {
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(b.Name), Key: aws.String(b.Prefix + key), Body: bytes.NewReader(data)})
	return err
}
