// Package postgrestest starts PostgreSQL for tests.
package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// binaries is where Debian 12 has PostgreSQL's programs.
const binaries = "/usr/lib/postgresql/15/bin"

// Start starts a PostgreSQL on a socket in a directory of its own, which ends with the test, and answers the URL of its owner and what
// restarts it. Where there is no PostgreSQL 15 the test is skipped.
func Start(t *testing.T) (url string, restart func()) {
	t.Helper()
	if _, err := os.Stat(binaries + "/initdb"); err != nil {
		t.Skip("there is no PostgreSQL 15 here: apt-get install postgresql-15")
	}
	// Paths of sockets are short, and PostgreSQL does not run as root.
	dir, err := os.MkdirTemp("", "pg")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	credential := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		nobody, err := user.Lookup("nobody")
		require.NoError(t, err)
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		require.NoError(t, os.Chown(dir, uid, gid))
		credential.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // small numbers
	}
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(binaries, name), args...) //nolint:gosec,noctx // the test's own, also when its context has ended
		cmd.SysProcAttr, cmd.Dir = credential, dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	data := filepath.Join(dir, "data")
	run("initdb", "--no-sync", "-A", "trust", "-U", "owner", "-D", data)
	config, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0) //nolint:gosec // the test's own
	require.NoError(t, err)
	_, err = config.WriteString("listen_addresses = ''\n")
	require.NoError(t, errors.Join(err, config.Close()))
	run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", "-c fsync=off -k "+dir, "start")
	t.Cleanup(func() { run("pg_ctl", "-D", data, "-m", "immediate", "stop") })
	url = fmt.Sprintf("postgres://owner@/postgres?host=%s", dir)
	return url, func() { run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-m", "fast", "restart") }
}
