// Package repo finds the repository that a command works on.
package repo

import (
	"os"
	"path/filepath"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// Find answers the root of the repository that holds dir: the nearest directory upwards with a Pulumi.yaml beside
// ansible/.
func Find(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := abs; ; at = filepath.Dir(at) {
		if exists(filepath.Join(at, "Pulumi.yaml")) && exists(filepath.Join(at, "ansible")) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", cli.UsageErrorf("%s is not inside a clone of calldata-foundation: change into one", abs)
		}
	}
}

// Afresh is the file in which `calldata dr` remembers how it makes a stack afresh. It goes with the stack.
func Afresh(root, stack string) string { return filepath.Join(root, ".calldata", stack, "afresh.json") }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
