package machines

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// keyring verifies what comes from a Debian mirror.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// mirrorVariable names a Debian mirror for hosts whose own apt has none (Ubuntu).
const mirrorVariable = "CALLDATA_DEBIAN_MIRROR"

// download gets every package of the image and of the repository, with dependencies. The host's apt does it, with the
// host's proxies and certificates, on behalf of a system that is still empty.
func (b *imageBuild) download(ctx context.Context, step progress.Step) error {
	lists := filepath.Join(b.work, "lists")
	for _, dir := range []string{filepath.Join(lists, "partial"), filepath.Join(b.debs, "partial")} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nothing secret
			return err
		}
	}
	targets, err := output(ctx, "apt-get", "indextargets", "--no-release-info", "--format", "$(CREATED_BY) $(RELEASE) $(REPO_URI)")
	if err != nil {
		return fmt.Errorf("ask apt for its mirrors: %w", err)
	}
	sources, err := debianSources(targets, os.Getenv(mirrorVariable))
	if err != nil {
		return err
	}
	list, status := filepath.Join(b.work, "sources.list"), filepath.Join(b.work, "status")
	if err := errors.Join(os.WriteFile(list, []byte(sources), 0o600), os.WriteFile(status, nil, 0o600)); err != nil {
		return err
	}
	options := []string{
		"-o", "Dir::Etc::SourceList=" + list, "-o", "Dir::Etc::SourceParts=/dev/null", "-o", "Dir::Etc::Preferences=/dev/null",
		"-o", "Dir::Etc::PreferencesParts=/dev/null", "-o", "Dir::State::Lists=" + lists, "-o", "Dir::State::Status=" + status,
		"-o", "Dir::State::Extended_States=" + filepath.Join(b.work, "extended"), "-o", "Dir::Cache::Archives=" + b.debs,
		"-o", "Dir::Cache::PkgCache=", "-o", "Dir::Cache::SrcPkgCache=", "-o", "APT::Architecture=" + b.arch, "-o", "APT::Architectures=" + b.arch,
		"-o", "APT::Install-Recommends=false", "-o", "APT::Sandbox::User=root", "-o", "APT::Default-Release=", "-o", "Acquire::Languages=none",
		// The host's hooks (clean-up of downloads, change lists) are for the host.
		"-o", "APT::Keep-Downloaded-Packages=true", "-o", "Acquire::Retries=3",
		"-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
	}
	apt := func(args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, "apt-get", append(options[:len(options):len(options)], args...)...)
	}
	step.Progress(0, 0, "package lists")
	if err := runLines(apt("-q", "update"), nil); err != nil {
		return fmt.Errorf("%w: check that apt-get update works on this host", err)
	}
	// debootstrap's minbase is what is essential or required, apt, and the mark of a merged /usr.
	wanted := append([]string{"?essential", "?priority(required)", "apt", "ca-certificates", "usr-is-merged"}, packageList(baseList)...)
	wanted = append(wanted, packageList(repoList)...)
	// The plan leaves out what is downloaded already, so it looks at an empty directory.
	fresh := filepath.Join(b.work, "archives")
	if err := os.MkdirAll(filepath.Join(fresh, "partial"), 0o755); err != nil { //nolint:gosec // nothing secret
		return err
	}
	plan, err := apt(append([]string{"-y", "-o", "Dir::Cache::Archives=" + fresh, "--print-uris", "install"}, wanted...)...).Output()
	if err != nil {
		return explain("plan the download", err)
	}
	meter := &debMeter{report: step.Progress}
	if err := runLines(apt(append([]string{"-q", "-y", "-d", "install"}, wanted...)...), meter.aptLine); err != nil {
		return err
	}
	return b.fillPool(string(plan))
}

// fillPool links the packages of the plan from the shared downloads into the repository, and no others.
func (b *imageBuild) fillPool(plan string) error {
	pool := filepath.Join(b.image.Repo, "pool")
	if err := os.MkdirAll(pool, 0o755); err != nil { //nolint:gosec // machines read it
		return err
	}
	files := planned(plan)
	if len(files) == 0 {
		return errors.New("apt planned no packages at all: check that apt-get update works on this host")
	}
	for _, file := range files {
		if err := os.Link(filepath.Join(b.debs, file), filepath.Join(pool, file)); err != nil {
			return fmt.Errorf("link package into the repository: %w", err)
		}
	}
	return nil
}

// planned are the file names in the output of `apt-get --print-uris install`: 'URI' NAME SIZE HASH.
func planned(plan string) []string {
	var files []string
	for line := range strings.Lines(plan) {
		if words := strings.Fields(line); len(words) >= 3 && strings.HasPrefix(line, "'") {
			files = append(files, words[1])
		}
	}
	return files
}

// index makes the pool an apt repository with the layout that debootstrap wants.
func (b *imageBuild) index(ctx context.Context, _ progress.Step) error {
	binary := path.Join("dists", suite, "main", "binary-"+b.arch)
	script := `set -eu
mkdir -p "$BINARY"
apt-ftparchive packages pool >"$BINARY/Packages"
gzip -9nkf "$BINARY/Packages"
apt-ftparchive -o APT::FTPArchive::Release::Suite="$SUITE" -o APT::FTPArchive::Release::Codename="$SUITE" \
  -o APT::FTPArchive::Release::Components=main -o APT::FTPArchive::Release::Architectures="$ARCH" release "dists/$SUITE" >release.new
mv release.new "dists/$SUITE/Release"`
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir = b.image.Repo
	cmd.Env = append(os.Environ(), "BINARY="+binary, "SUITE="+suite, "ARCH="+b.arch)
	return runLines(cmd, nil)
}

// debianSources writes an apt source list for our suite, with the mirrors that the host uses. Targets are lines of
// `apt-get indextargets`: kind of index, release, URI. A mirror from the environment wins.
func debianSources(targets, override string) (string, error) {
	main, security := override, override
	for line := range strings.Lines(targets) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "Packages" || override != "" {
			continue
		}
		base, isSecurity := strings.CutSuffix(words[1], "-security")
		base, _, _ = strings.Cut(base, "/")
		base, _ = strings.CutSuffix(base, "-updates")
		switch {
		case !debianRelease(base):
		case isSecurity && security == "":
			security = words[2]
		case !isSecurity && main == "":
			main = words[2]
		}
	}
	if main == "" {
		return "", fmt.Errorf("this host's apt has no Debian mirror: set %s to the URL of one", mirrorVariable)
	}
	if override != "" {
		u, err := url.Parse(override)
		if err != nil || u.Scheme == "" || u.Path == "" {
			return "", fmt.Errorf("%s is not the URL of a Debian mirror", mirrorVariable)
		}
		u.Path = strings.TrimSuffix(u.Path, "/") + "-security"
		security = u.String()
	}
	signed := "[signed-by=" + keyring + "]"
	list := fmt.Sprintf("deb %[1]s %[2]s %[3]s main\ndeb %[1]s %[2]s %[3]s-updates main\n", signed, main, suite)
	if security != "" {
		list += fmt.Sprintf("deb %s %s %s-security main\n", signed, security, suite)
	}
	return list, nil
}

// debianRelease tells Debian's releases from those of its derivatives.
func debianRelease(name string) bool {
	switch name {
	case "bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable":
		return true
	}
	return false
}

// packageList reads one of the embedded lists.
func packageList(list string) []string {
	var out []string
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// explain adds what a program said on standard error to its failure.
func explain(what string, err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%s: %w: %s", what, err, strings.TrimSpace(string(exit.Stderr)))
	}
	return fmt.Errorf("%s: %w", what, err)
}
