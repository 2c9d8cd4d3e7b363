package rollback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// clone is the operator's clone of the repository.
type clone struct {
	// root is the directory with Pulumi.yaml, prefix where that is in the clone: empty or with a slash at its end.
	root, prefix string
}

func open(ctx context.Context, root string) (clone, error) {
	c := clone{root: root}
	if _, err := exec.LookPath("git"); err != nil {
		return c, cli.WithCode(cli.ExitPreflight, errors.New("git is not on PATH: install it"))
	}
	prefix, err := c.git(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return c, cli.UsageErrorf("%s is not inside a clone: %w", root, err)
	}
	c.prefix = prefix
	return c, nil
}

// git runs git in the project's directory and answers what it printed, without the last line's end.
func (c clone) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.hooksPath=" + os.DevNull}, args...)...)
	cmd.Dir = c.root
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// resolve answers the full name of a commit.
func (c clone) resolve(ctx context.Context, name string) (string, error) {
	commit, err := c.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("the clone has no commit %s: `git fetch --all` brings what others have", name)
	}
	return commit, nil
}

// subject is the first line of a commit, which the clone has to have.
func (c clone) subject(ctx context.Context, commit string) (string, error) {
	if commit == "" {
		return "", errors.New("no commit")
	}
	return c.git(ctx, "show", "--no-patch", "--format=%s", "--end-of-options", commit)
}

// has tells whether a commit has a file of the project.
func (c clone) has(ctx context.Context, commit, file string) bool {
	_, err := c.git(ctx, "cat-file", "-e", commit+":"+c.prefix+file)
	return err == nil
}

// most is how many commits are named.
const most = 10

// without lists the commits that are in from and not in to, newest first.
func (c clone) without(ctx context.Context, from, to string) ([]string, error) {
	text, err := c.git(ctx, "log", "--format=%h %s", "--end-of-options", from, "^"+to)
	if err != nil || text == "" {
		return nil, err
	}
	return strings.Split(text, "\n"), nil
}

// schema is where the migrations of the Routers' database are.
const schema = "ansible/roles/c4_router/files/schema/"

// migrations are those that a commit knows.
func (c clone) migrations(ctx context.Context, commit string) ([]string, error) {
	text, err := c.git(ctx, "ls-tree", "--name-only", commit, schema)
	if err != nil {
		return nil, err
	}
	return strings.Fields(strings.ReplaceAll(text, schema, "")), nil
}

// unknownMigrations are those that any of the commits knows and to does not, in their order.
func (c clone) unknownMigrations(ctx context.Context, commits []string, to string) ([]string, error) {
	known, err := c.migrations(ctx, to)
	if err != nil {
		return nil, err
	}
	var unknown []string
	for _, commit := range commits {
		there, err := c.migrations(ctx, commit)
		if err != nil {
			return nil, err
		}
		unknown = append(unknown, slices.DeleteFunc(there, func(name string) bool { return slices.Contains(known, name) })...)
	}
	slices.Sort(unknown)
	return slices.Compact(unknown), nil
}

// shared are the directories of .calldata that a checkout has in common with the clone, beside the stack's own with its logs and host
// keys: what was downloaded. What was built is each one's own.
var shared = []string{"wazo-ansible", "galaxy"}

// checkout makes a commit's tree beside the clone and answers its project's directory. It removes what an earlier call left that was
// killed. Call the second result when the tree is no longer needed.
func (c clone) checkout(ctx context.Context, stack, commit string) (string, func(), error) {
	parent := filepath.Join(c.root, ".calldata", "rollback")
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, err
	}
	lock, err := os.OpenFile(filepath.Join(parent, stack+".lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // below the repository's .calldata
	if err != nil {
		return "", nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return "", nil, cli.UsageErrorf("another `calldata rollback %s` is at work in this clone: wait for its end", stack)
	}
	tree := filepath.Join(parent, stack)
	remove := func() {
		_ = os.RemoveAll(tree)
		_, _ = c.git(context.WithoutCancel(ctx), "worktree", "prune") // forgets those whose directories are gone
	}
	remove()
	end := func() {
		remove()
		_ = lock.Close()
	}
	if _, err := c.git(ctx, "worktree", "add", "--detach", tree, commit); err != nil {
		end()
		return "", nil, err
	}
	dir := filepath.Join(tree, filepath.FromSlash(c.prefix))
	if err := c.link(dir, stack); err != nil {
		end()
		return "", nil, err
	}
	return dir, end, nil
}

// link gives the checkout a .calldata of its own, which git ignores, with links to what it shares.
func (c clone) link(dir, stack string) error {
	for _, name := range append([]string{stack}, shared...) {
		from, to := filepath.Join(c.root, ".calldata", name), filepath.Join(dir, ".calldata", name)
		for _, made := range []string{from, filepath.Dir(to)} {
			if err := os.MkdirAll(made, 0o750); err != nil {
				return err
			}
		}
		if err := os.Symlink(from, to); err != nil {
			return err
		}
	}
	return nil
}
