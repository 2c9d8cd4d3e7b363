package machines

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/child"
)

// suite is the Debian release that the machines run, as Wazo needs it.
const suite = "bookworm"

// repoMount is where a machine sees the package repository.
const repoMount = "/srv/apt"

// imageRecipe goes into the image's key. Raise it when the steps below change what comes out.
const imageRecipe = "1"

//go:embed packages/base.list
var baseList string

//go:embed packages/repo.list
var repoList string

//go:embed all:rootfs
var rootfs embed.FS

// Image is what machines are made from.
type Image struct {
	// Root is the base file system. Machines see it through an overlay and never write to it.
	Root string
	// Repo is an apt repository with everything that may be installed on a machine.
	Repo string
}

// EnsureImage answers the machines' image, a part of the cache in dir, and builds it first when it is missing: packages
// from the mirrors that this host's apt is configured with, debootstrap, and a package repository that needs no network
// later. It takes 1 to 3 minutes and 1 GB. It needs root. A build that was stopped goes on with the packages that it
// had downloaded, and leaves no mounts.
func EnsureImage(ctx context.Context, dir string, p progress.Reporter) (*Image, error) {
	step := p.Step("Debian image")
	arch, err := output(ctx, "dpkg", "--print-architecture")
	if err != nil {
		step.Done(err)
		return nil, fmt.Errorf("ask dpkg for the architecture: %w", err)
	}
	key, err := imageKey(arch)
	if err != nil {
		step.Done(err)
		return nil, err
	}
	if entry := filepath.Join(dir, key); cache.Complete(entry) {
		step.Done(fmt.Errorf("%w: cached", progress.ErrSkipped))
		return imageAt(entry), nil
	}
	entry, err := cache.Entry(ctx, dir, key, step, func(ctx context.Context, entry string) error {
		b := &imageBuild{image: imageAt(entry), debs: filepath.Join(dir, "debs"), work: filepath.Join(entry, "work"), arch: arch}
		return b.run(ctx, step)
	})
	step.Done(err)
	if err != nil {
		return nil, fmt.Errorf("build Debian image: %w", err)
	}
	return imageAt(entry), nil
}

func imageAt(entry string) *Image {
	return &Image{Root: filepath.Join(entry, "root"), Repo: filepath.Join(entry, "apt")}
}

// imageKey covers everything of ours that goes into the image. The packages' versions are not in it: an image stays as
// it is until the lists change or it is removed.
func imageKey(arch string) (string, error) {
	inputs := []string{imageRecipe, suite, arch, baseList, repoList}
	files, err := rootfsFiles()
	if err != nil {
		return "", err
	}
	for _, f := range files {
		inputs = append(inputs, f.path, string(f.data))
	}
	return cache.Key(inputs...), nil
}

// imageBuild is one build of an image.
type imageBuild struct {
	image *Image
	// debs keeps downloaded packages between builds, work what is needed only while building.
	debs, work string
	arch       string
}

func (b *imageBuild) run(ctx context.Context, p progress.Reporter) error {
	for _, dir := range []string{b.image.Root, b.image.Repo, b.work} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name string
		do   func(context.Context, progress.Step) error
	}{
		{"download packages", b.download},
		{"index packages", b.index},
		{"debootstrap", b.debootstrap},
		{"install packages", b.install},
		{"finish image", b.finish},
	} {
		step := p.Step(part.name)
		err := part.do(ctx, step)
		step.Done(err)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return os.RemoveAll(b.work)
}

// debootstrap makes the smallest Debian from our own repository. Whatever it mounts, it mounts in a mount namespace of
// its own, which ends with it.
func (b *imageBuild) debootstrap(ctx context.Context, step progress.Step) error {
	// Safe writes to a file system that is thrown away on failure only cost time.
	unsafe := filepath.Join(b.image.Root, "etc/dpkg/dpkg.cfg.d")
	if err := os.MkdirAll(unsafe, 0o755); err != nil { //nolint:gosec // a Debian directory
		return err
	}
	if err := os.WriteFile(filepath.Join(unsafe, "unsafe-io"), []byte("force-unsafe-io\n"), 0o644); err != nil { //nolint:gosec // as above
		return err
	}
	meter := &debMeter{report: step.Progress, total: debootstrapSteps}
	cmd := isolated(ctx, "debootstrap", "--variant=minbase", "--no-check-gpg", "--arch="+b.arch, "--include=ca-certificates",
		suite, b.image.Root, "file://"+b.image.Repo)
	return runLines(cmd, meter.debootstrapLine)
}

// debootstrapSteps is how many lines of progress debootstrap's minbase variant gives. An estimate is good enough.
const debootstrapSteps = 330

// install puts the base packages in, from inside.
func (b *imageBuild) install(ctx context.Context, step progress.Step) error {
	if err := writeRootfs(b.image.Root); err != nil {
		return err
	}
	// Without this, packages would start their services in the chroot.
	policy := filepath.Join(b.image.Root, "usr/sbin/policy-rc.d")
	if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil { //nolint:gosec // a program
		return err
	}
	defer func() { _ = os.Remove(policy) }()
	if err := os.MkdirAll(filepath.Join(b.image.Root, repoMount), 0o755); err != nil { //nolint:gosec // a mount point
		return err
	}
	script := `set -eu
mount --bind "$REPO" "$ROOT` + repoMount + `"
mount -t proc proc "$ROOT/proc"
exec chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive sh -euc '
apt-get -q update
apt-get -q -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold install "$@"
apt-get clean
systemctl enable systemd-networkd.service ssh.service
' sh "$@"`
	cmd := isolated(ctx, append([]string{"sh", "-c", script, "sh"}, packageList(baseList)...)...)
	cmd.Env = append(os.Environ(), "ROOT="+b.image.Root, "REPO="+b.image.Repo)
	meter := &debMeter{report: step.Progress}
	return runLines(cmd, meter.aptLine)
}

// finish removes what has to be different in every machine, and what only the build needed.
func (b *imageBuild) finish(_ context.Context, _ progress.Step) error {
	root := b.image.Root
	keys, err := filepath.Glob(filepath.Join(root, "etc/ssh/ssh_host_*"))
	if err != nil {
		return err
	}
	for _, path := range append(keys, filepath.Join(root, "etc/dpkg/dpkg.cfg.d/unsafe-io"), filepath.Join(root, "var/lib/dbus/machine-id"),
		filepath.Join(root, "etc/resolv.conf"), filepath.Join(root, "var/lib/cloud")) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib/cloud"), 0o755); err != nil { //nolint:gosec // a Debian directory
		return err
	}
	// Empty, and systemd makes a new one at boot.
	return os.WriteFile(filepath.Join(root, "etc/machine-id"), nil, 0o444) //nolint:gosec // as in Debian
}

// isolated is a command with its own mounts and processes. When it is killed, all that it started and mounted is gone.
func isolated(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "unshare", append([]string{
		"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, args...)...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// runLines runs cmd bound to this process, hands every line of its output to each, and tells the last ones on failure.
func runLines(cmd *exec.Cmd, each func(string)) error {
	lines := &lineWriter{each: each}
	cmd.Stdout, cmd.Stderr = lines, lines
	if err := child.Run(cmd); err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(lines.tail, " / "))
	}
	return nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return strings.TrimSpace(string(out)), err
}
