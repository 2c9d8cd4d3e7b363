package configure

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// roles is where the roles come from that are not ours.
type roles struct {
	// id names Wazo's roles: a commit, or "local:" and a hash of the content.
	id string
	// path are the directories for ANSIBLE_ROLES_PATH.
	path []string
}

// checkRoles fails unless dir is laid out like a checkout of wazo-ansible.
func checkRoles(dir string) error {
	var errs []error
	for _, name := range ansible.UpstreamRoles() {
		if _, err := os.Stat(filepath.Join(dir, "roles", name, "tasks", "main.yml")); err != nil {
			errs = append(errs, fmt.Errorf("CALLDATA_WAZO_ANSIBLE is not laid out like wazo-ansible: %w", err))
		}
	}
	return errors.Join(errs...)
}

// fetchRoles answers Wazo's roles and those that they need: from the directory that the operator names, or from Git and
// Galaxy.
func fetchRoles(ctx context.Context, s *settings, report progress.Reporter) (*roles, error) {
	step := report.Step("Wazo's Ansible roles")
	r, err := s.roles(ctx, step)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("fetch roles: %w: %w", context.Cause(ctx), errors.Join(ctx.Err(), err))
	}
	step.Done(err)
	return r, err
}

func (s *settings) roles(ctx context.Context, say progress.Reporter) (*roles, error) {
	if s.wazoAnsible != "" {
		hash, err := ansible.ContentHash(s.wazoAnsible, "")
		if err != nil {
			return nil, err
		}
		say.Logf("from %s (CALLDATA_WAZO_ANSIBLE), not from %s", s.wazoAnsible, s.upstream.Repository)
		return &roles{id: "local:" + hash, path: []string{filepath.Join(s.wazoAnsible, "roles")}}, nil
	}
	checkout, err := s.checkout(ctx, say)
	if err != nil {
		return nil, fmt.Errorf("%w\nwithout a way to it, set CALLDATA_WAZO_ANSIBLE to a copy whose roles directory also has geerlingguy.postgresql", err)
	}
	galaxy, err := s.galaxyRoles(ctx, say)
	if err != nil {
		return nil, fmt.Errorf("%w\nwithout a way to Galaxy, set CALLDATA_WAZO_ANSIBLE to a copy of wazo-ansible whose roles directory also has these roles", err)
	}
	return &roles{id: s.upstream.Commit, path: []string{filepath.Join(checkout, "roles"), galaxy}}, nil
}

// checkout answers a directory with wazo-ansible at the pinned commit, and nothing else. It is made under another name and
// renamed when it is whole.
func (s *settings) checkout(ctx context.Context, say progress.Reporter) (string, error) {
	parent := filepath.Join(s.root, ".calldata", "wazo-ansible")
	dir := filepath.Join(parent, s.upstream.Commit)
	if _, err := os.Stat(dir); err == nil {
		err := s.verify(ctx, dir)
		if err == nil {
			say.Logf("commit %s is here already", s.upstream.Commit)
			return dir, nil
		}
		if ctx.Err() != nil {
			return "", err
		}
		say.Logf("%s is damaged and fetched again: %v", dir, err)
	}
	err := replace(parent, dir, func(fresh string) error {
		say.Logf("fetching commit %s from %s", s.upstream.Commit, s.upstream.Repository)
		for _, args := range [][]string{
			{"init", "--quiet"},
			{"fetch", "--quiet", "--depth=1", "--no-tags", s.upstream.Repository, s.upstream.Commit},
			{"checkout", "--quiet", "--detach", "FETCH_HEAD"},
		} {
			if _, err := git(ctx, fresh, args...); err != nil {
				return err
			}
		}
		if err := s.verify(ctx, fresh); err != nil {
			return err
		}
		return checkRoles(fresh)
	})
	if err != nil {
		return "", fmt.Errorf("fetch wazo-ansible: %w", err)
	}
	return dir, nil
}

// verify makes sure that dir holds the pinned commit, undamaged and unchanged.
func (s *settings) verify(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		return err
	}
	head, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if head != s.upstream.Commit {
		return fmt.Errorf("%s is at commit %s, want %s", dir, head, s.upstream.Commit)
	}
	// Objects are named by their hash: this proves that what the commit names is what is stored.
	if _, err := git(ctx, dir, "fsck", "--full", "--no-dangling", "--no-progress"); err != nil {
		return err
	}
	changes, err := git(ctx, dir, "status", "--porcelain", "--ignored", "--untracked-files=all")
	if err != nil {
		return err
	}
	if changes != "" {
		return fmt.Errorf("%s has changed files:\n%s", dir, changes)
	}
	return nil
}

// replace fills a new directory in parent and gives it the name dir, in place of what has it.
func replace(parent, dir string, fill func(string) error) error {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	if err := fill(fresh); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil { //nolint:gosec // below the repository's .calldata
		return err
	}
	return os.Rename(fresh, dir) //nolint:gosec // below the repository's .calldata
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	// The operator's hooks and line endings have no say in what is checked out.
	args = append([]string{"-C", dir, "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "core.fsmonitor=false"}, args...)
	// Variables of an outer Git, as in a hook, would point it at another repository.
	return output(ctx, dir, withoutPrefix(os.Environ(), "GIT_DIR=", "GIT_WORK_TREE=", "GIT_INDEX_FILE="), "git", args...)
}

func withoutPrefix(env []string, prefixes ...string) []string {
	out := []string{"GIT_TERMINAL_PROMPT=0"}
	for _, pair := range env {
		drop := false
		for _, prefix := range prefixes {
			drop = drop || strings.HasPrefix(pair, prefix)
		}
		if !drop {
			out = append(out, pair)
		}
	}
	return out
}

// galaxyRoles answers a directory with the roles of requirements.yml. Its name is that file's hash.
func (s *settings) galaxyRoles(ctx context.Context, say progress.Reporter) (string, error) {
	requirements := filepath.Join(s.content, "requirements.yml")
	data, err := os.ReadFile(requirements) //nolint:gosec // a file of the repository
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	parent := filepath.Join(s.root, ".calldata", "galaxy")
	dir := filepath.Join(parent, hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil { //nolint:gosec // below the repository's .calldata
		return dir, nil
	}
	err = replace(parent, dir, func(fresh string) error {
		say.Logf("installing the roles of %s from Ansible Galaxy", requirements)
		_, err := output(ctx, s.content, os.Environ(), s.galaxy, "role", "install", "--role-file", requirements, "--roles-path", fresh)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("install Galaxy roles: %w", err)
	}
	return dir, nil
}

// output runs a program to its end and answers its standard output without the line break at its end. Its error names the
// program and the last it said.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		if said == "" {
			said = strings.TrimSpace(stdout.String())
		}
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(name), err, said)
	}
	return strings.TrimRight(stdout.String(), "\n"), nil
}
