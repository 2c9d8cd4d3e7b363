package counts

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/machinelogs/loggroups"
)

// lines are as machines ship them: those that count, and those that look like them.
var lines = map[string]struct{ counted, others []string }{
	LoginsRefused: {
		[]string{
			"sshd: Invalid user oracle from 203.0.113.9 port 40022", "sshd-session: Invalid user oracle from 203.0.113.9 port 40022",
			"sshd: Connection closed by authenticating user root 203.0.113.9 port 40022 [preauth]", "sshd: Failed password for root from 203.0.113.9 port 40022 ssh2",
			"sshd-session: Disconnected from authenticating user admin 203.0.113.9 port 40022 [preauth]",
		},
		[]string{
			"sshd: Accepted publickey for admin from 203.0.113.9 port 50022 ssh2: ED25519 SHA256:x", "sshd: Disconnected from user admin 203.0.113.9 port 50022",
			"sshd: Connection closed by 10.0.0.9 port 40022", "sshd: Failed publickey for admin from 203.0.113.9 port 50022 ssh2: RSA SHA256:y",
		},
	},
	SudoRefused: {
		[]string{
			"sudo:      bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id",
			"sudo:      bob : command not allowed ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id",
			"sudo:      bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id",
		},
		[]string{"sudo:    admin : TTY=pts/0 ; PWD=/home/admin ; USER=root ; COMMAND=/usr/bin/id", "sudo: pam_unix(sudo:session): session opened for user root(uid=0) by admin(uid=1000)"},
	},
	OutOfMemory: {
		[]string{
			"kernel: Out of memory: Killed process 811 (asterisk) total-vm:1kB", "kernel: Memory cgroup out of memory: Killed process 811 (python3) total-vm:1kB",
		},
		[]string{"asterisk: Out of memory: no", "kernel: asterisk invoked oom-killer: gfp_mask=0x140cca"},
	},
	DiskErrors: {
		[]string{
			"kernel: I/O error, dev nvme1n1, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2", "kernel: Buffer I/O error on dev nvme1n1, logical block 0, async page read",
			"kernel: EXT4-fs error (device nvme1n1): ext4_lookup:1705: inode #2: comm ls: deleted inode referenced: 12",
		},
		[]string{"kernel: EXT4-fs (nvme1n1): mounted filesystem with ordered data mode. Quota mode: none."},
	},
	RenewalsFailed: {
		[]string{"certbot: Failed to renew certificate pbx.example.com with error: Some challenges have failed."},
		[]string{"certbot: Congratulations, all renewals succeeded:"},
	},
	BackupsFailed: {
		[]string{"calldata-backup: failed: the bucket does not answer", "calldata-backup: refused: there is no room for the dump"},
		[]string{"calldata-backup: engine/20261130T040000Z-ab12: complete", "calldata-backup: busy: another one runs"},
	},
	FilesChanged: {
		[]string{"aide: AIDE found differences between database and filesystem!!"},
		[]string{"aide: AIDE found NO differences between database and filesystem. Looks okay!!"},
	},
	RecordsRefused: {
		[]string{"kamailio: 5(812) ERROR: <script>: a call record was refused: SELECT cdr_put('a')"},
		[]string{"kamailio: 5(812) NOTICE: <script>: refused INVITE from 203.0.113.9: not a peer"},
	},
	DatabaseStopped: {
		[]string{
			"2026-11-30 08:00:00.000 UTC [811] PANIC:  could not write to file \"pg_wal/xlogtemp.811\": No space left on device",
			"2026-11-30 08:00:00.000 UTC [811] LOG:  database system was not properly shut down; automatic recovery in progress",
		},
		[]string{"2026-11-30 08:00:00.000 UTC [811] LOG:  database system was shut down at 2026-11-30 07:59:59 UTC", "2026-11-30 08:00:00.000 UTC [811] ERROR:  PANIC is a word"},
	},
}

// matches does what CloudWatch does with patterns of the kinds that Pattern makes, and refuses others.
func matches(t *testing.T, pattern, line string) bool {
	t.Helper()
	require.Regexp(t, `^("[^"]+"|\?"[^"]+"( \?"[^"]+")+)$`, pattern)
	for _, found := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(pattern, -1) {
		if strings.Contains(line, found[1]) {
			return true
		}
	}
	return false
}

func TestCounts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range All() {
		assert.False(t, seen[c.Metric] || seen[c.Name], c.Metric)
		seen[c.Metric], seen[c.Name] = true, true
		assert.Regexp(t, `^[a-z]+(-[a-z]+)*$`, c.Name)
		assert.LessOrEqual(t, len(c.Pattern()), 1024, "CloudWatch takes no more: %s", c.Metric)
		assert.NotEmpty(t, loggroups.Matching("/calldata/x", []string{"c4-router", "c4-sbc", "uc-engine"}, c.Groups...), c.Metric)
		require.NotEmpty(t, lines[c.Metric].counted, c.Metric)
		require.NotEmpty(t, lines[c.Metric].others, c.Metric)
		for _, line := range lines[c.Metric].counted {
			assert.True(t, matches(t, c.Pattern(), line), "%s: %s", c.Metric, line)
		}
		for _, line := range lines[c.Metric].others {
			assert.False(t, matches(t, c.Pattern(), line), "%s: %s", c.Metric, line)
		}
	}
	for metric := range lines {
		assert.True(t, seen[metric], metric)
	}
	assert.Equal(t, "CallData/Logs/stage", Namespace("stage"))
}
