package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/stacks"
)

// copySuffix makes of a stack's name the bucket of its copies in a second region.
const copySuffix = ":copy"

// whereForm is what --from takes. Pulumi's names of stacks have letters, digits, hyphens, underscores, dots, and slashes between.
var whereForm = regexp.MustCompile(`^(s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9._/-]*)?(\?[^#]*)?|[A-Za-z0-9._/-]+(` + copySuffix + `)?)$`)

// manifestFile ends the keys of manifests. It is stored last: without it there is no backup.
const manifestFile = "/manifest.json"

// reader is a bucket of backups that is read from here, with the operator's credentials.
type reader interface {
	// List answers the objects whose keys begin with prefix, Read one of them.
	List(ctx context.Context, prefix string) ([]statestore.Object, error)
	Read(ctx context.Context, key string) ([]byte, error)
	// Sign answers a URL that reads an object for so long, without any other permission, and no longer than the credentials last.
	Sign(ctx context.Context, key string, valid time.Duration) (string, error)
}

// elsewhere is where backups are that lie elsewhere than in the stack's own bucket.
type elsewhere struct {
	reader
	// stack is whose they are; empty where a bucket was named. where names them for people.
	stack, where string
}

// find finds what --from means: another stack's bucket, the copies of a stack's, or a bucket by its name.
func (o *Options) find(ctx context.Context, stack stacks.Outputs, where string) (elsewhere, error) {
	found, url, region := elsewhere{}, where, stack.Region
	if !strings.HasPrefix(where, "s3://") {
		name, copied := strings.CutSuffix(where, copySuffix)
		of := stack
		if name != stack.Stack {
			source := o.Source
			source.File, source.Stack = "", name
			var err error
			if of, err = o.outputs(ctx, source); err != nil {
				return found, fmt.Errorf("--from: %w", err)
			}
		}
		switch {
		case of.Backups == nil:
			return found, cli.UsageErrorf("--from is %q: stack %s has no bucket for backups", where, of.Stack)
		case copied && of.Backups.Copy == nil:
			return found, cli.UsageErrorf("--from is %q: stack %s keeps no copies in a second region (copyRegion)", where, of.Stack)
		case copied:
			url, region = "s3://"+of.Backups.Copy.Bucket, of.Backups.Copy.Region
		default:
			url, region = "s3://"+of.Backups.Bucket, of.Region
		}
		found.stack = of.Stack
	}
	b, err := statestore.ParseBucket(url)
	if err != nil {
		return found, cli.UsageErrorf("--from: %w", err)
	}
	found.where = "s3://" + b.Name + "/" + b.Prefix
	found.reader, err = o.bucket(ctx, b, region)
	return found, err
}

// counterpart is the name that a machine of this stack has in the stack that the backups are of.
func (e elsewhere) counterpart(stack stacks.Outputs, name string) string {
	if rest, ok := strings.CutPrefix(name, stack.Stack+"-"); ok && e.stack != "" {
		return e.stack + "-" + rest
	}
	return name
}

// list reads the manifests of the backups that machines of a role made.
func (e elsewhere) list(ctx context.Context, role stacks.Role) ([]Backup, error) {
	prefix := string(role) + "/"
	objects, err := e.List(ctx, prefix)
	if err != nil {
		return nil, e.unreachable(err)
	}
	var found []Backup
	for _, object := range objects {
		id, ok := strings.CutSuffix(strings.TrimPrefix(object.Key, prefix), manifestFile)
		if !ok || !idForm.MatchString(id) {
			continue
		}
		data, err := e.Read(ctx, object.Key)
		if err != nil {
			return nil, e.unreachable(err)
		}
		var envelope struct{ Manifest manifest }
		if json.Unmarshal(data, &envelope) != nil || envelope.Manifest.ID != id {
			envelope.Manifest = manifest{ID: id, Damaged: "its manifest cannot be read"}
		}
		found = append(found, envelope.Manifest.backup(role))
	}
	return found, nil
}

func (e elsewhere) unreachable(err error) error {
	return cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask for %s: %s", e.where, awsapi.Message(err)))
}

// choose finds the backups that names mean, where SOURCE/latest is the newest whole one of a source that has the parts. One that is named
// may lack parts that failed, but is not damaged. Whatever speaks against them is an error, before anything was done.
func (e elsewhere) choose(ctx context.Context, role stacks.Role, names, parts []string) ([]Backup, error) {
	all, err := e.list(ctx, role)
	if err != nil {
		return nil, err
	}
	var chosen []Backup
	var errs []error
	for _, name := range names {
		source, at, _ := strings.Cut(name, "/")
		candidates := slices.DeleteFunc(slices.Clone(all), func(b Backup) bool {
			return b.Source() != source || b.Damaged != "" || (at != latest && b.ID != name) || (at == latest && !b.Whole()) || !b.has(parts)
		})
		if len(candidates) == 0 {
			errs = append(errs, e.nothing(all, name, parts))
			continue
		}
		chosen = append(chosen, slices.MaxFunc(candidates, func(a, b Backup) int { return strings.Compare(a.at(), b.at()) }))
	}
	return chosen, cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

// nothing says that there is no such backup, and whose there are.
func (e elsewhere) nothing(all []Backup, name string, parts []string) error {
	sources := map[string]bool{}
	for _, b := range all {
		if b.ID == name && b.Damaged != "" {
			return fmt.Errorf("the backup %s in %s is damaged: %s: take another of `calldata backup list --from`", name, e.where, b.Damaged)
		}
		sources[b.Source()] = true
	}
	with := ""
	if len(parts) > 0 {
		with = " with " + strings.Join(parts, ", ")
	}
	if len(sources) == 0 {
		return fmt.Errorf("%s has no whole backup %s%s, and none of this role at all", e.where, name, with)
	}
	return fmt.Errorf("%s has no whole backup %s%s; there are backups of %s: see `calldata backup list --from`", e.where, name, with,
		strings.Join(slices.Sorted(maps.Keys(sources)), ", "))
}

// handed is what a machine gets to read backups with, in a file of mode 0600: calldata_backup/handed.py takes it.
type handed struct {
	Where   string            `json:"where"`
	Objects map[string]string `json:"objects"`
}

// handOver signs a URL for each object of the backups.
func (e elsewhere) handOver(ctx context.Context, role stacks.Role, backups []Backup, valid time.Duration) ([]byte, error) {
	prefix, all := string(role)+"/", handed{Where: strings.TrimSuffix(e.where, "/") + "/" + string(role), Objects: map[string]string{}}
	for _, b := range backups {
		objects, err := e.List(ctx, prefix+b.ID+"/")
		if err != nil {
			return nil, e.unreachable(err)
		}
		for _, object := range objects {
			if all.Objects[strings.TrimPrefix(object.Key, prefix)], err = e.Sign(ctx, object.Key, valid); err != nil {
				return nil, e.unreachable(err)
			}
		}
	}
	return json.Marshal(all)
}

// maxSigned is the longest that a signed URL is good for.
// Source: Amazon S3 User Guide, "Download and upload objects with presigned URLs".
const maxSigned = 7 * 24 * time.Hour

// bucket is a bucket of S3.
type bucket struct {
	statestore.Store
	statestore.Bucket
	presign *s3.PresignClient
}

// openBucket makes clients of a bucket; it asks nothing yet. A region in the URL is stronger than the given one.
func openBucket(ctx context.Context, b statestore.Bucket, region string) (reader, error) {
	settings, err := awsapi.Load(ctx, region, "", "")
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	store := statestore.NewBucketStore(b.Client(settings), b)
	// A machine reads from S3 under S3's own name, whatever way leads there from here. The URL alone can say otherwise.
	settings.BaseEndpoint, settings.ConfigSources = nil, nil
	settings.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // the machine compares with the manifest
	return bucket{store, b, s3.NewPresignClient(b.Client(settings))}, nil
}

func (b bucket) Sign(ctx context.Context, key string, valid time.Duration) (string, error) {
	signed, err := b.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(b.Name), Key: aws.String(b.Prefix + key)},
		s3.WithPresignExpires(min(valid, maxSigned)))
	if err != nil {
		return "", err
	}
	return signed.URL, nil
}
