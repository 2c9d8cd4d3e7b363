package emulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/calldata/calldata-foundation/infra/rehearsal/machines/netns"
)

// Every emulator takes any credentials. These are nobody's.
const (
	accessKey = "test"
	secretKey = "test" //nolint:gosec // no secret: the emulator does not check it
)

// Env points AWS SDKs and tools at the emulator, and at no real account: profiles, configuration files and the metadata
// service are out of their reach.
func (e *Emulator) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + e.URL(),
		"AWS_ACCESS_KEY_ID=" + accessKey,
		"AWS_SECRET_ACCESS_KEY=" + secretKey,
		"AWS_SESSION_TOKEN=",
		"AWS_PROFILE=",
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true",
		// S3 Control is reached by a proxy: see Settings.
		"NO_PROXY=",
		"no_proxy=",
		// Newer SDKs miss checksums that the emulator does not send, and say so on every read.
		"AWS_RESPONSE_CHECKSUM_VALIDATION=when_required",
	}
}

// Settings are stack settings of the AWS provider that belong to this emulator alone.
//
// S3 Control puts the account's number before the host of its endpoint. A name such as 123456789012.127.0.0.1 exists
// nowhere, but a proxy is asked for it all the same. What goes to 127.0.0.1 itself does not pass by the proxy.
func (e *Emulator) Settings() map[string]any {
	return map[string]any{"aws:httpProxy": e.URL()}
}

// AWSConfig is for clients in this process, which may be outside the emulator's network.
func (e *Emulator) AWSConfig() aws.Config {
	return aws.Config{
		Region:                     Region,
		BaseEndpoint:               aws.String(e.URL()),
		Credentials:                credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTPClient:                 e.client(),
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
}

// client reaches the emulator from outside its network namespace, through no proxy.
func (e *Emulator) client() *http.Client {
	dial := (&net.Dialer{}).DialContext
	if e.netns != "" {
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return netns.DialContext(ctx, e.netns, network, address)
		}
	}
	// Connections are not kept: one that waits in the namespace would outlive it.
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

func (e *Emulator) s3() *s3.Client {
	return s3.NewFromConfig(e.AWSConfig(), func(o *s3.Options) { o.UsePathStyle = true })
}

// CreateBackend makes a versioned bucket for Pulumi's state. One that exists is left as it is.
func (e *Emulator) CreateBackend(ctx context.Context, bucket string) error {
	_, err := e.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	var owned *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &owned) {
		return fmt.Errorf("create state bucket %s: %w", bucket, err)
	}
	_, err = e.s3().PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		return fmt.Errorf("turn on versions of state bucket %s: %w", bucket, err)
	}
	return nil
}

// Objects calls visit with everything that a bucket holds, older versions included, by "key" or "key@version".
func (e *Emulator) Objects(ctx context.Context, bucket string, visit func(name string, data []byte)) error {
	client := e.s3()
	pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: aws.String(bucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list bucket %s: %w", bucket, err)
		}
		for _, v := range page.Versions {
			name := aws.ToString(v.Key)
			got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: v.Key, VersionId: v.VersionId})
			if err != nil {
				return fmt.Errorf("read %s of bucket %s: %w", name, bucket, err)
			}
			data, err := io.ReadAll(got.Body)
			_ = got.Body.Close()
			if err != nil {
				return fmt.Errorf("read %s of bucket %s: %w", name, bucket, err)
			}
			if !aws.ToBool(v.IsLatest) {
				name += "@" + aws.ToString(v.VersionId)
			}
			visit(name, data)
		}
	}
	return nil
}

// Change puts what edit makes of an object in its place.
func (e *Emulator) Change(ctx context.Context, bucket, key string, edit func([]byte) []byte) error {
	client := e.s3()
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return fmt.Errorf("read %s of bucket %s: %w", key, bucket, err)
	}
	data, err := io.ReadAll(got.Body)
	_ = got.Body.Close()
	if err == nil {
		_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(edit(data))})
	}
	if err != nil {
		return fmt.Errorf("change %s of bucket %s: %w", key, bucket, err)
	}
	return nil
}

// BackendURL is what PULUMI_BACKEND_URL is to be for state in bucket.
func (e *Emulator) BackendURL(bucket string) string {
	query := url.Values{"region": {Region}, "endpoint": {e.address}, "s3ForcePathStyle": {"true"}, "disableSSL": {"true"}}
	return (&url.URL{Scheme: "s3", Host: bucket, RawQuery: query.Encode()}).String()
}
