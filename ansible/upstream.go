package ansible

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// Upstream says where Wazo's own roles come from.
type Upstream struct {
	// Repository is what `git fetch` takes.
	Repository string `yaml:"repository"`
	// Commit is the full id.
	Commit string `yaml:"commit"`
}

var commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

// ReadUpstream reads upstream.yml in dir, the directory of the playbooks. It is a file there, not a constant here, so
// that another commit changes the content's hash.
func ReadUpstream(dir string) (Upstream, error) {
	file := filepath.Join(dir, "upstream.yml")
	data, err := os.ReadFile(file) //nolint:gosec // below dir, which the caller chose
	if err != nil {
		return Upstream{}, fmt.Errorf("read the pin of wazo-ansible: %w", err)
	}
	var d struct {
		WazoAnsible Upstream `yaml:"wazo_ansible"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		return Upstream{}, fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	if d.WazoAnsible.Repository == "" {
		errs = append(errs, fmt.Errorf("%s: wazo_ansible.repository is empty", file))
	}
	if !commitForm.MatchString(d.WazoAnsible.Commit) {
		errs = append(errs, fmt.Errorf("%s: wazo_ansible.commit is %q, want 40 hexadecimal digits", file, d.WazoAnsible.Commit))
	}
	return d.WazoAnsible, errors.Join(errs...)
}

// UpstreamRoles are Wazo's roles that playbooks/uc-engine.yml runs.
func UpstreamRoles() []string {
	return []string{
		"preflight-checks", "debian-upgrade-first", "wazo-db", "b2bua", "engine-api", "engine-api-init", "uc-engine", "uc-ui",
	}
}
