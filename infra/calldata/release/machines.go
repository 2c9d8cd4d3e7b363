package release

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/drain"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// machines is what a release tells the machines of fleets themselves, and asks them.
type machines interface {
	// level sets how far a machine is out of service, without waiting.
	level(ctx context.Context, n stacks.Node, l drain.Level) error
	// busy is how many calls a machine has, and for how long phones may still be called by way of it alone.
	busy(ctx context.Context, n stacks.Node) (calls int, phones time.Duration, err error)
	// claim has an SBC take a free address of the pool, and tell it to Kamailio and rtpengine.
	claim(ctx context.Context, n stacks.Node) error
	// announce has an SBC tell callers this address. Its services restart: it must not have calls.
	announce(ctx context.Context, n stacks.Node, address netip.Addr) error
}

// claimTime is how long an SBC may take to configure itself anew with another address: it runs its playbook.
const claimTime = 15 * time.Minute

// busyScript prints calls, and the seconds until the last registration by this machine runs out: both are what 50-c4 waits for.
const busyScript = `sudo -n c4-active-calls && sudo -n kamcmd -s unix:/run/kamailio/ctl.sock htable.get state registered 2>/dev/null |
  awk -v now="$(date +%s)" '$1 == "value:" { left = $2 - now } END { print (left > 0 ? left : 0) }'`

type sshMachines struct {
	stack  stacks.Outputs
	getenv func(string) string
	pause  time.Duration // between two questions
	port   int           // of the machines' SSH servers; 0 is 22
}

func (s *sshMachines) run(ctx context.Context, n stacks.Node, command string) (string, error) {
	var out string
	client, closed, err := login.To(ctx, s.stack, n, s.getenv, s.port)
	if err == nil {
		defer closed()
		out, err = login.Output(ctx, client, command)
	} else if cli.Code(err) == cli.ExitError {
		err = cli.WithCode(cli.ExitUnreachable, err)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", n.Name, err)
	}
	return out, nil
}

func (s *sshMachines) level(ctx context.Context, n stacks.Node, l drain.Level) error {
	_, err := s.run(ctx, n, "sudo -n c4-maintenance "+string(l))
	return err
}

func (s *sshMachines) busy(ctx context.Context, n stacks.Node) (int, time.Duration, error) {
	out, err := s.run(ctx, n, busyScript)
	if err != nil {
		return 0, 0, err
	}
	calls, phones, err := parseBusy(out)
	if err != nil {
		return 0, 0, fmt.Errorf("%s says %q: %w", n.Name, out, err)
	}
	return calls, phones, nil
}

func parseBusy(out string) (calls int, phones time.Duration, err error) {
	fields := strings.Fields(out)
	if len(fields) != 2 {
		return 0, 0, fmt.Errorf("want two numbers, got %d", len(fields))
	}
	calls, err = strconv.Atoi(fields[0])
	if err != nil {
		return 0, 0, err
	}
	seconds, err := strconv.Atoi(fields[1])
	return calls, time.Duration(seconds) * time.Second, err
}

// The machine's way out changes with its address, and with it the way that the operator has come: what it does goes on by itself, as a
// unit that stays active when it has succeeded. "inactive" is then a unit that has not begun, and never one that is done.
// Source: systemd.service(5), RemainAfterExit=; systemd-run(1), --no-block.
const (
	// claimScript lets an earlier try go on, whether it has begun or waits to begin, and clears away one that has ended.
	claimScript = `case $(systemctl show -P ActiveState calldata-claim)$(systemctl show -P Job calldata-claim) in activating*|inactive[1-9]*) exit ;; esac
sudo -n systemctl stop calldata-claim 2>/dev/null; sudo -n systemctl reset-failed calldata-claim 2>/dev/null
sudo -n systemd-run --quiet --unit=calldata-claim --property=Type=oneshot --property=RemainAfterExit=yes --no-block --setenv=CALLDATA_CLAIM=yes /usr/local/sbin/calldata-boot`
	claimedScript = `systemctl show -P ActiveState calldata-claim`
)

func (s *sshMachines) claim(ctx context.Context, n stacks.Node) error {
	if _, err := s.run(ctx, n, claimScript); err != nil {
		return err
	}
	for deadline := time.Now().Add(claimTime); ; {
		state, err := s.run(ctx, n, claimedScript)
		switch state = strings.TrimSpace(state); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && state == "active":
			return nil
		case err == nil && state == "failed":
			return fmt.Errorf("%s did not take an address: /var/log/calldata/boot.log says why", n.Name)
		case time.Now().After(deadline):
			if err == nil {
				err = fmt.Errorf("its unit calldata-claim is %s", state)
			}
			return cli.WithCode(cli.ExitTimeout, fmt.Errorf("%s has not taken an address within %s: %w", n.Name, claimTime, err))
		}
		if err := sleep(ctx, s.pause); err != nil {
			return err
		}
	}
}

// announceScript is about the file that an SBC's configuration leaves for c4-public-address. An earlier try may have been cut off before the
// restart, so that it restarts whatever has changed: no calls come to the SBC yet.
const announceScript = `sudo -n sed -i 's/^PUBLIC_ADDRESS=.*/PUBLIC_ADDRESS=%s/' /etc/calldata/c4-public-address.env &&
  sudo -n c4-public-address >/dev/null && sudo -n systemctl restart rtpengine-daemon kamailio`

func (s *sshMachines) announce(ctx context.Context, n stacks.Node, address netip.Addr) error {
	_, err := s.run(ctx, n, fmt.Sprintf(announceScript, address))
	return err
}

// sleep waits, or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
