package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bench runs scripts of .ci in a directory of its own, with programs that record how they are called and answer what a test says.
type bench struct {
	t   *testing.T
	dir string
	env []string
	// input is what scripts read.
	input string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	repo, err := filepath.Abs("../..")
	require.NoError(t, err)
	b := &bench{t: t, dir: t.TempDir()}
	b.env = append(os.Environ(), "PATH="+b.dir+"/path:"+os.Getenv("PATH"), "RUNNER_TEMP="+b.dir, "GITHUB_ENV="+b.file("env"),
		"GITHUB_OUTPUT="+b.file("output"), "GITHUB_STEP_SUMMARY="+b.file("summary"), "GITHUB_SHA=abc")
	require.NoError(t, os.Symlink(filepath.Join(repo, ".ci"), b.file(".ci")))
	return b
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.file(name))
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(b.t, err)
	return string(data)
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	require.NoError(b.t, os.MkdirAll(filepath.Dir(b.file(name)), 0o700))
	require.NoError(b.t, os.WriteFile(b.file(name), []byte(text), 0o700)) //nolint:gosec // some are programs
}

// program makes a program at path that records its arguments in the file calls, and then does what body says.
func (b *bench) program(path, body string) {
	b.write(path, "#!/bin/bash\necho \"${0##*/} $*\" >>"+b.file("calls")+"\n"+body+"\n")
}

func (b *bench) run(script string, args ...string) (string, int) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), filepath.Join(".ci", script), args...) //nolint:gosec // the repository's
	cmd.Dir, cmd.Env, cmd.Stdin = b.dir, b.env, strings.NewReader(b.input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.IsType(b.t, &exec.ExitError{}, err, string(out))
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestScriptSummary(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.program("do", "echo done $1; exit 7")
	out, code := b.run("summary", "./do", "it")
	assert.Equal(t, "done it\n", out)
	assert.Equal(t, 7, code)
	assert.Equal(t, "```\ndone it\n```\n", b.read("summary"))
}

func TestScriptCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.program("path/aws", "echo value-of-$4")
	out, code := b.run("credentials", "stage")
	require.Zero(t, code, out)
	assert.Empty(t, out, "nothing secret is printed")
	assert.Equal(t, "CALLDATA_SSH_KEY="+b.file("ssh-key")+"\nCALLDATA_SECRETS_FILE="+b.file("secrets")+"\n", b.read("env"))
	for name, content := range map[string]string{"ssh-key": "value-of-calldata/stage/ssh-key\n", "secrets": "value-of-calldata/stage/secrets\n"} {
		assert.Equal(t, content, b.read(name))
		info, err := os.Stat(b.file(name))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}
	b.program("path/aws", "exit 254")
	_, code = b.run("credentials", "stage")
	assert.Equal(t, 254, code)
}

func TestScriptCall(t *testing.T) {
	t.Parallel()
	for exit, password := range map[string]string{"0": "smoke_sip_password: x", "3": "smoke_sip_password: y"} {
		b := newBench(t)
		b.env = append(b.env, "TMPDIR="+b.dir)
		b.program("path/aws", "echo '"+password+"'")
		b.program("bin/calldata", `stat -c %a "$CALLDATA_SECRETS_FILE"; cat "$CALLDATA_SECRETS_FILE" >got; exit `+exit)
		out, code := b.run("call", "prod")
		assert.Equal(t, exit, strconv.Itoa(code), out)
		assert.Equal(t, "600\n", out, "nothing secret is printed")
		assert.Equal(t, password+"\n", b.read("got"))
		assert.Equal(t, "aws secretsmanager get-secret-value --secret-id calldata/prod/calls --query SecretString --output text\n"+
			"calldata smoke --stack prod --metric\n", b.read("calls"))
		left, err := filepath.Glob(b.file("tmp.*"))
		require.NoError(t, err)
		assert.Empty(t, left, "the password stays nowhere")
	}
	b := newBench(t)
	b.program("path/aws", "exit 254")
	b.program("bin/calldata", "")
	_, code := b.run("call", "prod")
	assert.Equal(t, 254, code)
	assert.NotContains(t, b.read("calls"), "calldata smoke", "without a password there is no call")
}

func TestScriptIssue(t *testing.T) {
	t.Parallel()
	list := "gh issue list --label drift --state open --limit 1 --json number --jq .[].number\n"
	for name, c := range map[string]struct{ open, body, calls string }{
		"new":     {"", "x", list + "gh label create drift --force\ngh issue create --label drift --title A title --body-file body\n"},
		"again":   {"12", "x", list + "gh issue edit 12 --title A title --body-file body\n"},
		"over":    {"12", "", list + "gh issue close 12 --comment Nothing was found any more.\n"},
		"nothing": {"", "", list},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.program("path/gh", `[[ $2 != list ]] || echo -n "`+c.open+`"`)
			b.write("body", c.body)
			out, code := b.run("issue", "drift", "A title", "body")
			require.Zero(t, code, out)
			assert.Equal(t, c.calls, b.read("calls"))
		})
	}
}

func TestScriptReport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out, code := b.run("report", "nowhere")
	assert.Zero(t, code)
	assert.Empty(t, out)
	b.write("found/dev.txt", "one\n")
	b.write("found/prod.txt", strings.Repeat("long\n", 10000))
	out, code = b.run("report", "found")
	require.Zero(t, code)
	assert.True(t, strings.HasPrefix(out, "### dev\n\n```\none\n```\n\n### prod\n\n```\nlong\n"), out[:80])
	assert.Contains(t, out, "the rest is in the run")
	assert.Less(t, len(out), 65536)
}

func TestScriptDrift(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]struct {
		exit   int
		output string
	}{"0": {0, "drift=false\n"}, "7": {0, "drift=true\n"}, "1": {1, ""}, "6": {6, ""}} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.program("bin/calldata", "echo looked; exit "+code)
			out, exit := b.run("drift", "dev", "dev.txt")
			assert.Equal(t, want.exit, exit, out)
			assert.Equal(t, want.output, b.read("output"))
			assert.Equal(t, "looked\n", b.read("dev.txt"))
			assert.Equal(t, "calldata preview dev --refresh --expect-no-changes\n", b.read("calls"))
		})
	}
}

func TestScriptPlanned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run, found string
		code       int
	}{
		"the plan of this commit": {"17", "deploy-prod prod success abc", 0},
		"another commit":          {"17", "deploy-prod prod success abd", 2},
		"another branch":          {"17", "deploy-prod main success abc", 2},
		"another workflow":        {"17", "preview prod success abc", 2},
		"a failure":               {"17", "deploy-prod prod failure abc", 2},
		"no number":               {"17; true", "deploy-prod prod success abc", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.program("path/gh", "echo '"+c.found+"'")
			out, code := b.run("planned", "deploy-prod", "prod", c.run)
			assert.Equal(t, c.code, code, out)
		})
	}
}

func TestScriptWanted(t *testing.T) {
	t.Parallel()
	for found, want := range map[string]int{"environment": 0, "": 2} {
		b := newBench(t)
		b.program("path/gh", "echo '"+found+"'")
		out, code := b.run("wanted", "12")
		assert.Equal(t, want, code, out)
		assert.Contains(t, b.read("calls"), "gh pr view 12 --json state,labels --jq ")
	}
	b := newBench(t)
	b.program("path/gh", "exit 4")
	_, code := b.run("wanted", "12")
	assert.Equal(t, 4, code, "GitHub did not answer")
}

func TestScriptBegin(t *testing.T) {
	t.Parallel()
	needsJQ(t)
	for exit, full := range map[int]string{0: "", 1: "", 3: "full=pr-5, pr-9\n"} {
		b := newBench(t)
		b.program("bin/calldata", `[[ $2 == begin ]] && exit `+strconv.Itoa(exit)+`; echo '[{"stack": "pr-5"}, {"stack": "pr-9"}]'`)
		out, code := b.run("begin", "12", "2")
		assert.Equal(t, exit, code, out)
		assert.Equal(t, full, b.read("output"))
		assert.Contains(t, b.read("calls"), "calldata pr begin 12 --limit 2\n")
	}
}

func TestScriptUnwanted(t *testing.T) {
	t.Parallel()
	needsJQ(t)
	const list = "gh pr list --label environment --state open --limit 1000 --json number --jq [.[].number | tostring] | join(\",\")\n"
	const gone = `[{"number":12,"ends":"the pull request is closed, or has lost its label"}]`
	for name, c := range map[string]struct{ open, number, want, calls string }{
		"closed":     {"7,112", "12", gone, list},
		"none open":  {"", "12", gone, list},
		"back again": {"7,12", "12", "[]", list},
		"at night":   {"7,12", "", `[{"number":9,"ends":"old"}]`, list + "calldata pr list --wanted 7,12 --hours 72 --json\n"},
		"all":        {"", "", `[{"number":9,"ends":"old"}]`, list + "calldata pr list --wanted  --hours 72 --json\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.program("path/gh", "echo '"+c.open+"'")
			b.program("bin/calldata", `echo '[{"number": 7, "stack": "pr-7"}, {"number": 9, "stack": "pr-9", "ends": "old"}]'`)
			out, code := b.run("unwanted", "72", c.number)
			require.Zero(t, code, out)
			assert.Equal(t, "gone="+c.want+"\n", b.read("output"))
			assert.Equal(t, c.calls, b.read("calls"))
		})
	}
	for _, broken := range []string{"path/gh", "bin/calldata"} {
		b := newBench(t)
		b.program("path/gh", "echo 7")
		b.program("bin/calldata", "echo '[]'")
		b.program(broken, "exit 4")
		_, code := b.run("unwanted", "72")
		assert.Equal(t, 4, code, "who does not know takes nothing down")
		assert.Empty(t, b.read("output"))
	}
}

func TestScriptTell(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"deployed": {[]string{"RESULT=success"}, "is deployed in the stack `pr-12`: [run](https://github.com/a/b/actions/runs/7)"},
		"full":     {[]string{"RESULT=failure", "FULL=pr-5, pr-9", "LIMIT=2"}, "the limit is 2 (`PR_LIMIT`), and pr-5, pr-9 stand"},
		"failed":   {[]string{"RESULT=failure", "FULL="}, "was not deployed: [run]("},
		"gone":     {[]string{"RESULT=gone", "ENDS=$(touch hurt)"}, "no stack `pr-12` now: $(touch hurt). Open, and with the label `environment` again, "},
		"closed":   {[]string{"RESULT=gone", "ENDS=its pull request is closed, or has lost its label"}, "or has lost its label. Open, and with the label"},
		"old":      {[]string{"RESULT=gone", "ENDS=nothing was deployed for 80 hours"}, "for 80 hours. The next push makes it again."},
		"empty":    {[]string{"RESULT=gone", "ENDS=nothing is deployed in it"}, "deployed in it. The next push makes it again."},
		"stuck":    {[]string{"RESULT=stuck", "ENDS=nothing is deployed in it"}, "could not be taken down: [run](https://github.com/a/b/actions/runs/7)."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.env = append(append(b.env, "NUMBER=12", "GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=a/b", "GITHUB_RUN_ID=7"), c.env...)
			b.program("path/gh", `[[ $* == *body=@-* ]] && cat >body; true`)
			out, code := b.run("tell")
			require.Zero(t, code, out)
			assert.Contains(t, b.read("body"), c.want)
			assert.NoFileExists(t, b.file("hurt"))
		})
	}
}

func TestScriptComment(t *testing.T) {
	t.Parallel()
	const find = "gh api --paginate repos/a/b/issues/12/comments --jq "
	for name, c := range map[string]struct{ there, text, want string }{
		"first":   {"", "text", "gh api --silent repos/a/b/issues/12/comments --field body=@-\n"},
		"again":   {"31\n32", "text", "gh api --silent repos/a/b/issues/comments/31 --method PATCH --field body=@-\n"},
		"nothing": {"31", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.env, b.input = append(b.env, "GITHUB_REPOSITORY=a/b"), c.text
			b.program("path/gh", `if [[ $* == *body=@-* ]]; then cat >body; else echo "$MARK" >mark; printf '`+c.there+`\n'; fi`)
			out, code := b.run("comment", "12", "previews")
			require.Zero(t, code, out)
			if c.want == "" {
				assert.Empty(t, b.read("calls"))
				return
			}
			calls := b.read("calls")
			assert.True(t, strings.HasPrefix(calls, find), calls)
			assert.True(t, strings.HasSuffix(calls, c.want), calls)
			assert.Equal(t, b.read("mark")+"text\n", b.read("body"), "it is found by its first line")
			assert.Equal(t, "<!-- calldata previews -->\n", b.read("mark"))
		})
	}
}

// needsJQ skips a test of a script that calls jq, where that is not installed.
func needsJQ(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is not installed")
	}
}

func TestScriptBackupVerify(t *testing.T) {
	t.Parallel()
	needsJQ(t)
	b := newBench(t)
	b.program("path/aws", "echo the key")
	b.program("bin/calldata", `
case $1 in
outputs) echo '[{"name": "stage-uc-1"}, {"name": "stage-router-1"}]' ;;
backup) [[ $(cat "$6") == "the key" && $(stat -c %a "$6") == 600 && $4 != stage-uc-1 ]] ;;
esac`)
	out, code := b.run("backup-verify", "stage")
	assert.Equal(t, 1, code, "one of them failed: %s", out)
	calls := strings.Split(strings.TrimSpace(b.read("calls")), "\n")
	require.Len(t, calls, 4, "the other is tried all the same")
	assert.Regexp(t, `^calldata backup restore stage stage-router-1 --identity \S+ --check$`, calls[3])
	key := strings.Fields(calls[3])[6]
	assert.NoFileExists(t, key)
}
