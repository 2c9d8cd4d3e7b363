package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// begun is what an instance began as: another one, as it was at a time.
type begun struct {
	source string
	// time is in the form that RDS takes. Empty is the last one there is.
	time string
}

// origin reads it from an instance's tags. New ones have none.
func origin(tags []types.Tag) (begun, bool) {
	for _, t := range tags {
		if aws.ToString(t.Key) == originTag {
			source, time, _ := strings.Cut(aws.ToString(t.Value), " ")
			return begun{source, time}, true
		}
	}
	return begun{}, false
}

// settings are lines before setup.
func (b begun) settings() string {
	return fmt.Sprintf("RESTORED='yes'\nRESTORE_TIME='%s'\n", strings.ReplaceAll(b.time, "'", ""))
}

// endLog has a machine archive its log up to now. The transaction is one that a later time than any wanted stands in: a recovery
// to a time that the log does not reach fails. Source: PostgreSQL 15, 26.3 and 20.5.5.
const endLog = `
set -eu
cd /
sql() { runuser -u postgres -- psql -qXAt --set ON_ERROR_STOP=1 --command "$1"; }
sql 'SELECT pg_current_xact_id()' >/dev/null
last=$(sql 'SELECT pg_walfile_name(pg_switch_wal())')
for _ in $(seq 100); do
  [ ! -e "/var/lib/postgresql/archive/$last" ] || exit 0
  sleep 0.3
done
echo "the log $last is not archived" >&2
exit 1
`

// copyLog brings the base backup and the log of the machine that plays source to the one at an address.
func (w *Watcher) copyLog(ctx context.Context, source string, to netip.Prefix) error {
	from, ok := w.instance(source)
	if !ok {
		return errors.New("no machine plays it")
	}
	cmd := w.ssh(ctx, from.address)
	cmd.Stdin = strings.NewReader(endLog)
	if out, err := cmd.CombinedOutput(); err != nil {
		return said(err, out)
	}
	// 1 is tar's word for a file that was written meanwhile: the next piece of the log, which is not wanted.
	pack := w.ssh(ctx, from.address, "sh", "-c", "'tar -C /var/lib/postgresql --exclude=*.part -c base archive || [ $? = 1 ]'")
	unpack := w.ssh(ctx, to, "sh", "-c", "'mkdir -p /var/lib/restored && tar -C /var/lib/restored -x'")
	var packed, unpacked bytes.Buffer
	out, err := pack.StdoutPipe() // a file, so that no goroutine stands between the two
	if err != nil {
		return err
	}
	pack.Stderr, unpack.Stdin, unpack.Stdout, unpack.Stderr = &packed, out, &unpacked, &unpacked
	if err := pack.Start(); err != nil {
		return err
	}
	failed := unpack.Run()
	_ = out.Close() // who still packs ends by SIGPIPE
	return errors.Join(said(failed, unpacked.Bytes()), said(pack.Wait(), packed.Bytes()))
}
