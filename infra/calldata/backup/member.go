package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// Files in the memory of a machine of a fleet, for the time of a restore. restore.yml has the same on fixed machines.
const (
	memberKey  = "/run/calldata-restore-identity"
	memberFrom = "/run/calldata-restore-from"
)

// tidyLimit is how long taking private files away may take, whatever ended the restore.
const tidyLimit = 30 * time.Second

// onMember restores backups through a machine of a fleet, and answers what it said.
func (o *RestoreOptions) onMember(ctx context.Context, stack stacks.Outputs, n stacks.Node, names []string, given []byte) (string, error) {
	files, options := map[string][]byte{}, []string{"--yes"}
	if o.Check {
		options = []string{"--check"}
	}
	if o.Identity.File != "" {
		key, err := private.Read("--identity", o.Identity.File)
		if err != nil {
			return "", err
		}
		files[memberKey], options = key, append(options, "--identity", memberKey)
	}
	if o.Identity.Secret != "" {
		options = append(options, "--identity-secret", o.Identity.Secret)
	}
	if given != nil {
		files[memberFrom], options = given, append(options, "--from", memberFrom)
	}
	for _, part := range o.Parts {
		options = append(options, "--part", part)
	}
	for _, reason := range o.Allow {
		options = append(options, "--allow", reason)
	}
	var said strings.Builder
	err := o.logIn(ctx, stack, n, "restore "+strings.Join(names, ", "), func(client *ssh.Client) (err error) {
		if len(files) > 0 {
			defer func() {
				tidying, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
				defer cancel()
				_, failed := login.Output(tidying, client, "sudo -n rm -f "+memberKey+" "+memberFrom)
				err = errors.Join(err, failed)
			}()
		}
		for path, data := range files {
			if err := login.Feed(ctx, client, "sudo -n sh -c 'umask 077; cat >"+path+"'", bytes.NewReader(data), io.Discard); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		for _, name := range names {
			// All words have forms without a meaning to a shell: validate has seen to that.
			if err := login.Stream(ctx, client, "sudo -n /usr/local/sbin/calldata-backup restore "+name+" "+strings.Join(options, " "), &said); err != nil {
				return fmt.Errorf("calldata-backup: %w", err)
			}
		}
		return nil
	})
	return said.String(), err
}
