package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/tags"
)

// Args say which archive goes where.
type Args struct {
	// BucketName is the bucket for artifacts. After is what must be there before anything is put into it.
	BucketName pulumi.StringInput
	After      []pulumi.Resource
	// KMSKeyARN is the key that the bucket encrypts with. Nil means S3's own.
	KMSKeyARN pulumi.StringInput

	// Path is the archive on this machine.
	Path string
	// SHA256 is the archive's hash in hexadecimal.
	SHA256 string
	// Tags are given to the object.
	Tags tags.Tags
}

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Validate reports every field that would lead to an object that machines refuse. It reads the archive.
func (a Args) Validate() error {
	var errs []error
	if a.BucketName == nil {
		errs = append(errs, errors.New("bucket name: it is missing"))
	}
	got, err := hashOf(a.Path)
	switch {
	case err != nil:
		errs = append(errs, fmt.Errorf("path: %w", err))
	case got != a.SHA256 && hashForm.MatchString(a.SHA256):
		errs = append(errs, fmt.Errorf("SHA-256: %s has %s, not %s: make the archive anew", a.Path, got, a.SHA256))
	}
	if !hashForm.MatchString(a.SHA256) {
		errs = append(errs, fmt.Errorf("SHA-256: %q is not 64 hexadecimal digits in lower case", a.SHA256))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

func hashOf(path string) (string, error) {
	file, err := os.Open(path) // #nosec G304 -- the caller's own
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
