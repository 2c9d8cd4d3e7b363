package github

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// host is where the tokens come from that the account's roles trust, see permission.Issuer.
const host = "github.com"

// notLoggedIn is gh's exit code where nobody is logged in. Source: `gh help exit-codes`.
const notLoggedIn = 4

// answer is what a run of gh printed, and its exit code.
type answer struct {
	out, err []byte
	code     int
}

// runner runs gh. Its error is that gh could not be run at all.
type runner func(ctx context.Context, stdin []byte, args ...string) (answer, error)

// onPath is the gh on PATH. Where there is none, the error is cli.ExitPreflight.
func onPath() (runner, error) {
	path, err := exec.LookPath("gh")
	if err != nil {
		return nil, cli.WithCode(cli.ExitPreflight, errors.New("gh is not on PATH: install GitHub's CLI, https://cli.github.com, and run `gh auth login`"))
	}
	return func(ctx context.Context, stdin []byte, args ...string) (answer, error) {
		cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // gh, with arguments of this package
		cmd.Env = append(os.Environ(), "GH_PROMPT_DISABLED=1", "NO_COLOR=1")
		cmd.WaitDelay = 5 * time.Second
		var out, errOut bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errOut
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && (ctx.Err() != nil || !errors.As(err, &exit)) {
			return answer{}, fmt.Errorf("%s: %w", path, cmp.Or(ctx.Err(), err))
		}
		return answer{out.Bytes(), errOut.Bytes(), cmd.ProcessState.ExitCode()}, nil
	}, nil
}

// client calls GitHub's REST API by way of gh, which holds the login.
type client struct{ run runner }

// failure is GitHub's refusal of a call.
type failure struct {
	method, endpoint, text string
	// status is HTTP's, or 0 where GitHub was not reached.
	status int
}

// Error names the call, what GitHub said, and what to do.
func (f *failure) Error() string {
	text := fmt.Sprintf("%s %s: %s", f.method, f.endpoint, f.text)
	if f.status != 0 {
		text += fmt.Sprintf(" (HTTP %d)", f.status)
	}
	if hint := f.hint(); hint != "" {
		text += ": " + hint
	}
	return text
}

// hint is what to do. Plans: GitHub Docs, "Managing environments for deployment" and "About protected branches".
func (f *failure) hint() string {
	plan := strings.Contains(f.text, "billing plan") || strings.Contains(f.text, "Upgrade to")
	switch {
	case plan && strings.Contains(f.endpoint, "/environments/"):
		return "for private repositories reviewers need GitHub Enterprise, and chosen branches GitHub Pro or Team; without them leave the stack out of deploy in " +
			defaultFile + ", and deploy it from a laptop"
	case plan:
		return "protected branches of private repositories need GitHub Pro, Team or Enterprise"
	case strings.Contains(f.text, "rate limit"):
		return "wait until GitHub takes calls again, and run the command again"
	case f.status == http.StatusUnauthorized:
		return "run `gh auth login`"
	case f.status == http.StatusForbidden, f.status == http.StatusNotFound:
		return "the login of gh has to be an administrator's of the repository, with the scopes repo and read:org: `gh auth status` tells, `gh auth refresh -s repo,read:org` adds them"
	case f.status == http.StatusConflict:
		return "an organisation or enterprise decides this for the repository: ask its owner to allow it"
	}
	return ""
}

var statusForm = regexp.MustCompile(`\bHTTP (\d{3})\b`)

// call calls an endpoint. A body is sent as JSON, over gh's standard input; into, where it is not nil, takes the answer.
func (c client) call(ctx context.Context, method, endpoint string, body, into any) error {
	args := []string{"api", "--hostname", host, "--method", method, "--header", "Accept: application/vnd.github+json", endpoint}
	var stdin []byte
	if body != nil {
		var err error
		if stdin, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s %s: %w", method, endpoint, err)
		}
		args = append(args, "--input", "-")
	}
	a, err := c.run(ctx, stdin, args...)
	if err != nil {
		return err
	}
	if a.code != 0 {
		return refused(method, endpoint, a)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(a.out, into); err != nil {
		return fmt.Errorf("%s %s: GitHub's answer is not understood: %w", method, endpoint, err)
	}
	return nil
}

// refused is the error of a call that failed. GitHub's reasons are in the body, the status is in what gh says.
func refused(method, endpoint string, a answer) error {
	f := &failure{method: method, endpoint: endpoint, text: strings.TrimSpace(strings.TrimPrefix(string(a.err), "gh: "))}
	if found := statusForm.FindSubmatch(a.err); found != nil {
		f.status, _ = strconv.Atoi(string(found[1]))
	}
	var body struct {
		Message string
		Errors  []json.RawMessage
	}
	if json.Unmarshal(a.out, &body) == nil && body.Message != "" {
		f.text = body.Message
		for _, reason := range body.Errors {
			f.text += "; " + strings.Trim(string(reason), `"`)
		}
	}
	switch {
	case a.code == notLoggedIn:
		return cli.WithCode(cli.ExitPreflight, errors.New("gh is not logged in to github.com: run `gh auth login`"))
	case f.status == http.StatusUnauthorized:
		return cli.WithCode(cli.ExitPreflight, f)
	case f.status == 0:
		return cli.WithCode(cli.ExitUnreachable, f)
	}
	return f
}

// get reads an endpoint. There is false where GitHub answers that there is no such thing.
func (c client) get(ctx context.Context, endpoint string, into any) (there bool, err error) {
	err = c.call(ctx, http.MethodGet, endpoint, nil, into)
	var f *failure
	if errors.As(err, &f) && f.status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}
