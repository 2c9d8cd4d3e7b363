package configure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/stacks"
)

type role = stacks.Role

// The range of ansible-core that the playbooks work with: wazo-ansible is written for 2.14, and 2.19 evaluates its
// conditions differently.
const (
	coreMajor    = 2
	coreMinMinor = 14
	coreEndMinor = 19
)

var (
	coreForm   = regexp.MustCompile(`(?m)^ansible-playbook \[core (\d+)\.(\d+)\.[^\]]+\]`)
	moduleForm = regexp.MustCompile(`(?m)^ +ansible python module location = (.+)$`)
	pathsForm  = regexp.MustCompile(`(?m)^ +ansible collection location = (.+)$`)
)

// findTools finds the programs that the run starts, and answers what is missing.
func (s *settings) findTools(ctx context.Context, binary string, say progress.Reporter) []error {
	var errs []error
	programs := map[string]string{"ssh": "openssh-client"}
	if s.wazoAnsible == "" && !s.own {
		programs["git"] = "git"
	}
	for program, pkg := range programs {
		if _, err := exec.LookPath(program); err != nil {
			errs = append(errs, fmt.Errorf("%s is not on PATH: install %s", program, pkg))
		}
	}
	if binary == "" {
		binary = "ansible-playbook"
	}
	path, err := exec.LookPath(binary)
	if err != nil {
		return append(errs, fmt.Errorf("%w: install ansible-core %d.%d to %d.%d, for example `pipx install --include-deps ansible==9.13.0`, "+
			"or set CALLDATA_ANSIBLE_PLAYBOOK", err, coreMajor, coreMinMinor, coreMajor, coreEndMinor-1))
	}
	s.playbook = absolute(path)
	s.galaxy = filepath.Join(filepath.Dir(s.playbook), "ansible-galaxy")

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.playbook, "--version")
	cmd.Dir = s.content
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return append(errs, fmt.Errorf("%s --version: %w", s.playbook, err))
	}
	version := coreForm.FindSubmatch(out)
	if version == nil {
		return append(errs, fmt.Errorf("%s --version does not name its ansible-core: is it ansible-playbook?", s.playbook))
	}
	major, _ := strconv.Atoi(string(version[1]))
	minor, _ := strconv.Atoi(string(version[2]))
	if major != coreMajor || minor < coreMinMinor || minor >= coreEndMinor {
		errs = append(errs, fmt.Errorf("%s is of ansible-core %d.%d, want %d.%d to %d.%d", s.playbook, major, minor,
			coreMajor, coreMinMinor, coreMajor, coreEndMinor-1))
	}
	say.Logf("%s, ansible-core %d.%d", s.playbook, major, minor)
	return append(errs, s.checkCollections(string(out))...)
}

// checkCollections looks for the collections of requirements.yml where this Ansible would find them. version is what
// `ansible-playbook --version` printed.
func (s *settings) checkCollections(version string) []error {
	var wanted struct {
		Collections []struct{ Name string }
	}
	file := filepath.Join(s.content, "requirements.yml")
	data, err := os.ReadFile(file) //nolint:gosec // a file of the repository
	if err == nil {
		err = yaml.Unmarshal(data, &wanted)
	}
	if err != nil {
		return []error{fmt.Errorf("read %s: %w", file, err)}
	}
	var places []string
	if m := pathsForm.FindStringSubmatch(version); m != nil {
		places = strings.Split(m[1], ":")
	}
	if m := moduleForm.FindStringSubmatch(version); m != nil {
		places = append(places, filepath.Dir(m[1]))
	}
	var missing []string
	for _, c := range wanted.Collections {
		found := false
		for _, place := range places {
			_, err := os.Stat(filepath.Join(append([]string{place, "ansible_collections"}, strings.Split(c.Name, ".")...)...))
			found = found || err == nil
		}
		if !found {
			missing = append(missing, c.Name)
		}
	}
	if len(missing) > 0 {
		return []error{fmt.Errorf("Ansible lacks the collections %s: run `ansible-galaxy collection install -r %s`", //nolint:staticcheck // a name
			strings.Join(missing, ", "), file)}
	}
	return nil
}
