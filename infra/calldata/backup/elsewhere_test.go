package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/stacks"
)

func readHanded(t *testing.T, file string) (got handed) {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "URLs are for nobody else")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &got))
	return got
}

// far is a bucket in memory.
type far struct {
	objects map[string]string
	err     error
}

func (f *far) List(_ context.Context, prefix string) ([]statestore.Object, error) {
	var found []statestore.Object
	for key := range f.objects {
		if strings.HasPrefix(key, prefix) {
			found = append(found, statestore.Object{Key: key})
		}
	}
	return found, f.err
}

func (f *far) Read(_ context.Context, key string) ([]byte, error) {
	return []byte(f.objects[key]), nil
}

func (f *far) Sign(_ context.Context, key string, valid time.Duration) (string, error) {
	return fmt.Sprintf("https://signed.example.com/%s?valid=%s", key, valid), nil
}

// put makes a backup of a stack with parts, of which those with an exclamation mark failed.
func (f *far) put(stack, role, id string, parts ...string) {
	m := map[string]any{"id": id, "stack": stack, "role": role, "parts": []any{}, "failed": map[string]string{}}
	for _, part := range parts {
		if name, failed := strings.CutSuffix(part, "!"); failed {
			m["failed"].(map[string]string)[name] = "no space"
			continue
		}
		f.objects[role+"/"+id+"/"+part+".tar.zst.age"] = "x"
		m["parts"] = append(m["parts"].([]any), map[string]any{"name": part, "bytes": 7})
	}
	data, _ := json.Marshal(map[string]any{"sha256": "x", "manifest": m})
	f.objects[role+"/"+id+manifestFile] = string(data)
}

const (
	goodEngine = "prod-uc-1/20261129T020000Z-00000001"
	torn       = "prod-uc-1/20261130T020000Z-00000002"
	database   = "database/20261129T020500Z-00000003"
)

// withFar gives the bench a stack prod whose bucket has backups. Asked is where the command looked.
func (b *bench) withFar() (f *far, asked *[]string) {
	f, asked = &far{objects: map[string]string{}}, &[]string{}
	f.put("prod", "uc-engine", goodEngine, "wazo-data", "wazo-db")
	f.put("prod", "uc-engine", "prod-uc-1/20261128T020000Z-00000004", "wazo-data", "wazo-db")
	f.put("prod", "uc-engine", torn, "wazo-data", "wazo-db!")
	f.put("prod", "c4-router", database, "database")
	f.objects["uc-engine/prod-uc-1/20261130T030000Z-00000005/wazo-data.tar.zst.age"] = "without a manifest"
	b.opts.bucket = func(_ context.Context, place statestore.Bucket, region string) (reader, error) {
		*asked = append(*asked, place.URL+" "+region)
		return f, nil
	}
	b.opts.outputs = func(_ context.Context, s outputs.Source) (stacks.Outputs, error) {
		if s.Stack != "prod" || s.File != "" {
			return stacks.Outputs{}, errors.New("no such stack")
		}
		prod := stacktest.Stack()
		prod.Stack, prod.Region = "prod", "us-east-1"
		prod.Backups = &stacks.Backups{Bucket: "prod-backups", KeyARN: "x", Copy: &stacks.BackupsCopy{Region: "us-west-2", Bucket: "prod-copies", KeyARN: "x"}}
		return prod, nil
	}
	return f, asked
}

func TestListElsewhere(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stderr: "nobody is asked", Code: 1})
	f, asked := b.withFar()
	f.objects["uc-engine/prod-uc-2/20261101T020000Z-00000006"+manifestFile] = "torn"
	require.NoError(t, b.run(t, "list", "trial", "--from", "prod", "--json"))
	var list List
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &list))
	assert.Equal(t, "s3://prod-backups/", list.From)
	var ids []string
	for _, one := range list.Backups {
		ids = append(ids, one.ID)
	}
	assert.Equal(t, []string{torn, database, goodEngine, "prod-uc-1/20261128T020000Z-00000004", "prod-uc-2/20261101T020000Z-00000006"}, ids, "the newest first")
	assert.Equal(t, Backup{ID: goodEngine, Role: stacks.RoleUCEngine, Stack: "prod", Bytes: 14, Parts: []string{"wazo-data", "wazo-db"}}, list.Backups[2])
	assert.Equal(t, "its manifest cannot be read", list.Backups[4].Damaged)
	assert.Empty(t, b.commands, "machines know nothing of other buckets")

	require.NoError(t, b.run(t, "list", "trial", "trial-uc-1", "--from", "prod:copy"))
	assert.Contains(t, b.out.String(), goodEngine)
	assert.NotContains(t, b.out.String(), "prod-uc-2", "of the machine of the same name there")
	require.NoError(t, b.run(t, "list", "trial", "c4-router", "--from", "s3://kept/deep?region=eu-north-1"))
	assert.Contains(t, b.out.String(), database)
	assert.NotContains(t, b.out.String(), goodEngine)
	assert.Equal(t, []string{"s3://prod-backups us-east-1", "s3://prod-copies us-west-2", "s3://kept/deep?region=eu-north-1 eu-west-1"}, *asked)

	for want, from := range map[string]string{"keeps no copies in a second region": "trial:copy", "no such stack": "nowhere"} {
		require.ErrorContains(t, b.run(t, "list", "trial", "--from", from), want)
	}
	f.err = errors.New("nobody answers")
	err := b.run(t, "list", "trial", "--from", "prod")
	require.ErrorContains(t, err, "ask for s3://prod-backups/: nobody answers")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
}

func TestRestoreFromAnotherStack(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{})
	b.withFar()
	err := b.run(t, "restore", "trial", "trial-uc-1", "--from", "prod", "--yes")
	require.ErrorContains(t, err, "backup "+goodEngine+" is of stack prod, trial-uc-1 is of stack trial: --allow stack restores it nevertheless")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.Empty(t, b.played)

	require.NoError(t, b.run(t, "restore", "trial", "trial-uc-1", "--from", "prod", "--allow", "stack", "--yes", "--timeout", "2h", "--json"))
	require.Len(t, b.played, 1)
	assert.Equal(t, []string{goodEngine}, b.played[0].Set["restore_backups"], "the newest that is whole, of its namesake")
	assert.Equal(t, []string{"stack"}, b.played[0].Set["restore_allow"])
	prefix := "https://signed.example.com/uc-engine/" + goodEngine
	assert.Equal(t, handed{Where: "s3://prod-backups/uc-engine", Objects: map[string]string{
		goodEngine + "/manifest.json":         prefix + "/manifest.json?valid=2h0m0s",
		goodEngine + "/wazo-data.tar.zst.age": prefix + "/wazo-data.tar.zst.age?valid=2h0m0s",
		goodEngine + "/wazo-db.tar.zst.age":   prefix + "/wazo-db.tar.zst.age?valid=2h0m0s",
	}}, b.handed[0], "what was chosen, and nothing else")
	assert.NoFileExists(t, b.played[0].Set["restore_from_file"].(string))
	var printed Restored
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &printed))
	assert.Equal(t, "restore", printed.Playbook)
	assert.Equal(t, []string{goodEngine}, printed.Backups)
	assert.NotContains(t, b.out.String(), "signed.example.com")

	require.NoError(t, b.run(t, "restore", "trial", "trial-router-1", "--from", "prod:copy", "--allow", "stack", "--check"))
	assert.Equal(t, []string{database}, b.played[1].Set["restore_backups"], "a Router's own files name its address")
	assert.Equal(t, false, b.played[1].Set["restore_yes"])
	require.NoError(t, b.run(t, "restore", "trial", "trial-uc-1", "--from", "s3://kept", "--backup", torn, "--allow", "stack", "--yes"))
	assert.Equal(t, []string{torn}, b.played[2].Set["restore_backups"], "what is named is taken as it is")
}

// All reasons are told, and nothing was done.
func TestRestoreFromElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{})
	f, _ := b.withFar()
	const damaged = "prod-uc-1/20261130T060000Z-00000007"
	f.objects["uc-engine/"+damaged+manifestFile] = "torn"
	err := b.run(t, "restore", "trial", "trial-uc-1", "--from", "prod", "--backup", "prod-uc-9/latest", "--backup", goodEngine, "--backup", "prod-uc-1/20200101T000000Z-0",
		"--backup", damaged, "--yes")
	for _, part := range []string{"the backup " + damaged + " in s3://prod-backups/ is damaged: its manifest cannot be read", "no whole backup prod-uc-9/latest; there are backups of prod-uc-1", "no whole backup prod-uc-1/20200101T000000Z-0", "is of stack prod"} {
		require.ErrorContains(t, err, part)
	}
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, b.run(t, "restore", "trial", "trial-uc-1", "--from", "prod", "--part", "voicemail", "--yes"), "prod-uc-1/latest with voicemail")
	require.ErrorContains(t, b.run(t, "restore", "trial", "trial-uc-1", "--from", "s3://kept", "--yes"), "give --backup")
	f.objects = nil
	require.ErrorContains(t, b.run(t, "restore", "trial", "trial-uc-1", "--from", "prod", "--yes"), "none of this role at all")
	assert.Empty(t, b.played)
	assert.Empty(t, b.handed)
}

// The Routers' fleet shares a database, which comes back through one of them.
func TestRestoreThroughAFleet(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stdout: "restored\n"})
	b.withFar()
	b.stack.Nodes, b.stack.Fleets = b.stack.Nodes[:1], []stacks.Fleet{{Name: "trial-router", Role: stacks.RoleC4Router}}
	b.opts.members = func(ctx context.Context, stack stacks.Outputs, _ stacks.Role) ([]stacks.Node, error) {
		nodes, err := stacktest.Members(ctx, stack, stacks.RoleC4SBC)
		nodes[0].Roles = []stacks.Role{stacks.RoleC4Router}
		return nodes, err
	}
	key := filepath.Join(t.TempDir(), "backup.key")
	require.NoError(t, os.WriteFile(key, []byte("AGE-SECRET-KEY-1X"), 0o600))
	err := b.run(t, "restore", "trial", "c4-router", "--backup", "i-1/latest", "--yes")
	require.ErrorContains(t, err, "machines of a fleet are replaced, not restored")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.Empty(t, b.commands)

	require.NoError(t, b.run(t, "restore", "trial", "c4-router", "--from", "prod", "--allow", "stack", "--part", "database", "--identity", key, "--yes"))
	require.Len(t, b.commands, 4)
	assert.ElementsMatch(t, []string{"sudo -n sh -c 'umask 077; cat >" + memberKey + "'", "sudo -n sh -c 'umask 077; cat >" + memberFrom + "'"}, b.commands[:2])
	assert.Equal(t, []string{
		"sudo -n /usr/local/sbin/calldata-backup restore " + database + " --yes --identity " + memberKey + " --from " + memberFrom + " --part database --allow stack",
		"sudo -n rm -f " + memberKey + " " + memberFrom,
	}, b.commands[2:])
	assert.Equal(t, "AGE-SECRET-KEY-1X", b.fed[memberKey].String())
	var given handed
	require.NoError(t, json.Unmarshal(b.fed[memberFrom].Bytes(), &given))
	assert.Len(t, given.Objects, 2)
	assert.Contains(t, b.out.String(), stacktest.Member+": restored")
	assert.Empty(t, b.played)

	b.commands = nil
	require.NoError(t, b.run(t, "restore", "trial", stacktest.Member, "--check", "--identity-secret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"))
	assert.Equal(t, []string{"sudo -n /usr/local/sbin/calldata-backup restore database/latest --check --identity-secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"},
		b.commands)
}

// A real client reads a bucket of another region, and whoever has the URLs reads what they are for.
func TestElsewhereOnTheEmulator(t *testing.T) { //nolint:paralleltest // it sets the environment
	e := emulatortest.Start(t)
	for _, pair := range e.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	ctx, content := t.Context(), &far{objects: map[string]string{}}
	content.put("prod", "uc-engine", goodEngine, "wazo-data")
	settings := e.AWSConfig()
	client := awsapi.S3(settings)
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("prod-copies")})
	require.NoError(t, err)
	for key, text := range content.objects {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("prod-copies"), Key: aws.String(key), Body: strings.NewReader(text)})
		require.NoError(t, err)
	}
	streams := &cli.IO{Getenv: os.Getenv}
	found, err := From(ctx, streams, stacktest.Stack(), "s3://prod-copies?region=us-east-1", stacks.RoleUCEngine, stacks.RoleC4Router)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, goodEngine, found[0].ID)
	_, err = From(ctx, streams, stacktest.Stack(), "s3://nowhere?region=us-east-1", stacks.RoleUCEngine)
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err), err)

	o := &Options{}
	o.defaults()
	sign := func(where string) map[string]string {
		from, err := o.find(ctx, stacktest.Stack(), where)
		require.NoError(t, err)
		data, err := from.handOver(ctx, stacks.RoleUCEngine, found, time.Hour)
		require.NoError(t, err)
		var given handed
		require.NoError(t, json.Unmarshal(data, &given))
		return given.Objects
	}
	object := goodEngine + "/wazo-data.tar.zst.age"
	url := sign("s3://prod-copies?region=us-west-2")[object]
	assert.Regexp(t, `^https://prod-copies\.s3\.us-west-2\.amazonaws\.com/uc-engine/`+object+`\?.*X-Amz-Expires=3600`, url, "a machine knows S3 by its own name")
	assert.Contains(t, url, "X-Amz-SignedHeaders=host&", "nothing else has to be sent with it")
	there := sign("s3://prod-copies?region=us-east-1&endpoint=" + e.URL())
	require.Len(t, there, 2)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, there[object], nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusOK, answer.StatusCode)
}
