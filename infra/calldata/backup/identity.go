package backup

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
)

var arnForm = regexp.MustCompile(`^arn:[A-Za-z0-9:/_+=.@!-]+$`)

// Identity is where the private key of age is that backups are read with: in a file of mode 0600 here, or in a secret that the
// machine reads. Neither is for backups that KMS alone encrypts.
type Identity struct{ File, Secret string }

func (i *Identity) addFlags(f *pflag.FlagSet) {
	f.StringVar(&i.File, "identity", "", "file with the private key, mode 0600")
	f.StringVar(&i.Secret, "identity-secret", "", "ARN of the secret that the machine reads the private key from")
}

func (i *Identity) validate() (errs []error) {
	if i.Secret != "" && !arnForm.MatchString(i.Secret) {
		errs = append(errs, fmt.Errorf("--identity-secret is %q, want an ARN", i.Secret))
	}
	if i.File != "" && i.Secret != "" {
		errs = append(errs, errors.New("--identity and --identity-secret say two places of the private key: give one"))
	}
	if i.File != "" {
		if err := private.Check(i.File); err != nil {
			errs = append(errs, fmt.Errorf("--identity: %w", err))
		}
		if strings.ContainsAny(i.File, "{}") {
			errs = append(errs, fmt.Errorf("--identity is %q: Ansible takes braces for its own, give the file a plainer name", i.File))
		}
	}
	return errs
}
