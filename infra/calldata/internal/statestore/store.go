// Package statestore reads what Pulumi keeps in a backend of files: the state of each stack, its history, and who holds its lock.
//
// Source: pulumi/pulumi v3.259.0, pkg/backend/diy. The layout is that of projects, the only one that Pulumi 3.258 and later take.
package statestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// ErrNotFound is in the error of a file that is not there.
var ErrNotFound = errors.New("not found")

// Store is a backend of files. Keys are paths with slashes, below the backend's root.
type Store interface {
	// List answers the files whose keys begin with prefix, in the order of their keys.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Read answers a file, or an error with ErrNotFound in it.
	Read(ctx context.Context, key string) ([]byte, error)
	// Write makes or overwrites a file, whole or not at all.
	Write(ctx context.Context, key string, data []byte) error
}

// Object is a file in a Store.
type Object struct {
	// Key is its path, Time when it was written.
	Key  string
	Time time.Time
}

// URL is where Pulumi looks for the state, in the order in which it looks. Project is backend.url of Pulumi.yaml. It is empty where
// Pulumi is logged in nowhere.
// Source: pulumi/pulumi, pkg/workspace GetCurrentCloudURL; credentials.json is written by `pulumi login`.
func URL(getenv func(string) string, project string) string {
	if env := getenv("PULUMI_BACKEND_URL"); env != "" {
		return env
	}
	if project != "" {
		return project
	}
	home := getenv("PULUMI_HOME")
	if home == "" {
		home = filepath.Join(getenv("HOME"), ".pulumi")
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

// Open opens the backend of a URL: s3://BUCKET or file://DIRECTORY, of which a relative one begins at dir, the project's directory. Of
// a bucket it asks nothing yet. Every other URL is a usage error, which does not show it: it may hold a password.
func Open(ctx context.Context, text, dir string) (Store, error) {
	scheme, path, _ := strings.Cut(text, "://")
	switch scheme {
	case "":
		return nil, cli.UsageErrorf("Pulumi is logged in nowhere: log in as `calldata bootstrap` says")
	case "file":
		return openDir(path, dir)
	case "s3":
		b, err := ParseBucket(text)
		if err != nil {
			return nil, cli.WithCode(cli.ExitUsage, err)
		}
		settings, err := awsapi.Load(ctx, "", b.query.Get("profile"), "us-east-1")
		if err != nil {
			return nil, err
		}
		return NewBucketStore(b.Client(settings), b), nil
	}
	return nil, cli.UsageErrorf("the state is with a backend of the kind %s, whose history cannot be read here: want s3://BUCKET or file://DIRECTORY", scheme)
}

// openDir opens a directory of files. A query is for Pulumi's library alone.
func openDir(path, dir string) (Store, error) {
	path, _, _ = strings.Cut(path, "?")
	path, err := url.PathUnescape(path)
	if err != nil {
		return nil, cli.UsageErrorf("the URL of the state: %w", err)
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("the URL of the state: %w", err)
		}
		path = home + rest
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return dirStore{path}, nil
}
