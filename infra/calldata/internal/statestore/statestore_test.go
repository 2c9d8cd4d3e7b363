package statestore

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

func TestBucketURL(t *testing.T) {
	t.Parallel()
	b, err := ParseBucket("s3://state/team/a?region=eu-west-1&endpoint=127.0.0.1:5000&disableSSL=true")
	require.NoError(t, err)
	assert.Equal(t, "state", b.Name)
	assert.Equal(t, "team/a/", b.Prefix)
	options := b.Client(aws.Config{Region: "us-east-1"}).Options()
	assert.Equal(t, "eu-west-1", options.Region)
	assert.Equal(t, "http://127.0.0.1:5000", aws.ToString(options.BaseEndpoint))
	assert.True(t, options.UsePathStyle)
	_, err = ParseBucket("s3:///")
	assert.Error(t, err)
}

func TestURL(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := map[string]string{"PULUMI_HOME": home, "PULUMI_BACKEND_URL": "s3://from-environment"}
	getenv := func(name string) string { return env[name] }
	assert.Equal(t, "s3://from-environment", URL(getenv, "s3://from-project"))
	delete(env, "PULUMI_BACKEND_URL")
	assert.Equal(t, "s3://from-project", URL(getenv, "s3://from-project"))
	assert.Empty(t, URL(getenv, ""))
	require.NoError(t, os.WriteFile(filepath.Join(home, "credentials.json"), []byte(`{"current":"s3://from-login"}`), 0o600))
	assert.Equal(t, "s3://from-login", URL(getenv, ""))
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{"": "logged in nowhere", "postgres://me:hunter2@db": "of the kind postgres", "s3:///": "no URL of a bucket", "file://%zz": "the URL of the state"} {
		_, err := Open(t.Context(), text, "/project")
		assert.Equal(t, cli.ExitUsage, cli.Code(err), text)
		require.ErrorContains(t, err, says)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	for text, want := range map[string]string{"file:///var/state": "/var/state", "file://state%20of?no_tmp_dir=true": "/project/state of", "file://~/x": home + "/x", "file://~": home} {
		s, err := Open(t.Context(), text, "/project")
		require.NoError(t, err)
		assert.Equal(t, dirStore{want}, s)
	}
}

// bucket is one in S3, of which a page has one object.
type bucket map[string]string

var written = time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)

func (b bucket) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	var keys []string
	for key := range b {
		if strings.HasPrefix(key, *in.Prefix) && key > aws.ToString(in.ContinuationToken) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	out := &s3.ListObjectsV2Output{IsTruncated: aws.Bool(len(keys) > 1)}
	if len(keys) > 0 {
		out.NextContinuationToken = aws.String(keys[0])
		out.Contents = []types.Object{{Key: aws.String(keys[0]), LastModified: aws.Time(written)}}
	}
	return out, nil
}

func (b bucket) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	text, ok := b[*in.Key]
	if !ok {
		return nil, &smithy.GenericAPIError{Code: "NoSuchKey"}
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(strings.NewReader(text))}, nil
}

func (b bucket) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	data, err := io.ReadAll(in.Body)
	b[*in.Key] = string(data)
	return &s3.PutObjectOutput{}, err
}

// stores are one of each kind.
func stores(t *testing.T) map[string]Store {
	t.Helper()
	b, err := ParseBucket("s3://state/team")
	require.NoError(t, err)
	return map[string]Store{"directory": dirStore{filepath.Join(t.TempDir(), "state")}, "bucket": NewBucketStore(bucket{"elsewhere": ""}, b)}
}

func TestStores(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		ctx := t.Context()
		none, err := s.List(ctx, "a/")
		require.NoError(t, err, name)
		assert.Empty(t, none, name)
		_, err = s.Read(ctx, "a/b")
		require.ErrorIs(t, err, ErrNotFound, name)
		for _, key := range []string{"a/b", "a/b.json", "a/c/d", "b"} {
			require.NoError(t, s.Write(ctx, key, []byte("of "+key)), name)
		}
		require.NoError(t, s.Write(ctx, "a/b", []byte("new")), name)
		data, err := s.Read(ctx, "a/b")
		require.NoError(t, err, name)
		assert.Equal(t, "new", string(data), name)
		for prefix, want := range map[string][]string{"a/": {"a/b", "a/b.json", "a/c/d"}, "a/b": {"a/b", "a/b.json"}, "a/b.": {"a/b.json"}} {
			found, err := s.List(ctx, prefix)
			require.NoError(t, err, name)
			var keys []string
			for _, o := range found {
				keys = append(keys, o.Key)
				assert.False(t, o.Time.IsZero())
			}
			assert.Equal(t, want, keys, name)
		}
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "state")
	require.NoError(t, dirStore{root}.Write(t.Context(), "a/b", []byte("secret")))
	info, err := os.Stat(filepath.Join(root, "a/b"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		ctx := t.Context()
		s := Stack{store, "project", "dev"}
		_, ok, err := s.Present(ctx)
		require.NoError(t, err)
		assert.False(t, ok)
		none, err := Stacks(ctx, store, "project", "")
		require.NoError(t, err)
		assert.Empty(t, none)
		const at = "1764460800000000000" // 2025-11-30T00:00:00Z
		for _, key := range []string{
			".pulumi/stacks/project/dev.json.gz", ".pulumi/stacks/project/dev.json.gz.bak", ".pulumi/stacks/project/dev.json." + at[:18] + "3",
			".pulumi/stacks/project/dev.json.attrs", ".pulumi/stacks/project/dev.pulumi-tags", ".pulumi/stacks/project/dev2.json",
			".pulumi/history/project/dev/dev-" + at[:18] + "1.checkpoint.json.gz", ".pulumi/history/project/dev/dev-" + at[:18] + "1.history.json.gz",
			".pulumi/history/project/dev2/dev2-" + at[:18] + "9.checkpoint.json", ".pulumi/backups/project/dev/dev." + at[:18] + "2.json.zst",
			".pulumi/backups/project/dev/README",
		} {
			require.NoError(t, store.Write(ctx, key, []byte(`{"kind":"update","result":"succeeded","environment":{"git.head":"abc"}}`)))
		}
		names, err := Stacks(ctx, store, "project", "dev")
		require.NoError(t, err)
		assert.Equal(t, []string{"dev", "dev2"}, names, name)
		file, ok, err := s.Present(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		assert.Equal(t, ".pulumi/stacks/project/dev.json.gz", file.Key)
		found, err := s.Checkpoints(ctx)
		require.NoError(t, err)
		var from []string
		for _, c := range found {
			from = append(from, c.From+" "+filepath.Base(c.Key))
		}
		assert.Equal(t, []string{
			"write dev.json.gz.bak", "write dev.json." + at[:18] + "3", "backup dev." + at[:18] + "2.json.zst", "history dev-" + at[:18] + "1.checkpoint.json.gz",
		}, from, name)
		assert.Equal(t, "20251130T000000.000000Z", found[3].ID)
		update, err := s.Update(ctx, found[3])
		require.NoError(t, err)
		assert.Equal(t, &Update{Kind: "update", Result: "succeeded", Environment: map[string]string{"git.head": "abc"}}, update)
		update, err = s.Update(ctx, found[2])
		require.NoError(t, err)
		assert.Nil(t, update)

		key, err := s.Keep(ctx, file, []byte("damaged"), time.Unix(0, 1764460800000000007))
		require.NoError(t, err)
		assert.Equal(t, ".pulumi/backups/project/dev/dev.1764460800000000007.json.gz", key)
		require.NoError(t, s.Restore(ctx, []byte{31, 139, 8, 0}))
		data, err := store.Read(ctx, file.Key)
		require.NoError(t, err)
		assert.True(t, bytes.Equal([]byte{31, 139, 8, 0}, data))
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	for name, store := range stores(t) {
		ctx := t.Context()
		held, err := Locks(ctx, store, "project", "dev")
		require.NoError(t, err)
		assert.Empty(t, held)
		require.NoError(t, store.Write(ctx, ".pulumi/locks/organization/project/dev/1.json", []byte(`{"pid":42,"username":"ann","hostname":"elsewhere","timestamp":"2026-01-02T03:04:05Z"}`)))
		require.NoError(t, store.Write(ctx, ".pulumi/locks/organization/project/dev/2.json", []byte(`not JSON`)))
		require.NoError(t, store.Write(ctx, ".pulumi/locks/organization/project/dev2/1.json", []byte(`{}`)))
		held, err = Locks(ctx, store, "project", "dev")
		require.NoError(t, err)
		require.Len(t, held, 2, name)
		assert.Contains(t, held[0], "ann@elsewhere holds it since 2026-01-02T03:04:05Z")
		assert.Contains(t, held[1], "2.json cannot be read")
	}
}
