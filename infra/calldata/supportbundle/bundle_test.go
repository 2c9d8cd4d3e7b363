package supportbundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/stacks"
)

// Secrets that are planted. Each has a word that nothing else has.
const (
	fromFile   = "Planted-in-the-secrets-file-1"
	fromEnv    = "Planted-in-the-environment-2"
	encrypted  = "v1:PlantedInSettings3:abc"
	inLog      = "PlantedInALog4"
	inReport   = "PlantedInTheReport5"
	inJournal  = "PlantedInAJournal6"
	onMachine  = "PlantedOnAMachine7"
	inOutputs  = "PlantedInOutputs8"
	inKey      = "PlantedInAKey9"
	wordOfThem = "planted"
)

// bench is a repository and a machine that are full of secrets, and the command.
type bench struct {
	root string
	env  map[string]string
	out  bytes.Buffer
	opts *Options
}

func newBench(t *testing.T) *bench {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
	} {
		t.Setenv(name, value)
	}
	b := &bench{root: t.TempDir()}
	masks, err := os.ReadFile("../../../ansible/roles/monitoring/defaults/main.yml")
	require.NoError(t, err)
	for name, content := range map[string]string{
		"Pulumi.yaml":       "name: calldata-foundation\nruntime: go\n",
		"Pulumi.trial.yaml": "config:\n  aws:region: eu-west-1\n  calldata-foundation:thing:\n    secure: " + encrypted + "\n",
		"ansible/roles/monitoring/defaults/main.yml":              string(masks),
		"ansible/inventories/trial/hosts.yml":                     "all: {}\n",
		".calldata/trial/logs/configure-20261129T020000.000Z.log": "task\nthe password is " + fromFile + "\nAuthorization: Bearer " + inLog + "\n",
		".calldata/trial/logs/up-20261129T030000.000Z.log":        "PULUMI_CONFIG_PASSPHRASE is " + fromEnv + "\n",
		".calldata/trial/rehearsal/report.json":                   `{"raw": "{\"sip_password\": \"` + inReport + `\"}"}`,
		".calldata/trial/configure.lock":                          inLog,
		"secrets.yml":                                             "engine_api_root_password: " + fromFile + "\nsmoke_sip_password: " + fromFile + "x\n",
	} {
		path := filepath.Join(b.root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	server := sshtest.Start(t, func(command string) sshtest.Reply {
		switch {
		case strings.Contains(command, "journalctl"):
			line, _ := json.Marshal(map[string]string{
				"__REALTIME_TIMESTAMP": "1764460801000000", "SYSLOG_IDENTIFIER": "wazo-auth",
				"MESSAGE": "secret: " + inJournal + "\n-----BEGIN PRIVATE KEY-----\n" + inKey + "\n-----END PRIVATE KEY-----",
			})
			return sshtest.Reply{Stdout: string(line) + "\n"}
		case command == "uptime":
			return sshtest.Reply{Stdout: "up 3 days, token=" + onMachine + "\n"}
		}
		return sshtest.Reply{Stderr: "not here", Code: 1}
	})
	b.env = stacktest.Environment(server)
	b.env["CALLDATA_SECRETS_FILE"], b.env["PULUMI_CONFIG_PASSPHRASE"] = filepath.Join(b.root, "secrets.yml"), fromEnv
	b.opts = &Options{
		IO:  &cli.IO{In: strings.NewReader(""), Out: &b.out, Err: io.Discard, Getenv: func(name string) string { return b.env[name] }},
		Dir: b.root, members: stacktest.Members, parts: parts(), port: server.Port, now: func() time.Time { return time.Unix(1764460800, 0) },
	}
	return b
}

func (b *bench) run(ctx context.Context, t *testing.T, args ...string) error {
	t.Helper()
	b.out.Reset()
	cmd := newCmd(b.opts)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(ctx)
}

// unpack answers the files of a bundle.
func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	files := map[string]string{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		data, err := io.ReadAll(archive)
		require.NoError(t, err)
		files[header.Name] = string(data)
	}
}

func TestNothingSecretIsInTheBundle(t *testing.T) {
	b := newBench(t)
	stack := stacktest.Stack()
	stack.Endpoints.Web = "https://user:" + inOutputs + "@127.0.0.1:1"
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	require.NoError(t, b.run(t.Context(), t, "trial", "--outputs", stacktest.Write(t, stack), "--file", bundle, "--json"))
	var result Result
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &result))
	files := unpack(t, bundle)
	require.Len(t, files, len(result.Files))
	for name, text := range files {
		assert.NotContains(t, strings.ToLower(text), wordOfThem, name)
		assert.NotContains(t, text, "AAAA", name)
	}
	assert.NotContains(t, strings.ToLower(b.out.String()), wordOfThem)

	// And what is no secret is there.
	for name, want := range map[string]string{
		"README.txt": "Stack trial at 2025-11-30T00:00:00Z", "version.json": `"commit"`, "doctor.json": `"checks"`, "Pulumi.trial.yaml": "aws:region: eu-west-1",
		"outputs.json": stacktest.Engine, "inventory.yml": "trial-router-1", "health.json": `"healthy": false`,
		"reports/configure-20261129T020000.000Z.log": "the password is ***", "reports/up-20261129T030000.000Z.log": "PULUMI_CONFIG_PASSPHRASE",
		"reports/rehearsal.json": "sip_password", "machines/trial-uc-1.txt": "$ uptime\nup 3 days, token=***", "logs/trial-uc-1.txt": "wazo-auth: secret: ***",
		"logs/" + stacktest.Member + ".txt": "*** private key ***",
	} {
		assert.Contains(t, files[name], want, name)
	}
	assert.Contains(t, files["machines/trial-uc-1.txt"], "(Process exited with status 1: not here)")
	// The Router does not answer, and CloudWatch has no credentials.
	assert.Len(t, result.Missing, 2)
	assert.Contains(t, result.Missing[0], "logs/trial-router-1.txt: ")
	assert.Contains(t, result.Missing[1], "machines/trial-router-1.txt: ")
	assert.Contains(t, files["README.txt"], "- logs/trial-router-1.txt")
	info, err := os.Stat(bundle)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	assert.Equal(t, info.Size(), result.Bytes)

	err = b.run(t.Context(), t, "trial", "--outputs", stacktest.Write(t, stack), "--file", bundle)
	require.ErrorIs(t, err, fs.ErrExist, "another file is not overwritten")
	left, err := filepath.Glob(filepath.Join(filepath.Dir(bundle), ".calldata-bundle-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// TestTheSecretsWereThere proves that the test above looks for what is really planted: without the redactor it would be found.
func TestTheSecretsWereThere(t *testing.T) {
	b := newBench(t)
	for _, file := range []string{
		"Pulumi.trial.yaml", ".calldata/trial/logs/configure-20261129T020000.000Z.log", ".calldata/trial/logs/up-20261129T030000.000Z.log", ".calldata/trial/rehearsal/report.json",
	} {
		data, err := os.ReadFile(filepath.Join(b.root, file))
		require.NoError(t, err)
		assert.Contains(t, strings.ToLower(string(data)), wordOfThem, file)
	}
}

func TestAStackThatIsNotDeployed(t *testing.T) {
	b := newBench(t)
	t.Chdir(t.TempDir())
	b.opts.Source.Pulumi = "/nowhere/pulumi"
	b.env["CALLDATA_SECRETS_FILE"] = "/nowhere/secrets.yml"
	require.NoError(t, b.run(t.Context(), t, "trial"))
	const name = "calldata-trial-20251130T000000Z.tar.gz"
	assert.Contains(t, b.out.String(), "missing: outputs.json: ")
	assert.Contains(t, b.out.String(), "missing: secrets that are taken out by name: ")
	assert.Contains(t, b.out.String(), name+": ")
	files := unpack(t, name)
	assert.Contains(t, files, "doctor.json")
	assert.NotContains(t, files, "outputs.json")
	assert.NotContains(t, strings.ToLower(files["reports/rehearsal.json"]), wordOfThem, "what looks like a secret is taken out all the same")
}

func TestLongFiles(t *testing.T) {
	b := newBench(t)
	b.opts.parts, b.opts.most = []part{{"reports", reports}}, 1<<15
	var log strings.Builder
	for log.Len() < 1<<15 {
		log.WriteString("x password=" + inLog + " " + strings.Repeat("y", 1000) + "\n")
	}
	log.WriteString("the end\n")
	for _, at := range []string{"01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11"} {
		path := filepath.Join(b.root, ".calldata/trial/logs/preview-202611"+at+"T000000.000Z.log")
		require.NoError(t, os.WriteFile(path, []byte("short\n"), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(b.root, ".calldata/trial/logs/up-20261130T000000.000Z.log"), []byte(log.String()), 0o600))
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	require.NoError(t, b.run(t.Context(), t, "trial", "--outputs", stacktest.Write(t, stacktest.Stack()), "--file", bundle))
	files := unpack(t, bundle)
	assert.Len(t, files, newest+2, "the newest logs, the rehearsal's report, and what is in it")
	assert.NotContains(t, files, "reports/preview-20261101T000000.000Z.log")
	end := files["reports/up-20261130T000000.000Z.log"]
	assert.True(t, strings.HasPrefix(end, "x password=*** y"), "whole lines: %.40s", end)
	assert.True(t, strings.HasSuffix(end, "the end\n"))
}

func TestFleetsThatCannotBeAskedFor(t *testing.T) {
	b := newBench(t)
	b.opts.parts = []part{{"machines", machines}}
	b.opts.members = func(context.Context, stacks.Outputs, stacks.Role) ([]stacks.Node, error) {
		return nil, errors.New("no credentials")
	}
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	require.NoError(t, b.run(t.Context(), t, "trial", "--outputs", stacktest.Write(t, stacktest.Stack()), "--file", bundle))
	assert.Contains(t, b.out.String(), "missing: machines: no credentials")
	assert.Contains(t, unpack(t, bundle), "machines/trial-uc-1.txt")
}

func TestMistakes(t *testing.T) {
	b := newBench(t)
	err := b.run(t.Context(), t, "../x", "--since", "0s", "--lines", "0", "--timeout", "0s")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, part := range []string{`"../x" is no name`, "--since is 0s", "--lines is 0", "--timeout is 0s"} {
		require.ErrorContains(t, err, part)
	}
	require.ErrorContains(t, b.run(t.Context(), t), "want the name of one stack")
	require.NoError(t, os.Remove(filepath.Join(b.root, "ansible/roles/monitoring/defaults/main.yml")))
	require.ErrorContains(t, b.run(t.Context(), t, "trial"), "read the masks", "without masks there is no bundle")
}
