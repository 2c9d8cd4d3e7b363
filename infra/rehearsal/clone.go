package rehearsal

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
)

// clone is a workspace with a history of its own, as an operator's clone of the repository has one. It has no remote.
type clone struct{ dir string }

// unlink gives the workspace at dir copies of what it shares with the repository, so that a commit can have them and changes stay
// there. Logs of the stack go on into the repository's .calldata. What is copied already stays as it is.
func unlink(dir, repo, stack string) error {
	if info, err := os.Lstat(filepath.Join(dir, stateDir)); err == nil && info.IsDir() {
		return nil
	}
	var errs []error
	for _, name := range linked {
		if name == stateDir {
			continue
		}
		to := filepath.Join(dir, name)
		errs = append(errs, os.Remove(to))
		from := filepath.Join(repo, name)
		info, err := os.Stat(from)
		switch {
		case err != nil:
			errs = append(errs, err)
		case info.IsDir():
			errs = append(errs, os.CopyFS(to, os.DirFS(from)))
		default:
			errs = append(errs, copyFile(to, from))
		}
	}
	errs = append(errs, os.Remove(filepath.Join(dir, stateDir)), os.Mkdir(filepath.Join(dir, stateDir), 0o750),
		os.Symlink(filepath.Join(repo, stateDir, stack), filepath.Join(dir, stateDir, stack)), copyFile(filepath.Join(dir, ".gitignore"), filepath.Join(repo, ".gitignore")))
	return errors.Join(errs...)
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from) //nolint:gosec // a file of the repository
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600) //nolint:gosec // the rehearsal's own directory
}

// newClone makes a history for the workspace at dir, whose first commit is what is there now.
func newClone(ctx context.Context, dir string) (clone, error) {
	c := clone{dir}
	for _, args := range [][]string{
		{"init", "--quiet", "--template="}, {"config", "user.name", "Rehearsal"}, {"config", "user.email", "rehearsal@" + sceneZone},
	} {
		if _, err := c.git(ctx, args...); err != nil {
			return c, err
		}
	}
	return c, nil
}

// commit records everything that the workspace has, and answers the commit's name.
func (c clone) commit(ctx context.Context, subject string) (string, error) {
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", subject}} {
		if _, err := c.git(ctx, args...); err != nil {
			return "", err
		}
	}
	return c.git(ctx, "rev-parse", "HEAD")
}

// git runs git in the workspace, with none of this machine's settings, and answers what it printed.
func (c clone) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = c.dir
	// A hook or a caller in a worktree leaves variables that name another repository.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "GIT_") }),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, tail(said.Bytes(), 3))
	}
	return strings.TrimSpace(out.String()), nil
}
