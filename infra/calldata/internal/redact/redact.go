// Package redact takes secrets out of text that leaves the operator's hands: those that are known, and what looks like one.
package redact

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/ansible"
)

// masksFile is where the masks are that machines apply before a line leaves them, below the repository.
var masksFile = filepath.Join("ansible", "roles", "monitoring", "defaults", "main.yml")

// rule replaces what a pattern finds.
type rule struct {
	pattern     *regexp.Regexp
	replacement string
}

// own are for what machines do not log, but files of an operator's may hold.
var own = []rule{
	// A private key, also one that is cut off. Source: RFC 7468, section 2.
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)`), "*** private key ***"},
	// An age key. Source: github.com/FiloSottile/age, "age-keygen".
	{regexp.MustCompile(`AGE-SECRET-KEY-1[A-Za-z0-9]+`), "***"},
	// An Ansible vault: lines of hexadecimal digits. Source: Ansible Community Documentation, "Format of files encrypted with Ansible Vault".
	{regexp.MustCompile(`\$ANSIBLE_VAULT;[^\n]*(?:\n\s*[0-9a-f]{16,}\s*)*`), "*** vault ***\n"},
	// What Pulumi encrypts in a stack's file. Source: pulumi.com/docs/iac/concepts/secrets.
	{regexp.MustCompile(`\b((?:secure|encryptedkey|encryptionsalt):\s*)\S+`), "${1}***"},
	// AWS's secret access keys, which have 40 characters. Source: IAM User Guide, "Manage access keys for IAM users".
	{regexp.MustCompile(`(?i)((?:secret_?access_?key|session_?token)\\*["']?\s*[:=]\s*\\*["']?)[A-Za-z0-9/+=]{16,}`), "${1}***"},
	// Hashes of passwords. Source: crypt(5).
	{regexp.MustCompile(`\$(?:1|2[abxy]?|5|6|7|y|gy)\$[./A-Za-z0-9$=,]{16,}`), "***"},
	// Tokens of GitHub and of Pulumi. Source: docs.github.com, "About authentication to GitHub", "GitHub's token formats".
	{regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|pul-[0-9a-f]{40})`), "***"},
	// A JSON text inside a JSON text.
	{regexp.MustCompile(`(?i)([\w-]*(?:pass(?:word|wd|phrase)|secret|token|api_?key)\\+["']\s*[:=]\s*\\+["'])[^"\\]+`), "${1}***"},
}

// Redactor takes secrets out of text.
type Redactor struct {
	masker *ansible.Masker
	rules  []rule
}

// New makes a Redactor with the masks of the repository at root, for secrets that are known in any form that ansible.Masker
// knows. Masks that cannot be read are an error: nothing should leave unredacted.
func New(root string, secrets ...string) (*Redactor, error) {
	path := filepath.Join(root, masksFile)
	data, err := os.ReadFile(path) //nolint:gosec // the repository's own
	if err != nil {
		return nil, fmt.Errorf("read the masks: %w", err)
	}
	var defaults struct {
		Masks []struct{ Pattern, Replacement string } `yaml:"monitoring_log_masks"`
	}
	if err := yaml.Unmarshal(data, &defaults); err != nil {
		return nil, fmt.Errorf("read the masks: %s: %w", path, err)
	}
	r := &Redactor{masker: ansible.NewMasker(secrets...)}
	var errs []error
	for _, m := range defaults.Masks {
		pattern, err := regexp.Compile(m.Pattern)
		errs = append(errs, err)
		r.rules = append(r.rules, rule{pattern, group.ReplaceAllString(m.Replacement, "$${${1}}")})
	}
	if len(r.rules) == 0 {
		errs = append(errs, errors.New("monitoring_log_masks is empty"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("the masks of %s: %w", path, err)
	}
	r.rules = append(r.rules, own...)
	return r, nil
}

// group is a reference to a group as Python writes it.
var group = regexp.MustCompile(`\\([0-9])`)

// String is s without secrets.
func (r *Redactor) String(s string) string {
	s = r.masker.String(s)
	for _, rule := range r.rules {
		s = rule.pattern.ReplaceAllString(s, rule.replacement)
	}
	return s
}
