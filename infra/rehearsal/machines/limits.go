package machines

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// inotifyInstances is enough for a hundred machines: systemd and what runs in one uses about eight, and all machines share root's
// limit. Debian's default is 128. Source: measured; inotify(7), "max_user_instances".
const inotifyInstances = 1024

const inotifyFile = "/proc/sys/fs/inotify/max_user_instances"

// raiseLimits raises the host's limits that machines together come up against. A limit that is high enough stays.
func raiseLimits() error {
	data, err := os.ReadFile(inotifyFile)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && n >= inotifyInstances {
		return nil
	}
	if err := os.WriteFile(inotifyFile, []byte(strconv.Itoa(inotifyInstances)), 0o600); err != nil {
		return fmt.Errorf("raise fs.inotify.max_user_instances to %d, which several machines need: %w", inotifyInstances, err)
	}
	return nil
}
